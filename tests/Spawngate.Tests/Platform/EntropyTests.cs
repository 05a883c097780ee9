using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>Random bytes of the kernel.</summary>
[TestFixture]
internal sealed class EntropyTests
{
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(24)]
    [TestCase(256)]
    public void Fills_what_it_is_given(int count)
    {
        // One byte may be anything; of many, a few are the same by chance and not all of them.
        byte[] bytes = Entropy.Bytes(count);
        Assert.That(bytes, Has.Length.EqualTo(count));
        Assert.That(bytes.Distinct().Count(), Is.GreaterThanOrEqualTo(count / 4));
    }

    [Test]
    public void Leaves_what_is_around_alone()
    {
        byte[] around = new byte[64];
        Entropy.Fill(around.AsSpan(16, 32));
        Assert.That(around[..16].Concat(around[48..]), Is.All.Zero);
        Assert.That(around[16..48], Has.Some.Not.Zero);
    }

    [Test]
    public void Never_gives_the_same_twice() =>
        Assert.That(Enumerable.Range(0, 1000).Select(_ => Convert.ToHexString(Entropy.Bytes(16))), Is.Unique);

    [Test]
    public void Says_so_when_the_system_refuses()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("the limit is that of getentropy");
        }

        Assert.That(
            () => Entropy.Bytes(257),
            Throws.InvalidOperationException.With.Message.StartsWith("The system gives no random bytes: ")
        );
    }
}
