using System.Buffers.Binary;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>The output of a container without a terminal: stdout and stderr as one stream, without the 8 bytes before each piece.</summary>
internal sealed class DemultiplexedStream(Stream multiplexed) : Stream
{
    private readonly byte[] _head = new byte[8];
    private long _left;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_left == 0)
        {
            if (await multiplexed.ReadAtLeastAsync(_head, _head.Length, throwOnEndOfStream: false, cancellationToken) < _head.Length)
            {
                return 0;
            }

            _left = BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(4));
        }

        int count = await multiplexed.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _left)], cancellationToken);
        _left -= count;
        return count;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        multiplexed.Dispose();
        base.Dispose(disposing);
    }
}
