namespace Spawngate.Protocols.Http1;

/// <summary>The methods whose semantics a proxy needs (RFC 9110 section 9).</summary>
public enum MethodKind : byte
{
    /// <summary>Any other method: neither safe nor idempotent as far as we know.</summary>
    Other,

    /// <summary>GET.</summary>
    Get,

    /// <summary>HEAD: its response never has a body.</summary>
    Head,

    /// <summary>POST.</summary>
    Post,

    /// <summary>PUT.</summary>
    Put,

    /// <summary>DELETE.</summary>
    Delete,

    /// <summary>OPTIONS.</summary>
    Options,

    /// <summary>TRACE.</summary>
    Trace,

    /// <summary>CONNECT.</summary>
    Connect,
}

/// <summary>
/// A request head as offsets into the bytes it was read from (RFC 9112 sections 2 to 3). Used again for every request of a
/// connection; <see cref="RequestHeadParser"/> fills it.
/// </summary>
public sealed class RequestHead
{
    /// <summary>The field lines.</summary>
    public FieldTable Fields { get; } = new();

    /// <summary>Length of the whole head with its final empty line, once complete.</summary>
    public int Length { get; internal set; }

    /// <summary>Why it was refused.</summary>
    public HeadFault Fault { get; internal set; }

    /// <summary>The method, as far as its semantics matter here.</summary>
    public MethodKind Method { get; internal set; }

    /// <summary>Minor version: 0 or 1.</summary>
    public int MinorVersion { get; internal set; }

    /// <summary>How long the body is.</summary>
    public BodyFraming Framing { get; internal set; }

    /// <summary>Offset of the host (<c>uri-host [":" port]</c>) that routes the request.</summary>
    public int HostStart { get; internal set; }

    /// <summary>Length of the host.</summary>
    public int HostLength { get; internal set; }

    /// <summary>True when the target was in absolute form.</summary>
    public bool IsAbsoluteForm { get; internal set; }

    /// <summary>True for at least HTTP/1.1.</summary>
    public bool IsHttp11 => MinorVersion >= 1;

    /// <summary>True when the client keeps the connection after this exchange (RFC 9112 section 9.3).</summary>
    public bool IsPersistent => !Fields.ConnectionClose && (IsHttp11 || Fields.ConnectionKeepAlive);

    /// <summary>True when the client asks to switch protocols and says so in both places (RFC 9110 section 7.8).</summary>
    public bool WantsUpgrade => IsHttp11 && Fields.ConnectionUpgrade && Fields.Has(KnownHeader.Upgrade);

    /// <summary>True for the methods that may be repeated without another effect (RFC 9110 section 9.2.2).</summary>
    public bool IsIdempotent =>
        Method is MethodKind.Get or MethodKind.Head or MethodKind.Put or MethodKind.Delete or MethodKind.Options or MethodKind.Trace;

    /// <summary>
    /// True before the first byte of a request line was seen; an empty line that a client sent after its last body is none.
    /// </summary>
    public bool IsPristine => !HasRequestLine && SearchFrom == LineStart;

    internal int MethodStart { get; set; }

    internal int MethodLength { get; set; }

    internal int TargetStart { get; set; }

    internal int TargetLength { get; set; }

    internal int LineStart { get; set; }

    internal int SearchFrom { get; set; }

    internal bool HasRequestLine { get; set; }

    /// <summary>The method's bytes.</summary>
    public ReadOnlySpan<byte> MethodBytes(ReadOnlySpan<byte> head) => head.Slice(MethodStart, MethodLength);

    /// <summary>The target in origin form, or <c>*</c>: what is sent to the backend.</summary>
    public ReadOnlySpan<byte> Target(ReadOnlySpan<byte> head) =>
        TargetLength > 0 ? head.Slice(TargetStart, TargetLength)
        : Method == MethodKind.Options ? "*"u8
        : "/"u8;

    /// <summary>True when the absolute target had a query but no path, so that "/" has to be put before it.</summary>
    public bool NeedsSlash(ReadOnlySpan<byte> head) => TargetLength > 0 && head[TargetStart] == (byte)'?';

    /// <summary>The host that routes the request.</summary>
    public ReadOnlySpan<byte> Host(ReadOnlySpan<byte> head) => head.Slice(HostStart, HostLength);

    /// <summary>Forgets everything, to read the next head.</summary>
    public void Reset()
    {
        Fields.Reset();
        Length = 0;
        Fault = HeadFault.None;
        Method = MethodKind.Other;
        MinorVersion = 1;
        Framing = BodyFraming.None;
        HostStart = HostLength = 0;
        IsAbsoluteForm = false;
        HasRequestLine = false;
        MethodStart = MethodLength = TargetStart = TargetLength = LineStart = SearchFrom = 0;
    }
}
