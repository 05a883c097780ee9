using System.Text;

namespace Spawngate.Microbench;

/// <summary>Messages as browsers, tools and applications send them.</summary>
internal static class Vectors
{
    /// <summary>A request of a browser.</summary>
    public static readonly byte[] BrowserRequest = Encoding.ASCII.GetBytes(
        "GET /assets/app.js?v=20260131 HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\nPragma: no-cache\r\n"
        + "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36\r\n"
        + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
        + "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
        + "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark\r\nReferer: http://app.example.com/\r\n\r\n");

    /// <summary>A request of a load generator.</summary>
    public static readonly byte[] SmallRequest = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n");

    /// <summary>A small POST.</summary>
    public static readonly byte[] SmallPost = Encoding.ASCII.GetBytes("POST /items HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 13\r\n\r\nHello, World!");

    /// <summary>A small response of known length.</summary>
    public const string LengthResponse = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

    /// <summary>The same, chunked.</summary>
    public const string ChunkedResponse = "HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 12:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, World!\r\n0\r\n\r\n";
}
