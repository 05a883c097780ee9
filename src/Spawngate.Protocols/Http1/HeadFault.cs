namespace Spawngate.Protocols.Http1;

/// <summary>Why a head cannot be accepted. Each is one rule of RFC 9112 or RFC 9110, or one limit.</summary>
public enum HeadFault : byte
{
    /// <summary>No fault.</summary>
    None,

    /// <summary>A line ends with LF alone (RFC 9112 section 2.2).</summary>
    BareLf,

    /// <summary>CR that is not followed by LF, NUL or another control character (RFC 9112 section 2.2, RFC 9110 section 5.5).</summary>
    ControlCharacter,

    /// <summary>The request line is not <c>method SP target SP version</c> (RFC 9112 section 3).</summary>
    BadRequestLine,

    /// <summary>The method is not a token.</summary>
    BadMethod,

    /// <summary>The target is none of the four forms (RFC 9112 section 3.2).</summary>
    BadTarget,

    /// <summary>The authority of the target has user information (RFC 9110 section 4.2.4).</summary>
    UserInfo,

    /// <summary>CONNECT: this is a gateway, not a tunnel to anywhere.</summary>
    ConnectMethod,

    /// <summary>The major version is not 1.</summary>
    UnsupportedVersion,

    /// <summary>The request line is longer than allowed.</summary>
    RequestLineTooLong,

    /// <summary>The head is longer than allowed.</summary>
    HeadTooLarge,

    /// <summary>There are more fields than allowed.</summary>
    TooManyFields,

    /// <summary>A field line has no colon or its name is not a token (RFC 9112 section 5).</summary>
    BadFieldName,

    /// <summary>
    /// A field that some servers take for Content-Length or Transfer-Encoding, see <see cref="KnownHeaders.IsFramingLookalike"/>.
    /// </summary>
    LookalikeFieldName,

    /// <summary>White space between name and colon (RFC 9112 section 5.1).</summary>
    SpaceBeforeColon,

    /// <summary>A line that begins with white space: obs-fold (RFC 9112 section 5.2).</summary>
    LineFolding,

    /// <summary>HTTP/1.1 without Host, or an empty one (RFC 9112 section 3.2).</summary>
    MissingHost,

    /// <summary>More than one Host (RFC 9112 section 3.2).</summary>
    RepeatedHost,

    /// <summary>Host is not <c>uri-host [":" port]</c>.</summary>
    BadHost,

    /// <summary>Host and the authority of an absolute target disagree.</summary>
    HostMismatch,

    /// <summary>Content-Length is not one plain number (RFC 9112 section 6.3).</summary>
    BadContentLength,

    /// <summary>More than one Content-Length.</summary>
    RepeatedContentLength,

    /// <summary>Content-Length together with Transfer-Encoding (RFC 9112 section 6.1).</summary>
    LengthAndTransferEncoding,

    /// <summary>Transfer-Encoding is malformed, or chunked is not its final coding (RFC 9112 section 6.3).</summary>
    BadTransferEncoding,

    /// <summary>A transfer coding that is not implemented (RFC 9112 section 6.1: 501).</summary>
    UnknownTransferCoding,

    /// <summary>Transfer-Encoding in an HTTP/1.0 message (RFC 9112 section 6.1).</summary>
    TransferEncodingInHttp10,

    /// <summary>Connection is not a list of tokens, or one of more than <see cref="CodecLimits.ConnectionOptionsMax"/>.</summary>
    BadConnection,

    /// <summary>The status line is not <c>version SP 3DIGIT [SP reason]</c> (RFC 9112 section 4).</summary>
    BadStatusLine,

    /// <summary>The method alone is longer than a request line may be (RFC 9112 section 3: 501).</summary>
    MethodTooLong,

    /// <summary>In the place of a response there is a TLS record (RFC 8446 section 5.1).</summary>
    SpeaksTls,

    /// <summary>In the place of a response there is a frame of HTTP/2 (RFC 9113 section 3.4).</summary>
    SpeaksHttp2,
}

/// <summary>Outcome of one parsing step.</summary>
public enum HeadStatus : byte
{
    /// <summary>More bytes are needed.</summary>
    NeedMore,

    /// <summary>The head is complete.</summary>
    Complete,

    /// <summary>The head is refused; see the head's fault.</summary>
    Refused,
}

/// <summary>Bounds of a head.</summary>
/// <param name="MaxStartLineBytes">Longest start line, in bytes without its CRLF.</param>
/// <param name="MaxHeadBytes">Longest head, in bytes, start line and final empty line included.</param>
/// <param name="MaxFields">Most field lines.</param>
public readonly record struct HeadLimits(int MaxStartLineBytes, int MaxHeadBytes, int MaxFields);

/// <summary>Texts of <see cref="HeadFault"/> for people.</summary>
public static class HeadFaults
{
    /// <summary>One sentence that says what was wrong.</summary>
    public static string Describe(HeadFault fault) =>
        fault switch
        {
            HeadFault.None => "no fault",
            HeadFault.BareLf => "a line ends with LF alone",
            HeadFault.ControlCharacter => "the head contains a control character or a CR without LF",
            HeadFault.BadRequestLine => "the request line is not 'method target version'",
            HeadFault.BadMethod => "the method is not a token",
            HeadFault.BadTarget => "the request target is malformed",
            HeadFault.UserInfo => "user information is not allowed in the request target",
            HeadFault.ConnectMethod => "CONNECT is not supported",
            HeadFault.UnsupportedVersion => "only HTTP/1.0 and HTTP/1.1 are supported here",
            HeadFault.RequestLineTooLong => "the request line is too long",
            HeadFault.HeadTooLarge => "the header section is too large",
            HeadFault.TooManyFields => "there are too many header fields",
            HeadFault.BadFieldName => "a header field has no valid name",
            HeadFault.LookalikeFieldName => "the name of a header field looks like Content-Length or Transfer-Encoding",
            HeadFault.SpaceBeforeColon => "there is white space before the colon of a header field",
            HeadFault.LineFolding => "a header line begins with white space (line folding)",
            HeadFault.MissingHost => "the Host header is missing or empty",
            HeadFault.RepeatedHost => "there is more than one Host header",
            HeadFault.BadHost => "the host is malformed; only ASCII host names and addresses are allowed",
            HeadFault.HostMismatch => "the Host header disagrees with the request target",
            HeadFault.BadContentLength => "Content-Length is not one plain number",
            HeadFault.RepeatedContentLength => "there is more than one Content-Length header",
            HeadFault.LengthAndTransferEncoding => "Content-Length and Transfer-Encoding must not be sent together",
            HeadFault.BadTransferEncoding => "Transfer-Encoding is malformed or does not end with one chunked",
            HeadFault.UnknownTransferCoding => "a transfer coding other than chunked is not implemented",
            HeadFault.TransferEncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            HeadFault.BadConnection => "the Connection header is malformed or too long",
            HeadFault.BadStatusLine => "the status line is malformed",
            HeadFault.MethodTooLong => "the method is too long",
            HeadFault.SpeaksTls => "the backend speaks TLS on this port",
            HeadFault.SpeaksHttp2 => "the backend speaks HTTP/2 on this port, not HTTP/1.1",
            _ => "malformed",
        };
}
