namespace Spawngate.Protocols.Http2;

/// <summary>States of a stream (RFC 9113 section 5.1). Nothing is pushed here, so the reserved ones do not exist.</summary>
/// <remarks>
/// <code>
///  Idle ── HEADERS ──▶ Open ── END_STREAM received ──▶ HalfClosedRemote ── END_STREAM sent ──▶ Closed
///    └ HEADERS with END_STREAM ─────────────────────────▲                                        ▲
///                      Open ── END_STREAM sent ──────▶ HalfClosedLocal ── END_STREAM received ───┤
///                      any of them ── RST_STREAM, either way ────────────────────────────────────┘
/// </code>
/// </remarks>
public enum StreamState : byte
{
    /// <summary>Not used yet.</summary>
    Idle,

    /// <summary>Both sides may send.</summary>
    Open,

    /// <summary>The client is done.</summary>
    HalfClosedRemote,

    /// <summary>We are done.</summary>
    HalfClosedLocal,

    /// <summary>Nobody may send.</summary>
    Closed,
}

/// <summary>How a stream was closed.</summary>
public enum ClosedBy : byte
{
    /// <summary>It is not closed, or so long ago that it is forgotten, or was never used while a later one was.</summary>
    Unknown,

    /// <summary>Both sides sent END_STREAM.</summary>
    End,

    /// <summary>We reset it.</summary>
    LocalReset,

    /// <summary>The client reset it.</summary>
    PeerReset,
}

/// <summary>What to do with a frame.</summary>
public enum FrameVerdict : byte
{
    /// <summary>It is as it should be.</summary>
    Accept,

    /// <summary>It is allowed but means nothing.</summary>
    Ignore,

    /// <summary>Its stream is reset.</summary>
    StreamError,

    /// <summary>The connection ends.</summary>
    ConnectionError,
}

/// <summary>
/// The transitions of <see cref="StreamState"/>, and what each frame means in each state. What is not listed is a bug of the caller.
/// </summary>
public static class StreamRules
{
    /// <summary>HEADERS opened an idle stream.</summary>
    public static StreamState Opened(bool endStream) => endStream ? StreamState.HalfClosedRemote : StreamState.Open;

    /// <summary>The client sent END_STREAM.</summary>
    public static StreamState RemoteEnded(StreamState state) =>
        state switch
        {
            StreamState.Open => StreamState.HalfClosedRemote,
            StreamState.HalfClosedLocal => StreamState.Closed,
            _ => throw new InvalidOperationException($"the client cannot end a stream that is {state}"),
        };

    /// <summary>We sent END_STREAM.</summary>
    public static StreamState LocalEnded(StreamState state) =>
        state switch
        {
            StreamState.Open => StreamState.HalfClosedLocal,
            StreamState.HalfClosedRemote => StreamState.Closed,
            _ => throw new InvalidOperationException($"we cannot end a stream that is {state}"),
        };

    /// <summary>RST_STREAM was sent or received.</summary>
    public static StreamState Reset(StreamState state) =>
        state is StreamState.Open or StreamState.HalfClosedRemote or StreamState.HalfClosedLocal
            ? StreamState.Closed
            : throw new InvalidOperationException($"nobody can reset a stream that is {state}");

    /// <summary>True when we may send HEADERS and DATA.</summary>
    public static bool MaySend(StreamState state) => state is StreamState.Open or StreamState.HalfClosedRemote;

    /// <summary>What to do with a frame that the client sent (RFC 9113 section 5.1).</summary>
    /// <param name="type">HEADERS, DATA, PRIORITY, RST_STREAM or WINDOW_UPDATE.</param>
    /// <param name="state">State of its stream.</param>
    /// <param name="closedBy">How it was closed, if it is.</param>
    /// <param name="code">The error, if it is one.</param>
    public static FrameVerdict Judge(FrameType type, StreamState state, ClosedBy closedBy, out ErrorCode code)
    {
        code = ErrorCode.None;
        switch (type)
        {
            case FrameType.Priority:
                return state == StreamState.Closed ? FrameVerdict.Ignore : FrameVerdict.Accept;
            case FrameType.Headers or FrameType.Data:
                return state switch
                {
                    StreamState.Open or StreamState.HalfClosedLocal => FrameVerdict.Accept,
                    StreamState.Idle when type == FrameType.Headers => FrameVerdict.Accept,
                    StreamState.Idle => Fail(FrameVerdict.ConnectionError, ErrorCode.Protocol, out code),
                    StreamState.HalfClosedRemote => Fail(FrameVerdict.StreamError, ErrorCode.StreamClosed, out code),
                    _ => JudgeClosed(type, closedBy, out code),
                };
            default:
                return state switch
                {
                    StreamState.Idle => Fail(FrameVerdict.ConnectionError, ErrorCode.Protocol, out code),
                    StreamState.Closed => FrameVerdict.Ignore,
                    _ => FrameVerdict.Accept,
                };
        }
    }

    private static FrameVerdict JudgeClosed(FrameType type, ClosedBy closedBy, out ErrorCode code)
    {
        code = ErrorCode.None;
        switch (closedBy)
        {
            case ClosedBy.LocalReset:
                // Under way when we reset it.
                return FrameVerdict.Ignore;
            case ClosedBy.Unknown when type == FrameType.Headers:
                // RFC 9113 section 5.1.1: ids only grow.
                return Fail(FrameVerdict.ConnectionError, ErrorCode.Protocol, out code);
            case ClosedBy.End:
                return Fail(FrameVerdict.ConnectionError, ErrorCode.StreamClosed, out code);
            default:
                return Fail(
                    type == FrameType.Headers ? FrameVerdict.ConnectionError : FrameVerdict.StreamError,
                    ErrorCode.StreamClosed,
                    out code
                );
        }
    }

    private static FrameVerdict Fail(FrameVerdict verdict, ErrorCode error, out ErrorCode code)
    {
        code = error;
        return verdict;
    }
}
