using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

/// <summary>Messages as a browser and an application server send them.</summary>
internal static class Samples
{
    /// <summary>What the gateway takes by default.</summary>
    public static readonly HeadLimits Limits = new(8192, 32768, 100);

    /// <summary>A request head of ten fields.</summary>
    public static readonly byte[] Request =
    [
        .. "GET /assets/app.css?v=42 HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\n"u8,
        .. "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n"u8,
        .. "Accept: text/css,*/*;q=0.1\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nReferer: http://app.example.com/\r\n"u8,
        .. "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.9\r\n"u8
            + "Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"u8,
    ];

    /// <summary>A response head of seven fields.</summary>
    public static readonly byte[] Response =
    [
        .. "HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\nServer: app\r\nContent-Type: text/css; charset=utf-8\r\n"u8,
        .. "Content-Length: 1234\r\nCache-Control: public, max-age=3600\r\nETag: \"0123456789abcdef\"\r\nVary: Accept-Encoding\r\n\r\n"u8,
    ];

    /// <summary>A body of 4,000 bytes in chunks of 100, and its end.</summary>
    public static readonly byte[] Chunked = Encoding.ASCII.GetBytes(
        string.Concat(Enumerable.Repeat($"64\r\n{new string('x', 100)}\r\n", 40)) + "0\r\n\r\n"
    );

    /// <summary>The fields of a request over HTTP/2.</summary>
    public static readonly (byte[] Name, byte[] Value)[] RequestFields = Fields(
        ":method: GET",
        ":scheme: http",
        ":authority: app.example.com",
        ":path: /assets/app.css?v=42",
        "user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        "accept: text/css,*/*;q=0.1",
        "sec-fetch-site: same-origin",
        "sec-fetch-mode: no-cors",
        "referer: http://app.example.com/",
        "accept-encoding: gzip, deflate, br",
        "accept-language: en-US,en;q=0.9",
        "cookie: session=0123456789abcdef0123456789abcdef"
    );

    /// <summary>The fields of a response over HTTP/2.</summary>
    public static readonly (byte[] Name, byte[] Value)[] ResponseFields = Fields(
        "date: Sat, 31 Jan 2026 12:00:00 GMT",
        "server: app",
        "content-type: text/css; charset=utf-8",
        "content-length: 1234",
        "cache-control: public, max-age=3600",
        "etag: \"0123456789abcdef\"",
        "vary: Accept-Encoding"
    );

    /// <summary>Bytes of all names and values.</summary>
    public static int BytesOf((byte[] Name, byte[] Value)[] fields) => fields.Sum(static field => field.Name.Length + field.Value.Length);

    private static (byte[] Name, byte[] Value)[] Fields(params string[] lines) =>
        [
            .. lines.Select(static line =>
                (
                    Encoding.ASCII.GetBytes(line[..line.IndexOf(": ", StringComparison.Ordinal)]),
                    Encoding.ASCII.GetBytes(line[(line.IndexOf(": ", StringComparison.Ordinal) + 2)..])
                )
            ),
        ];
}
