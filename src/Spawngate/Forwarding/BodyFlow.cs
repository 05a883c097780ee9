using System.Runtime.CompilerServices;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>How a body transfer ended.</summary>
internal enum PumpOutcome : byte
{
    /// <summary>The whole body has been sent on.</summary>
    Complete,

    /// <summary>The source ended or failed before the body did.</summary>
    SourceCut,

    /// <summary>The source's framing is broken.</summary>
    SourceBroken,

    /// <summary>The sink does not take bytes any more.</summary>
    SinkFailed,
}

/// <summary>Told whenever a body moved, to put deadlines off.</summary>
internal interface IProgressWatch
{
    /// <summary>Bytes were received or sent.</summary>
    void OnProgress();
}

/// <summary>
/// How far one body is on its way from one connection to another: what <see cref="BodyPump"/>, which copies, and <see cref="BodySplice"/>,
/// which does not, have to know of each other's work. One of them at a time goes on with it.
/// </summary>
internal abstract class BodyFlow(IProgressWatch progress)
{
    private const int NotWaiting = 0;
    private const int Waiting = 1;
    private const int WaitingBetweenChunks = 2;
    private const int Probing = 3;

    /// <summary>Where its bytes arrive.</summary>
    internal SocketChannel Source = null!;

    /// <summary>Where they go.</summary>
    internal SocketChannel Sink = null!;

    /// <summary>Its framing at the source, as far as it was read.</summary>
    internal BodyReader Reader;

    /// <summary>True to send it chunked.</summary>
    internal bool ChunkedOut;

    /// <summary>True while the CRLF that ends the last chunk is still to be sent.</summary>
    internal bool OwesCrlf;

    /// <summary>True once its sender has shown to be faster than a small buffer.</summary>
    internal bool Large;

    /// <summary>True when the last receive filled the buffer.</summary>
    internal bool Filled;

    /// <summary>How often in a row little came at once.</summary>
    internal int LittleInARow;

    /// <summary>
    /// True when the source may keep the next piece until the last is acknowledged, and is not sent anything that would do that.
    /// </summary>
    internal bool Acknowledges;

    /// <summary>Bytes since others had a turn.</summary>
    internal int TurnBytes;

    private volatile bool _isDiscarding;
    private int _wait;

    /// <summary>True when the whole body has been read from the source.</summary>
    public bool IsSourceComplete => Reader.IsComplete;

    /// <summary>Bytes of this body so far, without any framing.</summary>
    public long BodyBytes => Reader.Taken;

    /// <summary>Bytes of this body that went from kernel to kernel.</summary>
    public long SplicedBytes { get; internal set; }

    /// <summary>True while it waits for the source to send more, rather than for the sink to take it.</summary>
    public bool AwaitsSource => Volatile.Read(ref _wait) != NotWaiting;

    /// <summary>From now on the rest is read and thrown away: its receiver does not want it any more.</summary>
    public void Discard() => _isDiscarding = true;

    /// <summary>True when the rest is read and thrown away.</summary>
    internal bool IsDiscarding => _isDiscarding;

    /// <summary>
    /// Sends a byte ahead of the next chunk, from any thread, to see whether the sink is still there: a zero in front of its size, which
    /// may have any number of them, the last chunk's too (RFC 9112 section 7.1). False when the connection is over; null when nothing could
    /// be sent, because no chunk is about to begin.
    /// </summary>
    public bool? ProbeSink()
    {
        if (Interlocked.CompareExchange(ref _wait, Probing, WaitingBetweenChunks) != WaitingBetweenChunks)
        {
            return null;
        }

        bool? sent = Sink.TrySendAhead((byte)'0');
        Volatile.Write(ref _wait, WaitingBetweenChunks);
        return sent;
    }

    /// <summary>True when frames are to be read or written.</summary>
    public bool IsFramed => ChunkedOut || Reader.Kind == BodyKind.Chunked;

    /// <summary>Gives others a turn after so many bytes.</summary>
    internal ValueTask TakeTurnAsync(int moved)
    {
        TurnBytes += moved;
        if (TurnBytes < ForwardingLimits.PumpTurnBytes)
        {
            return default;
        }

        TurnBytes = 0;
        return YieldAsync();

        static async ValueTask YieldAsync() => await EventLoop.NextTurn();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal async ValueTask<bool> FlushAsync(bool more = false)
    {
        int sent = await Sink.FlushAsync(more).ConfigureAwait(false);
        Sink.ReleaseOutgoing();
        return sent >= 0;
    }

    /// <summary>
    /// True when the chunk that the source sent has come to its end, and has none here yet. In the middle of one the end waits for the next
    /// frame.
    /// </summary>
    internal bool OwesEndOfChunk => OwesCrlf && !IsDiscarding && (Reader.Kind != BodyKind.Chunked || Reader.DataBytes == 0);

    internal ValueTask<bool> FlushOwedAsync()
    {
        WriteOwed();
        return FlushAsync();
    }

    internal void WriteOwed()
    {
        if (OwesCrlf)
        {
            Sink.Write("\r\n"u8);
            OwesCrlf = false;
        }
    }

    /// <summary>What waits for more of the source goes on waiting, and the source hears at once that what it sent has come.</summary>
    internal ValueTask<int> AcknowledgedAsync(ValueTask<int> receiving)
    {
        if (Acknowledges && !receiving.IsCompleted)
        {
            Source.AcknowledgeNow();
        }

        return receiving;
    }

    /// <summary>The source has to send more. What the sink was sent is whole, but for a chunk of the source that goes on.</summary>
    internal void BeginWait() =>
        Volatile.Write(ref _wait, ChunkedOut && !OwesCrlf && !IsDiscarding && Sink.OutgoingLength == 0 ? WaitingBetweenChunks : Waiting);

    internal void EndWait()
    {
        var spin = default(SpinWait);
        while (Volatile.Read(ref _wait) != Waiting && Interlocked.CompareExchange(ref _wait, NotWaiting, WaitingBetweenChunks) == Probing)
        {
            spin.SpinOnce(sleep1Threshold: -1); // Within a send that does not wait.
        }

        Volatile.Write(ref _wait, NotWaiting);
    }

    /// <summary>Bytes moved: deadlines are put off.</summary>
    internal void OnProgress() => progress.OnProgress();

    /// <summary>Prepares for a body.</summary>
    protected void BeginFlow(SocketChannel source, BodyReader reader, SocketChannel sink, bool chunkedOut)
    {
        Source = source;
        Sink = sink;
        Reader = reader;
        ChunkedOut = chunkedOut;
        OwesCrlf = Large = Filled = _isDiscarding = false;
        TurnBytes = LittleInARow = 0;
        SplicedBytes = 0;
    }
}
