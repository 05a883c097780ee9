using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>
/// Requests that are well formed or not, each rule of RFC 9113 sections 8.1 to 8.5 on both sides of its line. A reason of null means that
/// it is fine.
/// </summary>
internal static class MalformedCases
{
    private static readonly (string Method, bool Fine)[] Methods =
    [
        ("PATCH", true),
        ("M-SEARCH", true),
        ("get", true),
        ("", false),
        ("G T", false),
        ("GET\r\n", false),
        ("G\0T", false),
        ("GET /x HTTP/1.1", false),
    ];

    private static readonly (string Scheme, bool Fine)[] Schemes =
    [
        ("http", true),
        ("https", true),
        ("HTTP", true),
        ("web+x.1-y", true),
        ("", false),
        ("1http", false),
        ("http://evil/", false),
        ("ht tp", false),
    ];

    private static readonly (string Path, bool Fine)[] Paths =
    [
        ("/", true),
        ("/a?b=c", true),
        ("/%00", true),
        ("//a", true),
        ("", false),
        ("a", false),
        ("?a", false),
        ("http://a/", false),
        ("/ HTTP/1.1\r\nx: y", false),
        ("/a b", false),
        ("/a#b", false),
        ("/\xe9", false),
        ("/\0", false),
        ("*", false),
        ("/\t", false),
    ];

    public sealed record Request(string Name, (string, string)[] Fields, bool End, MalformedReason? Reason);

    public static IEnumerable<Request> All() =>
        [.. Names(), .. Values(), .. ConnectionSpecific(), .. Pseudo(), .. PseudoValues(), .. Authority(), .. Lengths(), .. Connect()];

    private static Request With(string name, (string, string) field, MalformedReason? reason = null) =>
        new(name, [.. Get, field], true, reason);

    private static Request Of(string name, MalformedReason? reason, params (string, string)[] fields) => new(name, fields, true, reason);

    private static IEnumerable<Request> Names()
    {
        yield return With("8.2.1 a name in lower case", ("x-a", "b"));
        yield return With("8.2.1 every character of a token", ("!#$%&'*+-.^_`|~09az", "b"));
        foreach (
            string name in (string[])
                [
                    "X-a",
                    "x-A",
                    "",
                    "x a",
                    " x",
                    "x\t",
                    "x:",
                    "x:y",
                    "x\0",
                    "x\r",
                    "x\n",
                    "x\x7f",
                    "x\x80",
                    "x\xff",
                    "x(",
                    "x/",
                    "x@",
                    "x[",
                    "x{",
                    "x\"",
                    "x,",
                    "x;",
                    "x=",
                ]
        )
        {
            yield return With($"8.2.1 the name {Uri.EscapeDataString(name)}", (name, "b"), MalformedReason.BadName);
        }

        yield return With("content_length", ("content_length", "5"), MalformedReason.Lookalike);
        yield return With("transfer_encoding", ("transfer_encoding", "chunked"), MalformedReason.Lookalike);
    }

    private static IEnumerable<Request> Values()
    {
        foreach (string value in (string[])["", "b", "b c", "b\tc", "\x80\xff", "\"b\"", ":;,="])
        {
            yield return With($"8.2.1 the value {Uri.EscapeDataString(value)}", ("x", value));
        }

        foreach (string value in (string[])["b\r\nhost: evil", "b\r", "\nb", "b\0", "b\x01", "b\x7f"])
        {
            yield return With($"8.2.1 the value {Uri.EscapeDataString(value)}", ("x", value), MalformedReason.BadValue);
        }

        foreach (string value in (string[])[" b", "b ", "\tb", "b\t", " "])
        {
            yield return With($"8.2.1 the value {Uri.EscapeDataString(value)}", ("x", value), MalformedReason.WhiteSpaceAround);
        }
    }

    private static IEnumerable<Request> ConnectionSpecific()
    {
        foreach (
            string name in (string[])["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings"]
        )
        {
            yield return With($"8.2.2 {name}", (name, "x"), MalformedReason.ConnectionSpecific);
        }

        yield return With("8.2.2 transfer-encoding: chunked", ("transfer-encoding", "chunked"), MalformedReason.ConnectionSpecific);
        yield return With("8.2.2 te: trailers", ("te", "trailers"));
        yield return With("8.2.2 te: Trailers", ("te", "Trailers"));
        yield return With("8.2.2 te: trailers, deflate", ("te", "trailers, deflate"), MalformedReason.BadTe);
        yield return With("8.2.2 te: gzip", ("te", "gzip"), MalformedReason.BadTe);
        yield return With("8.2.2 te: nothing", ("te", ""), MalformedReason.BadTe);
    }

    private static IEnumerable<Request> Pseudo()
    {
        yield return With("8.3 an unknown one", (":test", "x"), MalformedReason.UnknownPseudo);
        yield return With("8.3 one without a name", (":", "x"), MalformedReason.UnknownPseudo);
        yield return With("8.3 :status", (":status", "200"), MalformedReason.UnknownPseudo);
        yield return With("8.3 :Path", (":Path", "/"), MalformedReason.UnknownPseudo);
        yield return Of("8.3 behind a regular field", MalformedReason.LatePseudo, [.. Get, ("x", "y"), (":path", "/")]);
        yield return Of(
            "8.3 an optional one behind a regular field",
            MalformedReason.LatePseudo,
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            ("x", "y"),
            (":authority", "a")
        );
        yield return new Request(
            "8.3 missing, then late",
            [(":method", "GET"), ("x", "y"), (":scheme", "http"), (":path", "/")],
            true,
            MalformedReason.MissingPseudo
        );
        foreach (var (name, value) in Get)
        {
            yield return With($"8.3.1 {name} twice", (name, value), MalformedReason.RepeatedPseudo);
            yield return new Request(
                $"8.3.1 without {name}",
                [.. Get.Where(field => field.Item1 != name), ("host", "a")],
                true,
                name == ":authority" ? null : MalformedReason.MissingPseudo
            );
        }

        yield return Of("8.3.1 nothing at all", MalformedReason.MissingPseudo);
        yield return Of("8.3.1 in another order", null, (":authority", "a"), (":path", "/"), (":scheme", "https"), (":method", "GET"));
    }

    private static IEnumerable<Request> PseudoValues()
    {
        foreach (var (method, fine) in Methods)
        {
            yield return Of(
                $"8.3.1 :method {Uri.EscapeDataString(method)}",
                fine ? null : MalformedReason.BadMethod,
                (":method", method),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a")
            );
        }

        foreach (var (scheme, fine) in Schemes)
        {
            yield return Of(
                $"8.3.1 :scheme {Uri.EscapeDataString(scheme)}",
                fine ? null : MalformedReason.BadScheme,
                (":method", "GET"),
                (":scheme", scheme),
                (":path", "/"),
                (":authority", "a")
            );
        }

        foreach (var (path, fine) in Paths)
        {
            yield return Of(
                $"8.3.1 :path {Uri.EscapeDataString(path)}",
                fine ? null : MalformedReason.BadPath,
                (":method", "GET"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "a")
            );
        }

        yield return Of("8.3.1 OPTIONS *", null, (":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a"));
        yield return Of(
            "8.3.1 OPTIONS **",
            MalformedReason.BadPath,
            (":method", "OPTIONS"),
            (":scheme", "http"),
            (":path", "**"),
            (":authority", "a")
        );
    }

    private static IEnumerable<Request> Authority()
    {
        foreach (
            var (authority, fine) in new[]
            {
                ("a", true),
                ("a.example.com:8080", true),
                ("[::1]:80", true),
                ("A", true),
                ("user@a", false),
                ("a b", false),
                ("a\r\nx: y", false),
                ("a/b", false),
                ("a:b", false),
                ("a:99999", false),
                ("\xe9", false),
            }
        )
        {
            yield return Of(
                $"8.3.1 :authority {Uri.EscapeDataString(authority)}",
                fine ? null : MalformedReason.BadAuthority,
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", authority)
            );
            yield return Of(
                $"8.3.1 host {Uri.EscapeDataString(authority)}",
                fine ? null
                    : authority.Contains('\r') ? MalformedReason.BadValue
                    : MalformedReason.BadAuthority,
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                ("host", authority)
            );
        }

        foreach (
            var (host, fine) in new[]
            {
                ("a", true),
                ("A", true),
                ("a:80", true),
                ("b", false),
                ("a:81", false),
                ("", false),
                ("a.", false),
            }
        )
        {
            yield return With($"8.3.1 :authority a, host {host}", ("host", host), fine ? null : MalformedReason.HostMismatch);
        }

        yield return new Request("8.3.1 host twice", [.. Get[..3], ("host", "a"), ("host", "a")], true, MalformedReason.HostMismatch);
        yield return new Request(
            "8.3.1 host twice, disagreeing",
            [.. Get, ("host", "a"), ("host", "b")],
            true,
            MalformedReason.HostMismatch
        );
    }

    private static IEnumerable<Request> Lengths()
    {
        yield return new Request("8.1.1 content-length 0 and no body", [.. Post, ("content-length", "0")], true, null);
        yield return new Request(
            "8.1.1 content-length 5 and no body",
            [.. Post, ("content-length", "5")],
            true,
            MalformedReason.LengthMismatch
        );
        foreach (string value in (string[])["", "-1", "+5", "5,5", "0x5", "5 5", "18446744073709551621"])
        {
            yield return new Request(
                $"8.1.1 content-length {Uri.EscapeDataString(value)}",
                [.. Post, ("content-length", value)],
                false,
                MalformedReason.BadContentLength
            );
        }

        yield return new Request(
            "8.1.1 content-length twice",
            [.. Post, ("content-length", "5"), ("content-length", "5")],
            false,
            MalformedReason.BadContentLength
        );
        yield return new Request(
            "8.1.1 content-length twice, disagreeing",
            [.. Post, ("content-length", "5"), ("content-length", "6")],
            false,
            MalformedReason.BadContentLength
        );
        yield return new Request("8.1.1 content-length 5", [.. Post, ("content-length", "5")], false, null);
    }

    private static IEnumerable<Request> Connect()
    {
        yield return Of(
            "8.5 CONNECT with :path",
            MalformedReason.BadConnect,
            (":method", "CONNECT"),
            (":path", "/"),
            (":authority", "a:443")
        );
        yield return Of(
            "8.5 CONNECT with :scheme",
            MalformedReason.BadConnect,
            (":method", "CONNECT"),
            (":scheme", "http"),
            (":authority", "a:443")
        );
        yield return Of("8.5 CONNECT without :authority", MalformedReason.BadConnect, (":method", "CONNECT"));
        (string, string)[] webSocket =
        [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", "/chat"),
            (":authority", "a"),
        ];
        yield return new Request(
            "RFC 8441 :protocol without CONNECT",
            [(":method", "GET"), .. webSocket[1..]],
            false,
            MalformedReason.BadConnect
        );
        yield return new Request(
            "RFC 8441 :protocol twice",
            [.. webSocket, (":protocol", "websocket")],
            false,
            MalformedReason.RepeatedPseudo
        );
        yield return new Request(
            "RFC 8441 :protocol that is no token",
            [.. webSocket[..1], (":protocol", "web\r\nsocket"), .. webSocket[2..]],
            false,
            MalformedReason.BadMethod
        );
        yield return new Request(
            "RFC 8441 without :path",
            [.. webSocket.Where(field => field.Item1 != ":path")],
            false,
            MalformedReason.MissingPseudo
        );
        yield return new Request(
            "RFC 8441 without :scheme",
            [.. webSocket.Where(field => field.Item1 != ":scheme")],
            false,
            MalformedReason.MissingPseudo
        );
        yield return new Request(
            "RFC 8441 without :authority",
            [.. webSocket.Where(field => field.Item1 != ":authority"), ("host", "a")],
            false,
            MalformedReason.BadConnect
        );
        yield return new Request(
            "RFC 8441 with content-length",
            [.. webSocket, ("content-length", "0")],
            false,
            MalformedReason.LengthMismatch
        );
    }
}
