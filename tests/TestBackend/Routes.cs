using System.Security.Cryptography;
using System.Text;

namespace TestBackend;

/// <summary>The well-behaved paths. Each answers whether the connection may serve another request.</summary>
internal static class Routes
{
    private const string HeldHead = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

    private delegate Task<bool> Route(Connection connection, Request request, ServerState server);

    private static readonly Dictionary<string, Route> All = new()
    {
        ["/"] = IndexAsync,
        ["/health"] = HealthAsync,
        ["/echo"] = EchoAsync,
        ["/mirror"] = MirrorAsync,
        ["/bytes"] = BytesAsync,
        ["/upload"] = UploadAsync,
        ["/slow"] = SlowAsync,
        ["/hold"] = HoldAsync,
        ["/status"] = StatusAsync,
        ["/headers"] = HeadersAsync,
        ["/marked"] = Marked.SendAsync,
        ["/marked-upload"] = Marked.TakeAsync,
        ["/1xx"] = InterimAsync,
        ["/trailers"] = TrailersAsync,
        ["/inflight"] = InFlightAsync,
        ["/health-set"] = SetHealthAsync,
        ["/env"] = EnvironmentAsync,
        ["/cwd"] = FolderAsync,
        ["/stdout"] = StdoutAsync,
        ["/stderr"] = StderrAsync,
        ["/crash"] = CrashAsync,
        ["/exit"] = ExitAsync,
        ["/close"] = Faults.CloseAsync,
        ["/wrong"] = Faults.WrongAsync,
        ["/ws"] = Upgrades.WebSocketAsync,
        ["/upgrade"] = Upgrades.RawAsync,
    };

    /// <summary>Answers one request.</summary>
    public static Task<bool> AnswerAsync(Connection connection, Request request, ServerState server) =>
        All.TryGetValue(request.Path, out Route? route)
            ? route(connection, request, server)
            : KeepAfterAsync(connection.RespondAsync(request, 404, $"no such path: {request.Path}"));

    private static async Task<bool> KeepAfterAsync(Task response)
    {
        await response;
        return true;
    }

    private static Task<bool> IndexAsync(Connection connection, Request request, ServerState server)
    {
        string json =
            $"{{\"name\":\"{server.Settings.Name}\",\"pid\":{Environment.ProcessId},\"port\":{server.Settings.Port},"
            + $"\"served\":{server.Served}}}";
        return KeepAfterAsync(connection.RespondAsync(request, 200, json, "application/json"));
    }

    private static async Task<bool> HealthAsync(Connection connection, Request request, ServerState server)
    {
        string answer = server.NextHealth();
        server.Control.Tell("health " + answer);
        switch (answer)
        {
            case "hang":
                await Pause.ForeverAsync();
                return false;
            case "close":
                return false;
            case "redirect":
                await connection.RespondAsync(request, 302, "", headers: "Location: /\r\n");
                return true;
            case { } slow when slow.StartsWith("slow-", StringComparison.Ordinal):
                await Pause.ForAsync(int.Parse(slow["slow-".Length..]));
                await connection.RespondAsync(request, 200, "health, late");
                return true;
            default:
                await connection.RespondAsync(request, int.Parse(answer), "health");
                return true;
        }
    }

    /// <summary>The head as received is the response's body; what is known of the request's body is in the response's headers.</summary>
    private static async Task<bool> EchoAsync(Connection connection, Request request, ServerState server)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long length = 0;
        await connection.ContinueAsync(request);
        await connection.ReadBodyAsync(request, part =>
        {
            hash.AppendData(part.Span);
            length += part.Length;
            return Task.CompletedTask;
        });
        string trailers = string.Concat(request.Trailers.Select(each => $"X-Echo-Trailer: {each.Name}={each.Value}\r\n"));
        string framing =
            request.IsChunked ? "chunked"
            : request.Header("Content-Length") is null ? "none"
            : "length";
        string headers =
            $"X-Body-Length: {length}\r\nX-Body-Sha256: {Convert.ToHexStringLower(hash.GetHashAndReset())}\r\n"
            + $"X-Body-Framing: {framing}\r\n{trailers}";
        await connection.RespondAsync(request, 200, request.RawHead, "application/octet-stream", headers);
        return true;
    }

    /// <summary>Sends the request's body back while it is still arriving.</summary>
    private static async Task<bool> MirrorAsync(Connection connection, Request request, ServerState server)
    {
        await connection.ContinueAsync(request);
        await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        await connection.ReadBodyAsync(request, part => SendChunkAsync(connection, part));
        await connection.SendAsync("0\r\n\r\n");
        return true;
    }

    private static async Task<bool> BytesAsync(Connection connection, Request request, ServerState server)
    {
        long count = request.QueryNumber("n", 0);
        string framing = request.Query("framing", "length");
        if (request.Header("Range") is { } range)
        {
            return await RangeAsync(connection, request, range, count);
        }

        string fields = framing switch
        {
            "chunked" => "Transfer-Encoding: chunked\r\n",
            "close" => "Connection: close\r\n",
            _ => $"Content-Length: {count}\r\n",
        };
        await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n{fields}\r\n");
        if (request.Method == "HEAD")
        {
            return framing != "close";
        }

        byte[] block = new byte[request.QueryNumber("chunk", 32 * 1024)];
        for (long offset = 0; offset < count; offset += block.Length)
        {
            Memory<byte> part = block.AsMemory(0, (int)Math.Min(block.Length, count - offset));
            Pattern.Fill(part.Span, offset);
            bool isLast = framing == "length" && offset + block.Length >= count;
            await (
                framing == "chunked" ? SendChunkAsync(connection, part)
                : isLast ? connection.SendLastAsync(part)
                : connection.SendAsync(part)
            );
            await Pause.ForAsync((int)request.QueryNumber("delayMs", 0));
        }

        if (framing == "chunked")
        {
            await connection.SendAsync("0\r\n\r\n");
        }

        return framing != "close";
    }

    private static async Task<bool> RangeAsync(Connection connection, Request request, string range, long count)
    {
        string[] ends = range["bytes=".Length..].Split('-');
        long first = long.Parse(ends[0]);
        long last = ends[1].Length > 0 ? long.Parse(ends[1]) : count - 1;
        byte[] part = new byte[last - first + 1];
        Pattern.Fill(part, first);
        await connection.RespondAsync(request, 206, part, "application/octet-stream", $"Content-Range: bytes {first}-{last}/{count}\r\n");
        return true;
    }

    private static async Task<bool> UploadAsync(Connection connection, Request request, ServerState server)
    {
        if (request.Query("answer") == "early")
        {
            await connection.RespondAsync(request, 200, "early", headers: request.Query("close") == "1" ? "Connection: close\r\n" : "");
            server.Control.Tell("answered early");
            return request.Query("close") != "1";
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long length = 0;
        int delayMs = (int)request.QueryNumber("readDelayMs", 0);
        await connection.ContinueAsync(request);
        await connection.ReadBodyAsync(request, async part =>
        {
            hash.AppendData(part.Span);
            length += part.Length;
            await Pause.ForAsync(delayMs);
        });
        await connection.RespondAsync(request, 200, $"{length} {Convert.ToHexStringLower(hash.GetHashAndReset())}");
        return true;
    }

    private static async Task<bool> SlowAsync(Connection connection, Request request, ServerState server)
    {
        server.Control.Tell("slow");
        await Pause.ForAsync((int)request.QueryNumber("headMs", 0));
        await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl");
        await Pause.ForAsync((int)request.QueryNumber("bodyMs", 0));
        await connection.SendAsync("ow");
        return true;
    }

    /// <summary>
    /// Waits for the test's <c>release KEY</c>: before the head, with <c>at=head</c> after it, with <c>at=body</c> in the middle of the
    /// body.
    /// </summary>
    private static async Task<bool> HoldAsync(Connection connection, Request request, ServerState server)
    {
        (string before, string after) = request.Query("at") switch
        {
            "head" => (HeldHead, "held"),
            "body" => (HeldHead + "he", "ld"),
            _ => ("", HeldHead + "held"),
        };
        await connection.SendAsync(before);
        await server.HoldAsync(request.Query("key", "hold"));
        await connection.SendLastAsync(Encoding.Latin1.GetBytes(after));
        return true;
    }

    private static async Task<bool> StatusAsync(Connection connection, Request request, ServerState server)
    {
        int code = (int)request.QueryNumber("code", 200);
        if (code is 204 or 304)
        {
            string length = request.Query("length") is { Length: > 0 } text ? $"Content-Length: {text}\r\n" : "";
            await connection.SendAsync($"HTTP/1.1 {code} {(code == 204 ? "No Content" : "Not Modified")}\r\nETag: \"tag\"\r\n{length}\r\n");
            return true;
        }

        await connection.RespondAsync(request, code, $"status {code}");
        return true;
    }

    /// <summary>Answers with the header lines of parameter <c>h</c> (separated by <c>|</c>) exactly as given.</summary>
    private static async Task<bool> HeadersAsync(Connection connection, Request request, ServerState server)
    {
        string lines = string.Concat(request.Query("h").Split('|', StringSplitOptions.RemoveEmptyEntries).Select(each => each + "\r\n"));
        await connection.SendAsync($"HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok");
        return !lines.Contains("Connection: close", StringComparison.Ordinal);
    }

    private static async Task<bool> InterimAsync(Connection connection, Request request, ServerState server)
    {
        for (long i = 0; i < request.QueryNumber("count", 1); i++)
        {
            await connection.SendAsync($"HTTP/1.1 103 Early Hints\r\nLink: </{i}.css>; rel=preload\r\n\r\n");
        }

        if (request.Query("hold") is { Length: > 0 } key)
        {
            await server.HoldAsync(key);
        }

        await connection.RespondAsync(request, 200, "final");
        return true;
    }

    private static async Task<bool> TrailersAsync(Connection connection, Request request, ServerState server)
    {
        await connection.SendAsync("HTTP/1.1 200 OK\r\nTrailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        await connection.SendAsync("0\r\nX-Checksum: abc\r\nX-Second: two\r\n\r\n");
        return true;
    }

    private static Task<bool> InFlightAsync(Connection connection, Request request, ServerState server) =>
        KeepAfterAsync(connection.RespondAsync(request, 200, $"{server.InFlight}"));

    private static Task<bool> SetHealthAsync(Connection connection, Request request, ServerState server)
    {
        server.SetHealth(request.Query("answer", "200"));
        return KeepAfterAsync(connection.RespondAsync(request, 200, "set"));
    }

    private static Task<bool> EnvironmentAsync(Connection connection, Request request, ServerState server)
    {
        string? value = Environment.GetEnvironmentVariable(request.Query("name"));
        return KeepAfterAsync(connection.RespondAsync(request, value is null ? 404 : 200, value ?? ""));
    }

    private static Task<bool> FolderAsync(Connection connection, Request request, ServerState server) =>
        KeepAfterAsync(connection.RespondAsync(request, 200, Environment.CurrentDirectory));

    private static Task<bool> StdoutAsync(Connection connection, Request request, ServerState server)
    {
        Chatter.Write(
            Console.OpenStandardOutput(),
            request.QueryNumber("n", 1),
            (int)request.QueryNumber("length", 40),
            request.Query("word", "out")
        );
        return KeepAfterAsync(connection.RespondAsync(request, 200, "written"));
    }

    private static Task<bool> StderrAsync(Connection connection, Request request, ServerState server)
    {
        Chatter.Write(
            Console.OpenStandardError(),
            request.QueryNumber("n", 1),
            (int)request.QueryNumber("length", 40),
            request.Query("word", "err")
        );
        return KeepAfterAsync(connection.RespondAsync(request, 200, "written"));
    }

    private static Task<bool> CrashAsync(Connection connection, Request request, ServerState server)
    {
        ServerState.Crash();
        return Task.FromResult(false);
    }

    private static Task<bool> ExitAsync(Connection connection, Request request, ServerState server)
    {
        Environment.Exit((int)request.QueryNumber("code", 0));
        return Task.FromResult(false);
    }

    /// <summary>Sends one chunk in one piece.</summary>
    internal static Task SendChunkAsync(Connection connection, ReadOnlyMemory<byte> data)
    {
        if (data.IsEmpty)
        {
            return Task.CompletedTask;
        }

        byte[] size = Encoding.Latin1.GetBytes($"{data.Length:x}\r\n");
        byte[] chunk = new byte[size.Length + data.Length + 2];
        size.CopyTo(chunk, 0);
        data.Span.CopyTo(chunk.AsSpan(size.Length));
        "\r\n"u8.CopyTo(chunk.AsSpan(chunk.Length - 2));
        return connection.SendAsync(chunk);
    }
}
