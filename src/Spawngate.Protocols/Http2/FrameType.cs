namespace Spawngate.Protocols.Http2;

/// <summary>Frame types (RFC 9113 section 6, RFC 9218 section 7.1).</summary>
public enum FrameType : byte
{
    /// <summary>DATA (RFC 9113 section 6.1).</summary>
    Data = 0,

    /// <summary>HEADERS (RFC 9113 section 6.2).</summary>
    Headers = 1,

    /// <summary>PRIORITY (RFC 9113 section 6.3).</summary>
    Priority = 2,

    /// <summary>RST_STREAM (RFC 9113 section 6.4).</summary>
    ResetStream = 3,

    /// <summary>SETTINGS (RFC 9113 section 6.5).</summary>
    Settings = 4,

    /// <summary>PUSH_PROMISE (RFC 9113 section 6.6): never from a client.</summary>
    PushPromise = 5,

    /// <summary>PING (RFC 9113 section 6.7).</summary>
    Ping = 6,

    /// <summary>GOAWAY (RFC 9113 section 6.8).</summary>
    GoAway = 7,

    /// <summary>WINDOW_UPDATE (RFC 9113 section 6.9).</summary>
    WindowUpdate = 8,

    /// <summary>CONTINUATION (RFC 9113 section 6.10).</summary>
    Continuation = 9,

    /// <summary>PRIORITY_UPDATE (RFC 9218 section 7.1).</summary>
    PriorityUpdate = 16,
}

/// <summary>Frame flags; which mean something depends on the type.</summary>
[Flags]
public enum FrameFlags : byte
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>DATA, HEADERS: the sender is done with the stream.</summary>
    EndStream = 0x1,

    /// <summary>SETTINGS, PING: an acknowledgement.</summary>
    Ack = 0x1,

    /// <summary>HEADERS, CONTINUATION: the header block ends.</summary>
    EndHeaders = 0x4,

    /// <summary>DATA, HEADERS: padded.</summary>
    Padded = 0x8,

    /// <summary>HEADERS: priority fields are there.</summary>
    Priority = 0x20,
}

/// <summary>Error codes (RFC 9113 section 7).</summary>
public enum ErrorCode : uint
{
    /// <summary>NO_ERROR.</summary>
    None = 0,

    /// <summary>PROTOCOL_ERROR.</summary>
    Protocol = 1,

    /// <summary>INTERNAL_ERROR.</summary>
    Internal = 2,

    /// <summary>FLOW_CONTROL_ERROR.</summary>
    FlowControl = 3,

    /// <summary>SETTINGS_TIMEOUT.</summary>
    SettingsTimeout = 4,

    /// <summary>STREAM_CLOSED.</summary>
    StreamClosed = 5,

    /// <summary>FRAME_SIZE_ERROR.</summary>
    FrameSize = 6,

    /// <summary>REFUSED_STREAM.</summary>
    RefusedStream = 7,

    /// <summary>CANCEL.</summary>
    Cancel = 8,

    /// <summary>COMPRESSION_ERROR.</summary>
    Compression = 9,

    /// <summary>CONNECT_ERROR.</summary>
    Connect = 10,

    /// <summary>ENHANCE_YOUR_CALM.</summary>
    EnhanceYourCalm = 11,

    /// <summary>INADEQUATE_SECURITY.</summary>
    InadequateSecurity = 12,

    /// <summary>HTTP_1_1_REQUIRED.</summary>
    Http11Required = 13,
}

/// <summary>Settings (RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1).</summary>
public enum SettingId : ushort
{
    /// <summary>SETTINGS_HEADER_TABLE_SIZE.</summary>
    HeaderTableSize = 1,

    /// <summary>SETTINGS_ENABLE_PUSH.</summary>
    EnablePush = 2,

    /// <summary>SETTINGS_MAX_CONCURRENT_STREAMS.</summary>
    MaxConcurrentStreams = 3,

    /// <summary>SETTINGS_INITIAL_WINDOW_SIZE.</summary>
    InitialWindowSize = 4,

    /// <summary>SETTINGS_MAX_FRAME_SIZE.</summary>
    MaxFrameSize = 5,

    /// <summary>SETTINGS_MAX_HEADER_LIST_SIZE.</summary>
    MaxHeaderListSize = 6,

    /// <summary>SETTINGS_ENABLE_CONNECT_PROTOCOL.</summary>
    EnableConnectProtocol = 8,

    /// <summary>SETTINGS_NO_RFC7540_PRIORITIES.</summary>
    NoRfc7540Priorities = 9,
}
