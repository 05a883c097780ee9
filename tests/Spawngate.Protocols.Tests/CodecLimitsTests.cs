using System.Runtime.CompilerServices;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Tests;

/// <summary>What the comments of <see cref="CodecLimits"/> calculate and no compiler checks.</summary>
[TestFixture]
internal sealed class CodecLimitsTests
{
    private const int FieldOverhead = DynamicTable.EntryOverhead;
    private const int ResetBytes = FrameHeader.Size + 4;
    private const int PingBytes = FrameHeader.Size + 8;
    private const int GoAwayBytes = FrameHeader.Size + 8;

    [Test]
    public void Structures_have_the_sizes_that_tables_are_calculated_with() =>
        Assert.Multiple(() =>
        {
            Assert.That(Unsafe.SizeOf<DynamicTable.Entry>(), Is.EqualTo(32), nameof(CodecLimits.HpackEntriesMin));
            Assert.That(Unsafe.SizeOf<Http2Stream>(), Is.LessThanOrEqualTo(80), nameof(CodecLimits.StreamSlotsMin));
        });

    [Test]
    public void What_doubles_ends_at_its_bound() =>
        Assert.Multiple(() =>
        {
            Assert.That(CodecLimits.HpackTextBytesMin << 3, Is.EqualTo(2 * CodecLimits.HpackTableBytes));
            Assert.That(CodecLimits.HpackEntriesMin << 2, Is.EqualTo(CodecLimits.HpackTableBytes / FieldOverhead));
            Assert.That(CodecLimits.StreamSlotsMin << 5, Is.EqualTo(CodecLimits.StreamSlotsMax));
        });

    [Test]
    public void Control_frames_fit_as_many_times_as_is_said()
    {
        const int Room = CodecLimits.ControlBytesMax - CodecLimits.ControlReserveBytes;
        Assert.Multiple(() =>
        {
            Assert.That(Room / ResetBytes, Is.EqualTo(625));
            Assert.That(Room / PingBytes, Is.EqualTo(478));
            Assert.That(CodecLimits.ControlReserveBytes, Is.GreaterThanOrEqualTo(3 * GoAwayBytes));
        });
    }

    [Test]
    public void Header_blocks_are_bounded_by_what_peers_send()
    {
        const long LongestHead = 1024 * 1024;
        Assert.Multiple(() =>
        {
            Assert.That(
                1L << (7 * CodecLimits.HpackIntegerBytesMax),
                Is.GreaterThan(100 * LongestHead * CodecLimits.HeaderBlockFactor),
                "an integer is a hundred times the longest block"
            );
            Assert.That(CodecLimits.ContinuationFramesMax * 4096, Is.EqualTo(64 * 1024));
            Assert.That(64 * 1024 / CodecLimits.FrameBytes, Is.EqualTo(4), "full frames of the usual block");
            Assert.That(CodecLimits.ChunkSizeLineBytesMax, Is.GreaterThan(16), "digits of a size");
        });
    }

    [Test]
    public void Windows_and_floods_follow_from_the_streams() =>
        Assert.Multiple(() =>
        {
            Assert.That(CodecLimits.StreamWindowBytes, Is.EqualTo(65_536));
            Assert.That(CodecLimits.StreamSlotsMax, Is.GreaterThan(CodecLimits.ConcurrentStreamsMax).And.LessThan(short.MaxValue));
            Assert.That(CodecLimits.SettingsCost, Is.LessThan(CodecLimits.IdleFrameBurst));
        });
}
