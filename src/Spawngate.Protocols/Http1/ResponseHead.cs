namespace Spawngate.Protocols.Http1;

/// <summary>
/// A response head as offsets into the bytes it was read from (RFC 9112 section 4); <see cref="ResponseHeadParser"/> fills it.
/// </summary>
public sealed class ResponseHead
{
    /// <summary>The field lines.</summary>
    public FieldTable Fields { get; } = new(allowsEqualLengths: true);

    /// <summary>Length of the whole head with its final empty line, once complete.</summary>
    public int Length { get; internal set; }

    /// <summary>Why it was refused.</summary>
    public HeadFault Fault { get; internal set; }

    /// <summary>Status code, 100 to 999.</summary>
    public int Status { get; internal set; }

    /// <summary>Minor version: 0 or 1.</summary>
    public int MinorVersion { get; internal set; }

    /// <summary>How long the body is.</summary>
    public BodyFraming Framing { get; internal set; }

    /// <summary>True for at least HTTP/1.1.</summary>
    public bool IsHttp11 => MinorVersion >= 1;

    /// <summary>True for 1xx other than 101: another head follows (RFC 9110 section 15.2).</summary>
    public bool IsInterim => Status is >= 100 and < 200 and not 101;

    /// <summary>True when the backend keeps its connection after this response (RFC 9112 section 9.3).</summary>
    public bool IsPersistent => !Fields.ConnectionClose && (IsHttp11 || Fields.ConnectionKeepAlive) && Framing.Kind != BodyKind.UntilClose;

    internal int StatusStart { get; set; }

    internal int StatusLength { get; set; }

    internal int LineStart { get; set; }

    internal int SearchFrom { get; set; }

    /// <summary>Status code, space and reason phrase as received.</summary>
    public ReadOnlySpan<byte> StatusAndReason(ReadOnlySpan<byte> head) => head.Slice(StatusStart, StatusLength);

    /// <summary>Forgets everything, to read the next head.</summary>
    public void Reset()
    {
        Fields.Reset();
        Length = Status = StatusStart = StatusLength = LineStart = SearchFrom = 0;
        Fault = HeadFault.None;
        MinorVersion = 1;
        Framing = BodyFraming.None;
    }
}
