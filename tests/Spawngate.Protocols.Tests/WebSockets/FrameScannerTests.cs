using System.Buffers.Binary;
using Spawngate.Protocols.WebSockets;

namespace Spawngate.Protocols.Tests.WebSockets;

/// <summary>Frames are told apart however their bytes are cut.</summary>
internal sealed class FrameScannerTests
{
    private const int Rounds = 3000;

    [TestCase(0x0, true)]
    [TestCase(0x1, true)]
    [TestCase(0x2, true)]
    [TestCase(0x3, true)]
    [TestCase(0x7, true)]
    [TestCase(0x8, false)]
    [TestCase(0x9, false)]
    [TestCase(0xA, false)]
    [TestCase(0xB, false)]
    [TestCase(0xF, false)]
    public void Text_binary_and_continuation_are_data_and_control_frames_are_none(int opcode, bool isData)
    {
        var scanner = default(FrameScanner);
        Assert.That(scanner.Scan(Frame(opcode, 5, masked: true)), Is.EqualTo(isData));
        Assert.That((scanner.IsBetweenFrames, scanner.HasClose), Is.EqualTo((true, opcode == 8)));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(125)]
    [TestCase(126)]
    [TestCase(65535)]
    [TestCase(65536)]
    public void Every_way_to_write_a_length_is_followed_at_every_cut_of_the_head(int length)
    {
        foreach (var masked in new[] { false, true })
        {
            // A data frame, and behind it one that is none: a length that is off by one would take the second for something else.
            byte[] bytes = [.. Frame(0x1, length, masked), .. Frame(0x9, 3, masked)];
            int begin = bytes.Length - Frame(0x9, 3, masked).Length;
            for (int cut = 0; cut <= Math.Min(20, bytes.Length); cut++)
            {
                var scanner = default(FrameScanner);
                bool first = scanner.Scan(bytes.AsSpan(0, cut));
                bool second = scanner.Scan(bytes.AsSpan(cut));
                Assert.That((first, second), Is.EqualTo((cut > 0, cut < begin)), $"{length} bytes, masked {masked}, cut at {cut}");
                Assert.That(scanner.IsBetweenFrames, Is.True);
            }
        }
    }

    [Test]
    public void Random_frames_cut_at_random_are_told_apart_byte_by_byte()
    {
        var random = new Random(17);
        for (int round = 0; round < Rounds; round++)
        {
            var bytes = new List<byte>();
            var isData = new List<bool>();
            var ends = new HashSet<int> { 0 };
            for (int frames = random.Next(1, 12); frames > 0; frames--)
            {
                int opcode = new[] { 0, 1, 2, 9, 10 }[random.Next(5)];
                int length = random.Next(4) switch
                {
                    0 => 0,
                    1 => random.Next(126),
                    2 => random.Next(126, 400),
                    _ => opcode < 8 ? random.Next(65_500, 65_600) : 125,
                };
                byte[] frame = Frame(opcode, length, random.Next(2) == 0, random);
                bytes.AddRange(frame);
                isData.AddRange(Enumerable.Repeat(opcode < 8, frame.Length));
                ends.Add(bytes.Count);
            }

            var all = bytes.ToArray();
            var scanner = default(FrameScanner);
            for (int at = 0; at < all.Length; )
            {
                int count = Math.Min(all.Length - at, random.Next(3) == 0 ? random.Next(1, 5) : random.Next(1, 70_000));
                bool expected = isData.Skip(at).Take(count).Contains(true);
                Assert.That(scanner.Scan(all.AsSpan(at, count)), Is.EqualTo(expected), $"round {round}, {count} bytes at {at}");
                at += count;
                Assert.That(scanner.IsBetweenFrames, Is.EqualTo(ends.Contains(at)), $"round {round}, at {at}");
            }
        }
    }

    [Test]
    public void A_length_that_no_frame_has_makes_everything_count_as_data()
    {
        var scanner = default(FrameScanner);
        byte[] head = [0x89, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
        scanner.Scan(head);
        Assert.That(scanner.IsBetweenFrames, Is.False);
        Assert.That(scanner.Scan(Frame(0x9, 0, masked: false)), Is.True);
        Assert.That(scanner.IsBetweenFrames, Is.False);
    }

    [Test]
    public void The_longest_frame_there_can_be_is_followed()
    {
        var scanner = default(FrameScanner);
        Assert.That(scanner.Scan([0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), Is.True);
        Assert.That(scanner.Scan(new byte[100_000]), Is.True);
        Assert.That((scanner.IsBetweenFrames, scanner.HasClose), Is.EqualTo((false, false)));
    }

    [Test]
    public void Any_bytes_at_all_are_taken()
    {
        var random = new Random(6455);
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = new byte[random.Next(1, 300)];
            random.NextBytes(bytes);
            var whole = default(FrameScanner);
            bool any = whole.Scan(bytes);
            var single = default(FrameScanner);
            bool anySingle = false;
            foreach (byte value in bytes)
            {
                anySingle |= single.Scan([value]);
            }

            Assert.That(
                (anySingle, single.IsBetweenFrames, single.HasClose),
                Is.EqualTo((any, whole.IsBetweenFrames, whole.HasClose)),
                Convert.ToHexString(bytes)
            );
        }
    }

    private static byte[] Frame(int opcode, int length, bool masked, Random? random = null)
    {
        var head = new byte[14];
        head[0] = (byte)(0x80 | opcode);
        int at = 2;
        if (length < 126)
        {
            head[1] = (byte)length;
        }
        else if (length < 65_536)
        {
            head[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(2), (ushort)length);
            at = 4;
        }
        else
        {
            head[1] = 127;
            BinaryPrimitives.WriteUInt64BigEndian(head.AsSpan(2), (ulong)length);
            at = 10;
        }

        if (masked)
        {
            head[1] |= 0x80;
            at += 4;
        }

        byte[] payload = new byte[length];
        random?.NextBytes(payload);
        return [.. head.AsSpan(0, at), .. payload];
    }
}
