using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Spawngate.Overload;

namespace Spawngate.Tests;

/// <summary>Client addresses as numbers, and what is counted for one.</summary>
internal sealed class AddressTableTests
{
    [TestCase("192.0.2.7", "192.0.2.7")]
    [TestCase(" 192.0.2.7\t", "192.0.2.7")]
    [TestCase("192.0.2.7:4711", "192.0.2.7")]
    [TestCase("::ffff:192.0.2.7", "192.0.2.7")]
    [TestCase("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [TestCase("[2001:DB8:1:2::6]:443", "2001:db8:1:2::/64")]
    [TestCase("[2001:db8::]", "2001:db8::/64")]
    [TestCase("::1", "::/64")]
    [TestCase("::", "::/64")]
    [TestCase("64:ff9b::192.0.2.33", "64:ff9b::/64")]
    public void Addresses_are_read_as_proxies_write_them(string text, string key)
    {
        Assert.That(AddressBits.TryParse(Encoding.ASCII.GetBytes(text), out var bits), Is.True);
        Assert.That(AddressBits.TextOf(AddressBits.KeyOf(bits)), Is.EqualTo(key));
    }

    [TestCase("")]
    [TestCase("unknown")]
    [TestCase("_hidden")]
    [TestCase("1.2.3")]
    [TestCase("1.2.3.256")]
    [TestCase("1.2.3.4.5")]
    [TestCase("1.2.3.0004")]
    [TestCase("1.2.3.4:")]
    [TestCase("1.2.3.4:x")]
    [TestCase(":")]
    [TestCase(":::")]
    [TestCase("1::2::3")]
    [TestCase("1:2:3:4:5:6:7")]
    [TestCase("1:2:3:4:5:6:7:8:9")]
    [TestCase("1:2:3:4:5:6:7:8::")]
    [TestCase("12345::")]
    [TestCase("g::")]
    [TestCase("1:")]
    [TestCase("fe80::1%eth0")]
    [TestCase("::1.2.3.4:5")]
    [TestCase("[::1")]
    [TestCase("[::1]x")]
    [TestCase("[1.2.3.4]")]
    public void What_is_no_address_is_not_taken_for_one(string text) =>
        Assert.That(AddressBits.TryParse(Encoding.ASCII.GetBytes(text), out _), Is.False);

    [Test]
    public void It_reads_every_address_as_the_framework_does() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>().Filter(static bytes => bytes.Length >= 16), static bytes =>
            {
                foreach (
                    var address in (IPAddress[])
                        [
                            new IPAddress(bytes.AsSpan(0, 16)),
                            new IPAddress(bytes.AsSpan(0, 4)),
                            new IPAddress([.. bytes[..4], 0, 0, 0, 0, 0, 0, .. bytes[4..8], 0, 0]),
                        ]
                )
                {
                    Assert.That(
                        AddressBits.TryParse(Encoding.ASCII.GetBytes(address.ToString()), out var bits),
                        Is.True,
                        address.ToString()
                    );
                    Assert.That(bits, Is.EqualTo(AddressBits.Of(address)), address.ToString());
                }
            })
            .QuickCheckThrowOnFailure();

    [Test]
    public void A_bucket_holds_one_second_and_fills_at_its_rate()
    {
        var address = new ClientAddress(1);
        int taken = 0;
        while (address.TryTakeToken(1_000_000, 1_000_000, 10))
        {
            taken++;
        }

        Assert.That(taken, Is.EqualTo(10));
        Assert.That(address.TryTakeToken(1_099_999, 1_000_000, 10), Is.False, "a tenth of a second is not over");
        Assert.That(address.TryTakeToken(1_100_000, 1_000_000, 10), Is.True);
        Assert.That(address.TryTakeToken(1_100_000, 1_000_000, 10), Is.False);
    }

    [Test]
    public void A_bucket_gives_no_more_to_many_threads_than_to_one()
    {
        var address = new ClientAddress(1);
        int taken = 0;
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                Interlocked.Add(ref taken, address.TryTakeToken(5_000_000, 1_000_000, 1000) ? 1 : 0);
            }
        });
        Assert.That(taken, Is.EqualTo(1000));
    }

    [Test]
    public void Addresses_are_forgotten_when_nothing_is_counted_for_them_any_more()
    {
        var table = new AddressTable();
        var open = table.Get(1, nowMs: 1);
        open.AddConnection();
        table.Get(2, nowMs: 1);
        table.Sweep(1);
        Assert.That(table.Count, Is.EqualTo(2));
        table.Sweep(1 + OverloadLimits.AddressSweepMs);
        Assert.That(table.Count, Is.EqualTo(1));
        Assert.That(table.Get(1, nowMs: 1), Is.SameAs(open));
        open.RemoveConnection();
        table.Sweep(1 + (2 * OverloadLimits.AddressSweepMs));
        Assert.That(table.Count, Is.Zero);
    }

    [Test]
    public void The_table_is_bounded()
    {
        var table = new AddressTable();
        for (ulong key = 1; key <= OverloadLimits.ClientAddressesMax; key++)
        {
            table.Get(key, 1);
        }

        var one = table.Get(ulong.MaxValue, 1);
        Assert.That(table.Get(ulong.MaxValue - 1, 1), Is.SameAs(one), "what does not fit shares an entry");
        Assert.That(table.Count, Is.EqualTo(OverloadLimits.ClientAddressesMax));
        Assert.That(table.Get(1, 1), Is.Not.SameAs(one));
    }
}
