namespace Spawngate.Protocols;

/// <summary>Bounds that belong to a wire format rather than to a configuration, each with its reason.</summary>
public static class CodecLimits
{
    /// <summary>
    /// Longest chunk-size line: 16 hex digits and the extensions some clients add; nobody needs more, and it bounds what a peer can make us
    /// hold.
    /// </summary>
    public const int ChunkSizeLineBytesMax = 256;

    /// <summary>Longest trailer section: a few signatures and timings; a head may have 32 KiB, trailers are an afterthought.</summary>
    public const int TrailerBytesMax = 8192;

    /// <summary>
    /// Most options in all Connection fields together: each is compared with each field, so 32 of them with 100 fields cost microseconds;
    /// senders use two.
    /// </summary>
    public const int ConnectionOptionsMax = 32;

    // HTTP/2 (RFC 9113) and HPACK (RFC 7541)

    /// <summary>
    /// Longest frame payload we accept: SETTINGS_MAX_FRAME_SIZE at its default and minimum, 16 KiB; larger frames would only make one
    /// stream block the others.
    /// </summary>
    public const int FrameBytes = 16_384;

    /// <summary>
    /// Size of both dynamic tables: the default of SETTINGS_HEADER_TABLE_SIZE; 4 KiB hold some 60 fields, what a site repeats.
    /// </summary>
    public const int HpackTableBytes = 4096;

    /// <summary>
    /// Bytes of an HPACK integer behind its prefix: 4 × 7 = 28 bits, 268 million, a hundred times the longest header block.
    /// </summary>
    public const int HpackIntegerBytesMax = 4;

    /// <summary>What a field may take in HPACK besides its bytes: index and two lengths, at most 5 bytes each, and one byte more.</summary>
    public const int HpackFieldOverheadBytes = (3 * (1 + HpackIntegerBytesMax)) + 1;

    /// <summary>
    /// Decoder's own buffer for Huffman text: blocks of up to 640 bytes, nearly all requests, need no other, since
    /// the shortest code has five bits; 1 KiB per connection.
    /// </summary>
    public const int HpackScratchBytesMax = 640 * 8 / 5;

    /// <summary>
    /// First size of a table's text: some 30 short fields; doubles up to 8 KiB, twice the table, so that it is moved once in 4 KiB.
    /// </summary>
    public const int HpackTextBytesMin = 1024;

    /// <summary>
    /// Entries of a table at first, a power of two: 32 × 32 bytes; doubles up to 128, as many as 4 KiB can hold at 32 each.
    /// </summary>
    public const int HpackEntriesMin = 32;

    /// <summary>Longest name of a table entry that is parked on the stack while the table moves: as long as the table, 4 KiB.</summary>
    public const int HpackParkedNameBytesMax = HpackTableBytes;

    /// <summary>
    /// Header block in terms of the allowed head: coded fields are shorter than written ones, so twice (64 KiB by default) is reached by
    /// nothing honest.
    /// </summary>
    public const int HeaderBlockFactor = 2;

    /// <summary>
    /// CONTINUATION frames of one header block: 64 KiB in pieces of 4 KiB; senders use full frames, which would be four (CVE-2024-27316).
    /// </summary>
    public const int ContinuationFramesMax = 16;

    /// <summary>First size of a request head's bytes: most requests with their cookies fit; grows to the allowed head.</summary>
    public const int HeadBufferBytes = 2048;

    /// <summary>
    /// Streams a client may have open: as the settings in http2.md say; browsers use up to 100, load testers ask for more.
    /// </summary>
    public const int ConcurrentStreamsMax = 250;

    /// <summary>
    /// Slots for streams: six more than announced, for exchanges that wind down after a reset while the client opens the next.
    /// </summary>
    public const int StreamSlotsMax = ConcurrentStreamsMax + 6;

    /// <summary>Slots at first: a table of 8 × 80 bytes, enough for most clients; doubles up to <see cref="StreamSlotsMax"/>.</summary>
    public const int StreamSlotsMin = 8;

    /// <summary>
    /// Closed streams whose end is remembered: half the slots; frames under way when a stream ends arrive within a round trip.
    /// </summary>
    public const int ClosedStreamsMax = StreamSlotsMax / 2;

    /// <summary>
    /// Receive window of a stream: what one stalled upload can make us hold, 64 KiB as with HTTP/1.1; at 10 ms round trip still 6.5 MB/s.
    /// </summary>
    public const int StreamWindowBytes = 65_536;

    /// <summary>Receive window of a connection: four stalled uploads, 256 KiB, the most a connection can make us hold.</summary>
    public const int ConnectionWindowBytes = 4 * StreamWindowBytes;

    /// <summary>
    /// Answers of the protocol that wait to be sent: 625 resets or 478 pings; a client that causes more without reading is cut
    /// (CVE-2019-9512, CVE-2019-9515).
    /// </summary>
    public const int ControlBytesMax = 8192;

    /// <summary>Part of <see cref="ControlBytesMax"/> kept free for the last word, a GOAWAY of 17 bytes, and two more.</summary>
    public const int ControlReserveBytes = 64;

    /// <summary>Most bytes of a PRIORITY_UPDATE that are looked at: "u=7, i" has 6; extensions may add to it.</summary>
    public const int PriorityFieldBytesMax = 256;

    /// <summary>
    /// PRIORITY_UPDATE frames kept for streams that are not open yet: they come just before their request (RFC 9218 section 7.1 asks for a
    /// bound).
    /// </summary>
    public const int EarlyPrioritiesMax = 8;

    /// <summary>
    /// Resets at once: four times the announced streams, each some 100 µs of lost backend work, 0.1 s in all (CVE-2023-44487,
    /// CVE-2025-8671).
    /// </summary>
    public const int ResetBurst = 4 * ConcurrentStreamsMax;

    /// <summary>Resets a second in the long run: 33 × 100 µs = 0.3 % of a core.</summary>
    public const int ResetsPerSecond = 33;

    /// <summary>Frames at once that move nothing forward: at under 1 µs each a millisecond of work (CVE-2019-9511 to 9518).</summary>
    public const int IdleFrameBurst = 1000;

    /// <summary>Such frames a second in the long run: below 0.01 % of a core, and far above what keep-alives and probes need.</summary>
    public const int IdleFramesPerSecond = 100;

    /// <summary>
    /// What a SETTINGS frame counts among the idle frames: it may change the windows of 250 streams, about 1 µs, and wants an answer.
    /// </summary>
    public const int SettingsCost = 10;

    /// <summary>Idle frames that a request earns: its client may ping, change priorities and acknowledge.</summary>
    public const int IdleFramesPerRequest = 8;

    /// <summary>Idle frames that a DATA frame sent earns: a WINDOW_UPDATE each for stream and connection.</summary>
    public const int IdleFramesPerData = 2;

    /// <summary>
    /// DATA bytes, either way, that earn an idle frame: at 512 a window opened byte by byte costs 512 times what it earns.
    /// </summary>
    public const int DataBytesPerIdleFrame = 512;

    /// <summary>
    /// Name of a response field that is put into lower case on the stack; the longest in use have some 40 bytes, longer ones cost an
    /// allocation.
    /// </summary>
    public const int LowerNameBytes = 256;
}
