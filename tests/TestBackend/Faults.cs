using System.Net.Sockets;

namespace TestBackend;

/// <summary>The badly behaved paths: closing where one should not, and framing that no proxy may pass on.</summary>
internal static class Faults
{
    private const int OversizedHeadBytes = 256 * 1024;

    /// <summary>Closes the connection at the point that parameter <c>at</c> names.</summary>
    public static async Task<bool> CloseAsync(Connection connection, Request request, ServerState server)
    {
        switch (request.Query("at"))
        {
            case "before-head":
                break;
            case "in-head":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Ty");
                break;
            case "after-head":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
                break;
            case "mid-body":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                break;
            case "mid-chunk":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello");
                break;
            case "before-last-chunk":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
                break;
            case "reset":
                connection.Socket.LingerState = new LingerOption(true, 0);
                break;
            case "reset-mid-body":
                await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                connection.Socket.LingerState = new LingerOption(true, 0);
                break;
            case "next-request":
                // The race that a proxy cannot see coming: the connection dies when the next request is already on its way.
                connection.CloseOnNextRequest = true;
                await connection.RespondAsync(request, 200, "closes at the next request");
                return true;
            default:
                // Silently closed after a response that promised nothing of the kind.
                await connection.RespondAsync(request, 200, "closed");
                break;
        }

        server.Control.Tell("closed " + request.Query("at"));
        return false;
    }

    /// <summary>Sends the malformed response that parameter <c>kind</c> names, then closes.</summary>
    public static async Task<bool> WrongAsync(Connection connection, Request request, ServerState server)
    {
        string response = request.Query("kind") switch
        {
            "both-framings" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "two-lengths" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "negative-length" => "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
            "odd-length" => "HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
            "garbage" => "this is not HTTP at all\r\n\r\n",
            "bad-status" => "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
            "bad-version" => "HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
            "space-colon" => "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
            "nul-in-header" => "HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\nContent-Length: 0\r\n\r\n",
            "cr-in-header" => "HTTP/1.1 200 OK\r\nX-Bad: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
            "oversized-head" => "HTTP/1.1 200 OK\r\nX-Big: " + new string('b', OversizedHeadBytes) + "\r\nContent-Length: 0\r\n\r\n",
            "unknown-coding" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            "bad-chunk-size" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
            "huge-chunk-size" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nfffffffffffffffff\r\n",
            "extra-bytes" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
            "unasked-101" => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
            string other => "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nunknown kind" + other,
        };
        await connection.SendAsync(response);

        // Some of these are only wrong if more could follow: the connection stays open until the gateway gives up on it.
        await connection.ReadToEndAsync(_ => Task.CompletedTask);
        return false;
    }
}
