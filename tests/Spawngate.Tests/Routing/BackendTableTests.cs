using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Spawngate.Backends;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Routing by host name.</summary>
internal sealed class BackendTableTests
{
    private static readonly LifecycleStage Stage = new();

    [OneTimeTearDown]
    public void TearDown() => Stage.Dispose();

    [TestCase("example.com", "example.com")]
    [TestCase("EXAMPLE.com", "example.com")]
    [TestCase("example.com:8080", "example.com")]
    [TestCase("example.com.", "example.com")]
    [TestCase("example.com.:80", "example.com")]
    [TestCase("example.com..", null)]
    [TestCase("other.org", null)]
    [TestCase("", null)]
    [TestCase(":80", null)]
    [TestCase(".", null)]
    [TestCase("127.0.0.1:80", "127.0.0.1")]
    [TestCase("[::1]:80", "::1")]
    [TestCase("[::1]", "::1")]
    [TestCase("[::1", null)]
    [TestCase("a.wild.com", "*.wild.com")]
    [TestCase("a.b.wild.com:1", "*.wild.com")]
    [TestCase("wild.com", null)]
    [TestCase(".wild.com", null)]
    [TestCase("x.deep.wild.com", "*.deep.wild.com")]
    [TestCase("deep.wild.com", "*.wild.com")]
    [TestCase("exact.wild.com", "exact.wild.com")]
    [TestCase("x.exact.wild.com", "*.wild.com")]
    public void Finds_by_name_without_case_port_and_trailing_dot(string host, string? key)
    {
        var table = Table("example.com", "127.0.0.1", "::1", "*.wild.com", "*.deep.wild.com", "exact.wild.com");
        Assert.That(table.Find(Encoding.UTF8.GetBytes(host))?.Hostname, Is.EqualTo(key));
    }

    [Test]
    public void A_star_takes_anything_else_even_names_that_cannot_be_configured()
    {
        var table = Table("example.com", "*");
        Assert.That(table.Find("example.com"u8)!.Hostname, Is.EqualTo("example.com"));
        Assert.That(table.Find("x"u8)!.Hostname, Is.EqualTo("*"));
        Assert.That(table.Find("bücher.example"u8)!.Hostname, Is.EqualTo("*"));
        Assert.That(table.Find(Encoding.ASCII.GetBytes(new string('a', 300)))!.Hostname, Is.EqualTo("*"));
        Assert.That(table.Find(""u8), Is.Null);
        Assert.That((table.Anything!.Hostname, Table("example.com").Anything), Is.EqualTo(("*", (Backend?)null)));
    }

    [Test]
    public void Agrees_with_a_naive_model()
    {
        // Few letters and labels, so that names meet.
        var label = Gen.Elements("a", "b", "c", "ab");
        var name = Gen.Choose(1, 4).SelectMany(count => Gen.ArrayOf(label, count)).Select(labels => string.Join('.', labels));
        var key = Gen.Frequency((4, name), (3, name.Select(n => "*." + n)), (1, Gen.Constant("*")));
        var host = name.SelectMany(n => Gen.Elements(n, n.ToUpperInvariant(), n + ":80", n + ".", "x." + n, n + ".:1"));
        var cases = Gen.Zip(Gen.ListOf(key), Gen.ListOf(host));
        Prop.ForAll(cases.ToArbitrary(), pair =>
            {
                var keys = pair.Item1.Distinct(StringComparer.Ordinal).ToArray();
                var table = Table(keys);
                return pair.Item2.All(h => table.Find(Encoding.ASCII.GetBytes(h))?.Hostname == Naive(keys, h));
            })
            .Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Test]
    public void Finds_each_of_a_hundred_thousand_and_allocates_nothing()
    {
        var keys = Enumerable.Range(0, 100_000).Select(i => $"tenant-{i}.example.com").Append("*.wild.example.com").ToArray();
        var table = Table(keys);
        var hosts = keys.Select(key => Encoding.ASCII.GetBytes(key + ":8080")).ToArray();
        for (var i = 0; i < hosts.Length - 1; i++)
        {
            if (table.Find(hosts[i])?.Hostname != keys[i])
            {
                Assert.Fail($"{keys[i]} was not found");
            }
        }

        var allocated = Allocations.Least(() =>
        {
            foreach (var host in hosts)
            {
                table.Find(host);
                table.Find("no.such.wild.example.org"u8);
            }
        });
        Assert.That(allocated, Is.Zero);
    }

    private static string? Naive(string[] keys, string host)
    {
        var name = host.ToLowerInvariant();
        name = name.Contains(':') ? name[..name.IndexOf(':')] : name;
        name = name.EndsWith('.') ? name[..^1] : name;
        return keys.Contains(name)
            ? name
            : keys.Where(key =>
                    key.StartsWith("*.", StringComparison.Ordinal)
                    && name.EndsWith(key[1..], StringComparison.Ordinal)
                    && name.Length > key.Length - 1
                )
                .MaxBy(key => key.Length)
                ?? keys.FirstOrDefault(key => key == "*");
    }

    private static BackendTable Table(params string[] keys) =>
        new(keys.Select(key => new Backend(Stage.Env, LifecycleStage.Config(key))).ToList());
}
