using System.Net;
using Docker.DotNet.Handler.Abstractions;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// An answer that goes on: events, output, the progress of a pull. What follows a read runs on the thread pool, not on the threads that the
/// proxy's sockets complete on. Nothing is written to it.
/// </summary>
/// <param name="inner">What arrives.</param>
/// <param name="lines">Bounds its messages; null for what is no messages.</param>
internal sealed class EngineStream(Stream inner, MessageLines? lines) : WriteClosableStream
{
    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override bool CanCloseWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidDataException">What arrives is not one message a line, or one that is too long.</exception>
    /// <exception cref="IOException">The stream has ended within a message.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var reading = inner.ReadAsync(buffer, cancellationToken);
        var isThere = reading.IsCompleted;
        var read = await reading.ConfigureAwait(false);
        if (!isThere)
        {
            await Task.Yield();
        }

        if (lines?.Take(buffer.Span[..read]) is { } error)
        {
            throw new InvalidDataException(error);
        }

        if (read == 0 && !buffer.IsEmpty && lines is { IsBetween: false })
        {
            throw new EndOfStreamException();
        }

        return read;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Flush() { }

    /// <inheritdoc/>
    public override void CloseWrite() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}

/// <summary>The content of an answer that goes on: read as it comes, never kept.</summary>
internal sealed class EngineStreamContent(EngineStream stream) : HttpContent
{
    /// <inheritdoc/>
    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(stream);

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            stream.Dispose();
        }

        base.Dispose(disposing);
    }
}
