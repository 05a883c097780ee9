using System.Buffers.Binary;
using Spawngate.Logging;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Takes the two output streams of a container out of the one that the engine sends, in pieces of any length. Nothing is kept of a payload,
/// however long its frame says it is.
/// <code>
///   0        1    4                  8
///  ┌────────┬────┬──────────────────┬─────────┐
///  │ stream │ 0  │ length, big end. │ payload │     stream: 0 stdin, 1 stdout, 2 stderr, 3 a message of the engine
///  └────────┴────┴──────────────────┴─────────┘
/// </code>
/// </summary>
internal sealed class OutputFrames(LineSplitter stdout, LineSplitter stderr)
{
    private const int HeadBytes = 8;
    private const int LengthAt = 4;
    private const int Streams = 4;

    private readonly byte[] _head = new byte[HeadBytes];
    private int _headBytes;
    private long _left;

    /// <summary>Takes the next bytes. False when they are no frames: then nothing that follows can be understood either.</summary>
    public bool Take(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_left > 0)
            {
                var part = bytes[..(int)Math.Min(_left, bytes.Length)];
                LinesOf(_head[0]).Feed(part);
                _left -= part.Length;
                bytes = bytes[part.Length..];
                continue;
            }

            var missing = Math.Min(HeadBytes - _headBytes, bytes.Length);
            bytes[..missing].Span.CopyTo(_head.AsSpan(_headBytes));
            bytes = bytes[missing..];
            _headBytes += missing;
            if (_headBytes == HeadBytes && !BeginPayload())
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The stream has ended: unfinished lines are lines.</summary>
    public void Complete()
    {
        stdout.Complete();
        stderr.Complete();
    }

    private bool BeginPayload()
    {
        _headBytes = 0;
        _left = BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(LengthAt));
        return _head[0] < Streams && _head.AsSpan(1, LengthAt - 1).IndexOfAnyExcept((byte)0) < 0;
    }

    private LineSplitter LinesOf(byte stream) => stream <= 1 ? stdout : stderr;
}
