using System.Buffers;

namespace Spawngate.Protocols.Http1;

/// <summary>The fields a proxy has to understand; everything else passes as it is.</summary>
public enum KnownHeader : byte
{
    /// <summary>Any other field.</summary>
    None,

    /// <summary>Host (RFC 9110 section 7.2).</summary>
    Host,

    /// <summary>Content-Length (RFC 9110 section 8.6).</summary>
    ContentLength,

    /// <summary>Transfer-Encoding (RFC 9112 section 6.1).</summary>
    TransferEncoding,

    /// <summary>Connection (RFC 9110 section 7.6.1).</summary>
    Connection,

    /// <summary>Keep-Alive: hop-by-hop (RFC 9110 section 7.6.1).</summary>
    KeepAlive,

    /// <summary>Proxy-Connection: hop-by-hop (RFC 9110 section 7.6.1).</summary>
    ProxyConnection,

    /// <summary>TE: hop-by-hop (RFC 9110 section 10.1.4).</summary>
    Te,

    /// <summary>Trailer (RFC 9110 section 6.6.2).</summary>
    Trailer,

    /// <summary>Upgrade: hop-by-hop (RFC 9110 section 7.8).</summary>
    Upgrade,

    /// <summary>HTTP2-Settings: connection-specific (RFC 7540 section 3.2.1).</summary>
    Http2Settings,

    /// <summary>Expect (RFC 9110 section 10.1.1).</summary>
    Expect,

    /// <summary>Via (RFC 9110 section 7.6.3).</summary>
    Via,

    /// <summary>X-Request-ID.</summary>
    RequestId,

    /// <summary>X-Forwarded-For.</summary>
    ForwardedFor,

    /// <summary>X-Forwarded-Host.</summary>
    ForwardedHost,

    /// <summary>X-Forwarded-Proto.</summary>
    ForwardedProto,

    /// <summary>Date (RFC 9110 section 6.6.1).</summary>
    Date,

    /// <summary>Max-Forwards (RFC 9110 section 7.6.2).</summary>
    MaxForwards,
}

/// <summary>Recognises the names of <see cref="KnownHeader"/>.</summary>
public static class KnownHeaders
{
    private static readonly SearchValues<byte> PlainNameBytes = SearchValues.Create(
        "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8
    );

    /// <summary>The field that <paramref name="name"/> names, without case.</summary>
    public static KnownHeader Identify(ReadOnlySpan<byte> name) =>
        name.Length switch
        {
            2 => Match(name, "te"u8, KnownHeader.Te),
            3 => Match(name, "via"u8, KnownHeader.Via),
            4 => (name[0] | 0x20) == 'h' ? Match(name, "host"u8, KnownHeader.Host) : Match(name, "date"u8, KnownHeader.Date),
            6 => Match(name, "expect"u8, KnownHeader.Expect),
            7 => (name[0] | 0x20) == 'u' ? Match(name, "upgrade"u8, KnownHeader.Upgrade) : Match(name, "trailer"u8, KnownHeader.Trailer),
            10 => (name[0] | 0x20) == 'c'
                ? Match(name, "connection"u8, KnownHeader.Connection)
                : Match(name, "keep-alive"u8, KnownHeader.KeepAlive),
            12 => (name[0] | 0x20) == 'x'
                ? Match(name, "x-request-id"u8, KnownHeader.RequestId)
                : Match(name, "max-forwards"u8, KnownHeader.MaxForwards),
            14 => (name[0] | 0x20) == 'c'
                ? Match(name, "content-length"u8, KnownHeader.ContentLength)
                : Match(name, "http2-settings"u8, KnownHeader.Http2Settings),
            15 => Match(name, "x-forwarded-for"u8, KnownHeader.ForwardedFor),
            16 => (name[0] | 0x20) == 'p'
                ? Match(name, "proxy-connection"u8, KnownHeader.ProxyConnection)
                : Match(name, "x-forwarded-host"u8, KnownHeader.ForwardedHost),
            17 => (name[0] | 0x20) == 't'
                ? Match(name, "transfer-encoding"u8, KnownHeader.TransferEncoding)
                : Match(name, "x-forwarded-proto"u8, KnownHeader.ForwardedProto),
            _ => KnownHeader.None,
        };

    /// <summary>True for the fields that never pass a hop, whatever Connection says (RFC 9110 section 7.6.1).</summary>
    public static bool IsHopByHop(KnownHeader header) =>
        header
            is KnownHeader.Connection
                or KnownHeader.KeepAlive
                or KnownHeader.ProxyConnection
                or KnownHeader.Te
                or KnownHeader.TransferEncoding
                or KnownHeader.Upgrade
                or KnownHeader.Http2Settings;

    /// <summary>
    /// True for <c>Content_Length</c> and <c>Transfer_Encoding</c>: servers that turn names into variables (CGI, WSGI) take them for the
    /// fields that frame the message, where this gateway, by the letter of RFC 9110 section 5.1, does not.
    /// </summary>
    public static bool IsFramingLookalike(ReadOnlySpan<byte> name) =>
        (
            name.Length == 14
            && name[7] == '_'
            && Grammar.EqualsIgnoreCase(name[..7], "content"u8)
            && Grammar.EqualsIgnoreCase(name[8..], "length"u8)
        )
        || (
            name.Length == 17
            && name[8] == '_'
            && Grammar.EqualsIgnoreCase(name[..8], "transfer"u8)
            && Grammar.EqualsIgnoreCase(name[9..], "encoding"u8)
        );

    /// <summary>
    /// True for the fields by which a backend could be told of another origin than the gateway saw: Forwarded (RFC 7239), X-Real-IP and
    /// everything of X-Forwarded-; also with any other sign in the place of "-", since servers that turn names into variables fold them all
    /// (RFC 3875 section 4.1.18).
    /// </summary>
    public static bool TellsOrigin(ReadOnlySpan<byte> name) =>
        MayTellOrigin(name)
        && (
            name.Length == "forwarded"u8.Length
                ? EqualsFolded(name, "forwarded"u8) || EqualsFolded(name, "x-real-ip"u8)
                : name.Length >= "x-forwarded-"u8.Length && EqualsFolded(name[.."x-forwarded-"u8.Length], "x-forwarded-"u8)
        );

    /// <summary>
    /// True for names that such servers take for one which the gateway vouches for, as <c>X_Forwarded_For</c>: the same but for underscores
    /// or other signs. Nobody honest sends them, and a proxy that is trusted to set the field may pass such a one of its client.
    /// </summary>
    public static bool IsForwardedLookalike(ReadOnlySpan<byte> name) =>
        MayTellOrigin(name) && (TellsOrigin(name) || EqualsFolded(name, "x-request-id"u8)) && name.IndexOfAnyExcept(PlainNameBytes) >= 0;

    /// <summary>What nearly all other fields are told by: as long as the shortest of these names, and one of their first letters.</summary>
    private static bool MayTellOrigin(ReadOnlySpan<byte> name) => name.Length >= "forwarded"u8.Length && (name[0] | 0x20) is 'x' or 'f';

    /// <summary>Compares without case; where <paramref name="lower"/> has a "-", anything that is no letter and no digit will do.</summary>
    internal static bool EqualsFolded(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower)
    {
        if (name.Length != lower.Length)
        {
            return false;
        }

        for (int i = 0; i < name.Length; i++)
        {
            if (lower[i] == '-' ? char.IsAsciiLetterOrDigit((char)name[i]) : (name[i] | 0x20) != lower[i])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// True for fields that must not stand in a trailer section (RFC 9110 section 6.5.1): they frame, route or authenticate,
    /// and a recipient that merged them would read another message than the sender wrote.
    /// </summary>
    public static bool IsForbiddenInTrailer(ReadOnlySpan<byte> name)
    {
        var known = Identify(name);
        if (
            known is not KnownHeader.None and not KnownHeader.RequestId
            || IsFramingLookalike(name)
            || TellsOrigin(name)
            || IsForwardedLookalike(name)
        )
        {
            return true;
        }

        return Grammar.EqualsIgnoreCase(name, "authorization"u8)
            || Grammar.EqualsIgnoreCase(name, "cookie"u8)
            || Grammar.EqualsIgnoreCase(name, "set-cookie"u8)
            || Grammar.EqualsIgnoreCase(name, "content-type"u8)
            || Grammar.EqualsIgnoreCase(name, "content-encoding"u8)
            || Grammar.EqualsIgnoreCase(name, "content-range"u8)
            || Grammar.EqualsIgnoreCase(name, "cache-control"u8)
            || Grammar.EqualsIgnoreCase(name, "location"u8);
    }

    private static KnownHeader Match(ReadOnlySpan<byte> name, ReadOnlySpan<byte> lower, KnownHeader header) =>
        Grammar.EqualsIgnoreCase(name, lower) ? header : KnownHeader.None;
}
