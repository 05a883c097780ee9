using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// What a client sends so that two parties might read it differently, in front of a backend that takes everything: whatever kind of lenient
/// reader the backend is, it never sees one request more or less than was meant, and no client gets an answer to a question that it did not
/// ask.
/// </summary>
internal sealed class SmugglingTests
{
    private static readonly SmugglingVariant[] Variants =
    [
        .. FramingVariants.All(),
        .. ChunkVariants.All(),
        .. LineVariants.All(),
        .. TargetVariants.All(),
        .. ConnectionVariants.All(),
    ];

    private static IEnumerable<TestCaseData> Cases() =>
        Variants.Select(variant => new TestCaseData(variant).SetArgDisplayNames(variant.Name));

    [Test]
    public void There_are_enough_variants_and_each_has_a_name_of_its_own()
    {
        Assert.That(Variants, Has.Length.GreaterThanOrEqualTo(200));
        Assert.That(Variants.Select(each => each.Name), Is.Unique);
    }

    [TestCaseSource(nameof(Cases))]
    public async Task No_request_more_or_less_reaches_the_backend(SmugglingVariant variant)
    {
        string tag = $"/{variant.Name}/";
        using RawClient client = await RawClient.ConnectAsync(Http1Gateway.Port);
        await client.SendAsync(variant.Bytes);

        foreach (string meant in variant.Meant)
        {
            await AnsweredAsync(client, meant);
        }

        string[] seen = variant.Meant;
        if (variant.Refused != 0)
        {
            RawResponse refusal = await client.ReadResponseAsync();
            Assert.That(refusal.Status, Is.EqualTo(variant.Refused), refusal.Text);
            Assert.That(refusal.Header("X-Proxy-Error"), Is.Not.Null, "the refusal is the gateway's own");
            Assert.That(refusal.Closes);
        }

        if (variant.Refused != 0 || variant.Closes)
        {
            Assert.That(await client.EndsAsync());
        }
        else
        {
            // Both sides must still agree where a request begins: the next one on this connection gets its own answer.
            string probe = $"GET {tag}probe";
            await client.SendAsync(RawClient.Head(Http1Gateway.LenientHost, $"{tag}probe"));
            await AnsweredAsync(client, probe);
            seen = [.. seen, probe];
        }

        // Whoever comes next, most likely on the same connection to the backend, gets an answer of its own, too.
        using RawClient next = await RawClient.ConnectAsync(Http1Gateway.Port);
        await next.SendAsync(RawClient.Head(Http1Gateway.LenientHost, $"{tag}next"));
        await AnsweredAsync(next, $"GET {tag}next");
        AssertSeen(tag, [.. seen, $"GET {tag}next"]);
    }

    /// <summary>From there on the connection speaks HTTP/2, which begins with its preface: anything else ends it.</summary>
    [Test]
    public async Task What_follows_an_upgrade_to_HTTP_2_is_not_read_as_HTTP_1()
    {
        const string Tag = "/h2c-taken-up/";
        using RawClient client = await RawClient.ConnectAsync(Http1Gateway.Port);
        await client.SendAsync(
            RawClient.Head(Http1Gateway.LenientHost, $"{Tag}a", "GET", ConnectionVariants.H2CTakenUp)
                + RawClient.Head(Http1Gateway.LenientHost, $"{Tag}hidden")
        );

        Assert.That((await client.ReadHeadAsync()).Status, Is.EqualTo(101));
        Assert.That(async () => await ReadOnAsync(client), Throws.Exception, "settings and GOAWAY come, and the end");
        Assert.That(Http1Gateway.Lenient.Sightings(Tag).Values.SelectMany(each => each), Has.None.Contains("hidden"));
    }

    private static async Task ReadOnAsync(RawClient client)
    {
        while (true)
        {
            await client.ReadBytesAsync(1);
        }
    }

    private static async Task AnsweredAsync(RawClient client, string meant)
    {
        string question = string.Join(' ', meant.Split(' ').Take(2));
        RawResponse response = await client.ReadResponseAsync(meant.Split(' ')[0]);
        Assert.That((response.Status, response.Header("X-Saw")), Is.EqualTo((200, question)), Encoding.Latin1.GetString(response.Body));
    }

    private static void AssertSeen(string tag, string[] expected)
    {
        string[] sorted = [.. expected.Order(StringComparer.Ordinal)];
        foreach ((string reader, string[] sightings) in Http1Gateway.Lenient.Sightings(tag))
        {
            Assert.That(sightings, Is.EqualTo(sorted), $"as a lenient server reads it: {reader}");
        }
    }
}
