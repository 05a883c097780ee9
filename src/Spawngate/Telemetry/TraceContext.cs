using Spawngate.Platform;
using Spawngate.Protocols.Http1;

namespace Spawngate.Telemetry;

/// <summary>
/// The trace that a request belongs to (W3C Trace Context): read from its <c>traceparent</c>, or begun here.
/// <code>
///   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
///   └ version  └ trace id, 16 bytes     └ parent, 8 bytes └ flags; bit 0: sampled
/// </code>
/// Belongs to a <see cref="RequestNote"/> and is used again.
/// </summary>
internal sealed class TraceContext
{
    /// <summary>Length of the field's value in version 00.</summary>
    public const int HeaderBytes = 55;

    private const int TraceIdAt = 3;
    private const int ParentAt = 36;
    private const int FlagsAt = 53;
    private readonly byte[] _header = new byte[HeaderBytes];
    private readonly byte[] _parent = new byte[16];
    private bool _hasParent;

    /// <summary>Whether a span of ours is recorded: our own trace, or one whose caller wants it.</summary>
    public bool IsSampled { get; private set; }

    /// <summary>Whether the client's <c>tracestate</c> belongs to it.</summary>
    public bool KeepsState => _hasParent;

    /// <summary>What the backend is told; empty when it is what the client said.</summary>
    public ReadOnlySpan<byte> Header => IsSampled ? _header : default;

    /// <summary>The trace's id in hexadecimal.</summary>
    public ReadOnlySpan<byte> TraceId => _header.AsSpan(TraceIdAt, 32);

    /// <summary>The id of our span in hexadecimal.</summary>
    public ReadOnlySpan<byte> SpanId => _header.AsSpan(ParentAt, 16);

    /// <summary>The id of the caller's span in hexadecimal; empty when the trace begins here.</summary>
    public ReadOnlySpan<byte> Parent => _hasParent ? _parent : default;

    /// <summary>Continues the trace of a request, or begins one.</summary>
    public void Begin(RequestHead request, ReadOnlySpan<byte> head, TraceIds ids)
    {
        _hasParent = false;
        int found = 0;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.None && IsTraceParent(field.Name(head)))
            {
                // More than one is as good as none: nobody could tell which is meant.
                _hasParent = ++found == 1 && TryContinue(field.Value(head));
            }
        }

        if (!_hasParent)
        {
            "00-"u8.CopyTo(_header);
            ids.WriteTraceId(_header.AsSpan(TraceIdAt, 32));
            "-0000000000000000-01"u8.CopyTo(_header.AsSpan(ParentAt - 1));
        }

        // A caller that does not record has no use for a span of ours between itself and the backend.
        IsSampled = (HexValue(_header[FlagsAt + 1]) & 1) != 0;
        if (IsSampled)
        {
            ids.WriteSpanId(_header.AsSpan(ParentAt, 16));
        }
    }

    /// <summary>Whether a field is <c>traceparent</c>.</summary>
    public static bool IsTraceParent(ReadOnlySpan<byte> name) => name.Length == 11 && Grammar.EqualsIgnoreCase(name, "traceparent"u8);

    /// <summary>Whether a field is <c>tracestate</c>.</summary>
    public static bool IsTraceState(ReadOnlySpan<byte> name) => name.Length == 10 && Grammar.EqualsIgnoreCase(name, "tracestate"u8);

    /// <summary>Takes over what the caller said. A version after 00 may have more behind; what is known of it stays the same.</summary>
    private bool TryContinue(ReadOnlySpan<byte> value)
    {
        if (
            value.Length < HeaderBytes
            || value[2] != '-'
            || value[35] != '-'
            || value[52] != '-'
            || !IsHex(value[..2])
            || value.StartsWith("ff"u8)
        )
        {
            return false;
        }

        bool isFirstVersion = value.StartsWith("00"u8);
        if (isFirstVersion ? value.Length != HeaderBytes : value.Length > HeaderBytes && value[HeaderBytes] != '-')
        {
            return false;
        }

        var traceId = value.Slice(TraceIdAt, 32);
        var parent = value.Slice(ParentAt, 16);
        if (!IsId(traceId) || !IsId(parent) || !IsHex(value.Slice(FlagsAt, 2)))
        {
            return false;
        }

        value[..HeaderBytes].CopyTo(_header);
        "00"u8.CopyTo(_header);
        parent.CopyTo(_parent);

        // The two flags that version 00 knows: sampled, and random trace id.
        _header[FlagsAt] = (byte)'0';
        _header[FlagsAt + 1] = (byte)('0' + (HexValue(value[FlagsAt + 1]) & 3));
        return true;
    }

    private static bool IsId(ReadOnlySpan<byte> hex) => IsHex(hex) && hex.ContainsAnyExcept((byte)'0');

    private static bool IsHex(ReadOnlySpan<byte> hex) => !hex.ContainsAnyExcept("0123456789abcdef"u8);

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/// <summary>
/// Makes ids that differ from each other and from those of any other process: a counter, mixed with random bytes of this process. That
/// costs no system call.
/// </summary>
internal sealed class TraceIds
{
    private readonly ulong _high;
    private readonly ulong _low;
    private readonly ulong _span;
    private long _counter;

    /// <summary>Takes random bytes once.</summary>
    public TraceIds()
    {
        Span<byte> random = stackalloc byte[24];
        Entropy.Fill(random);
        _high = BitConverter.ToUInt64(random);
        _low = BitConverter.ToUInt64(random[8..]);
        _span = BitConverter.ToUInt64(random[16..]);
    }

    /// <summary>Writes a trace's id as 32 digits.</summary>
    public void WriteTraceId(Span<byte> target)
    {
        ulong number = (ulong)Interlocked.Increment(ref _counter);
        WriteHex(target[..16], Mix(_high + number));
        WriteHex(target[16..], Mix(_low + number) | 1);
    }

    /// <summary>Writes a span's id as 16 digits.</summary>
    public void WriteSpanId(Span<byte> target)
    {
        ulong id = Mix(_span + (ulong)Interlocked.Increment(ref _counter));
        WriteHex(target, id == 0 ? 1 : id);
    }

    /// <summary>
    /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): different numbers in, different numbers out, and neighbours look unrelated.
    /// </summary>
    private static ulong Mix(ulong number)
    {
        number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
        number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
        return number ^ (number >> 31);
    }

    private static void WriteHex(Span<byte> target, ulong number)
    {
        var writer = new RecordWriter(target);
        for (int shift = 56; shift >= 0; shift -= 8)
        {
            writer.WriteHex((byte)(number >> shift));
        }
    }
}
