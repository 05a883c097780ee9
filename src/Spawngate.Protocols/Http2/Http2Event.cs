namespace Spawngate.Protocols.Http2;

/// <summary>What <see cref="Http2Session.Read"/> found.</summary>
public enum Http2EventKind : byte
{
    /// <summary>More bytes are needed. What was not consumed has to be given again with them.</summary>
    NeedMore,

    /// <summary>
    /// A request: its head has been filled in, its bytes are <see cref="Http2Session.HeadBytes"/>; <see cref="Http2Event.EndStream"/> when
    /// it has no body.
    /// </summary>
    Request,

    /// <summary>
    /// A request that is to be answered with an error like over HTTP/1.1: the head's fault says which. The stream has a slot like any
    /// other.
    /// </summary>
    RequestRefused,

    /// <summary>Data of a body, or of a tunnel: a slice of the input, perhaps empty with <see cref="Http2Event.EndStream"/>.</summary>
    Data,

    /// <summary>The body has ended with trailers: <see cref="Http2Session.HeadBytes"/> are their lines, each with CRLF.</summary>
    Trailers,

    /// <summary>
    /// The stream is gone: reset by the client, or by the session because of the client's fault. The slot is kept until
    /// <see cref="Http2Session.Release"/>.
    /// </summary>
    StreamReset,

    /// <summary>A stream, or with slot -1 the connection, may send again.</summary>
    WindowOpened,

    /// <summary>The priority of a stream changed.</summary>
    PriorityChanged,

    /// <summary>A stream was refused or reset that has no slot: for the log.</summary>
    StreamRefused,

    /// <summary>The client's settings were taken up. Windows may have opened.</summary>
    Settings,

    /// <summary>The client answered a ping: <see cref="Http2Event.Opaque"/>.</summary>
    PingAck,

    /// <summary>The client will open no more streams.</summary>
    GoAway,

    /// <summary>The connection is to end: write what waits (a GOAWAY is last) and close. Every later call gives this again.</summary>
    ConnectionError,
}

/// <summary>One event of a connection.</summary>
public struct Http2Event
{
    /// <summary>Slot of its stream, or -1.</summary>
    public int Slot { get; internal set; }

    /// <summary>Id of its stream, or 0.</summary>
    public int StreamId { get; internal set; }

    /// <summary>True when the client is done with the stream.</summary>
    public bool EndStream { get; internal set; }

    /// <summary>Of a reset: true when the client sent it.</summary>
    public bool ByPeer { get; internal set; }

    /// <summary>Of a request: true for an extended CONNECT, whose data is a tunnel's (RFC 8441).</summary>
    public bool IsTunnel { get; internal set; }

    /// <summary>Offset of the slice in the input given to this call.</summary>
    public int Start { get; internal set; }

    /// <summary>Length of the slice.</summary>
    public int Length { get; internal set; }

    /// <summary>Error code of a reset, GOAWAY, or connection error.</summary>
    public ErrorCode Code { get; internal set; }

    /// <summary>Of a reset by the session: what was malformed, if it was that.</summary>
    public MalformedReason Malformed { get; internal set; }

    /// <summary>Opaque data of a ping.</summary>
    public ulong Opaque { get; internal set; }
}
