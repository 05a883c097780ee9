namespace Spawngate.Protocols.Http2;

/// <summary>Why a request or a trailer section is malformed (RFC 9113 section 8.1.1): the stream ends with PROTOCOL_ERROR.</summary>
public enum MalformedReason : byte
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>A field name is empty, or not a token in lower case (RFC 9113 section 8.2.1).</summary>
    BadName,

    /// <summary>A field value holds a control character (RFC 9113 section 8.2.1).</summary>
    BadValue,

    /// <summary>A field value begins or ends with white space (RFC 9113 section 8.2.1).</summary>
    WhiteSpaceAround,

    /// <summary>A field that belongs to a connection (RFC 9113 section 8.2.2).</summary>
    ConnectionSpecific,

    /// <summary>TE with anything but trailers (RFC 9113 section 8.2.2).</summary>
    BadTe,

    /// <summary>
    /// A name that CGI servers take for Content-Length or Transfer-Encoding, see <see cref="Http1.KnownHeaders.IsFramingLookalike"/>.
    /// </summary>
    Lookalike,

    /// <summary>A pseudo-header field that does not exist in requests (RFC 9113 section 8.3).</summary>
    UnknownPseudo,

    /// <summary>A pseudo-header field twice (RFC 9113 section 8.3).</summary>
    RepeatedPseudo,

    /// <summary>A pseudo-header field behind a regular one (RFC 9113 section 8.3).</summary>
    LatePseudo,

    /// <summary>A pseudo-header field in a trailer section (RFC 9113 section 8.1).</summary>
    PseudoInTrailers,

    /// <summary>:method, :scheme or :path is missing (RFC 9113 section 8.3.1).</summary>
    MissingPseudo,

    /// <summary>:method is not a token.</summary>
    BadMethod,

    /// <summary>:scheme is not a scheme (RFC 3986 section 3.1).</summary>
    BadScheme,

    /// <summary>:path is neither a path nor "*" with OPTIONS (RFC 9113 section 8.3.1).</summary>
    BadPath,

    /// <summary>:authority, or Host without it, is not <c>uri-host [":" port]</c> (RFC 9113 section 8.3.1).</summary>
    BadAuthority,

    /// <summary>Host disagrees with :authority, or is there twice (RFC 9113 section 8.3.1).</summary>
    HostMismatch,

    /// <summary>
    /// CONNECT with :scheme or :path, or without :authority (RFC 9113 section 8.5); or :protocol without CONNECT (RFC 8441 section 4).
    /// </summary>
    BadConnect,

    /// <summary>Content-Length is not one plain number (RFC 9113 section 8.1.1).</summary>
    BadContentLength,

    /// <summary>Content-Length disagrees with the DATA (RFC 9113 section 8.1.1).</summary>
    LengthMismatch,

    /// <summary>A second header section without END_STREAM (RFC 9113 section 8.1).</summary>
    TrailersWithoutEnd,
}

/// <summary>Texts of <see cref="MalformedReason"/> for people.</summary>
public static class MalformedReasons
{
    /// <summary>One sentence that says what was wrong.</summary>
    public static string Describe(MalformedReason reason) =>
        reason switch
        {
            MalformedReason.None => "not malformed",
            MalformedReason.BadName => "a field name is not a token in lower case",
            MalformedReason.BadValue => "a field value holds a control character",
            MalformedReason.WhiteSpaceAround => "a field value begins or ends with white space",
            MalformedReason.ConnectionSpecific => "a field belongs to a connection and must not be in HTTP/2",
            MalformedReason.BadTe => "te holds something else than trailers",
            MalformedReason.Lookalike => "the name of a field looks like content-length or transfer-encoding",
            MalformedReason.UnknownPseudo => "a pseudo-header field is unknown",
            MalformedReason.RepeatedPseudo => "a pseudo-header field is repeated",
            MalformedReason.LatePseudo => "a pseudo-header field follows a regular one",
            MalformedReason.PseudoInTrailers => "a pseudo-header field stands in the trailers",
            MalformedReason.MissingPseudo => "a pseudo-header field is missing",
            MalformedReason.BadMethod => ":method is not a token",
            MalformedReason.BadScheme => ":scheme is malformed",
            MalformedReason.BadPath => ":path is malformed",
            MalformedReason.BadAuthority => "the authority is malformed",
            MalformedReason.HostMismatch => "host and :authority disagree",
            MalformedReason.BadConnect => "CONNECT with the wrong pseudo-header fields",
            MalformedReason.BadContentLength => "content-length is not one plain number",
            MalformedReason.LengthMismatch => "content-length disagrees with the body",
            MalformedReason.TrailersWithoutEnd => "trailers do not end the stream",
            _ => "malformed",
        };
}
