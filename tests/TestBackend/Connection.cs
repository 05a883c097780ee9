using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TestBackend;

/// <summary>One accepted connection: reads requests one after the other and gives routes the means to answer, rightly or wrongly.</summary>
internal sealed class Connection(Socket socket, ServerState server)
{
    private const int HeadBytesMax = 1024 * 1024;
    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;
    private volatile bool _idle = true;
    private bool _counted;

    /// <summary>The socket, for routes that go below HTTP.</summary>
    public Socket Socket { get; } = socket;

    /// <summary>True between two requests.</summary>
    public bool IsIdle => _idle;

    /// <summary>Set by a route that wants the connection closed at the first byte of the next request.</summary>
    public bool CloseOnNextRequest { get; set; }

    /// <summary>Serves the connection until it closes.</summary>
    public async Task RunAsync()
    {
        server.Add(this);
        try
        {
            while (await ReadHeadAsync() is { } request && !CloseOnNextRequest)
            {
                if (!await AnswerAsync(request))
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or IOException)
        {
            // The peer went away; nothing is left to answer.
        }
        finally
        {
            server.Remove(this);
            Socket.Dispose();
        }
    }

    /// <summary>Sends text as Latin-1.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes, all of them.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await Socket.SendAsync(bytes)..];
        }
    }

    /// <summary>Sends a complete response of known length; HEAD gets the head only.</summary>
    public Task RespondAsync(Request request, int status, ReadOnlyMemory<byte> body, string type = "text/plain", string headers = "")
    {
        byte[] head = Encoding.Latin1.GetBytes(
            $"HTTP/1.1 {status} {Reason(status)}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n{headers}\r\n"
        );
        byte[] all = new byte[head.Length + (request.Method == "HEAD" ? 0 : body.Length)];
        head.CopyTo(all, 0);
        body.Span[..(all.Length - head.Length)].CopyTo(all.AsSpan(head.Length));
        return SendLastAsync(all);
    }

    /// <summary>
    /// Sends the end of a response, all of it. The request is counted out before: whoever has the last byte may act upon it before this
    /// process has a core for the next step.
    /// </summary>
    public Task SendLastAsync(ReadOnlyMemory<byte> bytes)
    {
        CountOut();
        return SendAsync(bytes);
    }

    /// <summary>Sends a complete text response.</summary>
    public Task RespondAsync(Request request, int status, string body, string type = "text/plain", string headers = "") =>
        RespondAsync(request, status, Encoding.UTF8.GetBytes(body), type, headers);

    /// <summary>Asks for the body if the client waits for that; only before the response has begun.</summary>
    public async Task ContinueAsync(Request request)
    {
        if (request.AwaitsContinue)
        {
            request.AwaitsContinue = false;
            await SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// <summary>Reads the body to its end, giving each piece to <paramref name="take"/> as it arrives.</summary>
    public async Task ReadBodyAsync(Request request, Func<ReadOnlyMemory<byte>, Task> take)
    {
        if (!request.IsChunked)
        {
            await ReadExactlyAsync(request.ContentLength, take);
        }
        else
        {
            await ReadChunksAsync(request, take);
        }

        request.BodyDone = true;
    }

    /// <summary>Hands out what has been received beyond the last head and then all that follows, until the peer's end of file.</summary>
    public async Task ReadToEndAsync(Func<ReadOnlyMemory<byte>, Task> take)
    {
        do
        {
            await take(_buffer.AsMemory(_start, _end - _start));
            _start = _end;
        } while (await FillAsync());
    }

    /// <summary>Reads exactly <paramref name="count"/> bytes into an array of that size.</summary>
    public async Task<byte[]> ReadArrayAsync(int count)
    {
        byte[] target = new byte[count];
        int filled = 0;
        await ReadExactlyAsync(count, part =>
        {
            part.CopyTo(target.AsMemory(filled));
            filled += part.Length;
            return Task.CompletedTask;
        });
        return target;
    }

    private async Task<bool> AnswerAsync(Request request)
    {
        _idle = false;
        _counted = request.Path != "/health";
        if (_counted)
        {
            server.Enter();
        }

        bool keep;
        try
        {
            keep = await Routes.AnswerAsync(this, request, server);
        }
        finally
        {
            CountOut();
        }

        // A body that was never asked for may come or not (RFC 9110 10.1.1): only a new connection is unambiguous.
        keep = keep && request.KeepAlive && !request.AwaitsContinue;
        if (keep && !request.BodyDone)
        {
            await ReadBodyAsync(request, _ => Task.CompletedTask);
        }

        _idle = true;
        return keep;
    }

    private void CountOut()
    {
        if (_counted)
        {
            _counted = false;
            server.Leave();
        }
    }

    private async Task<Request?> ReadHeadAsync()
    {
        while (true)
        {
            int length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8);
            if (length >= 0)
            {
                byte[] head = _buffer.AsSpan(_start, length + 4).ToArray();
                _start += length + 4;
                return new Request(head);
            }

            if (_end - _start > HeadBytesMax || !await FillAsync())
            {
                return null;
            }
        }
    }

    private async Task ReadChunksAsync(Request request, Func<ReadOnlyMemory<byte>, Task> take)
    {
        while (true)
        {
            string line = await ReadLineAsync();
            long size = long.Parse(line.Split(';')[0], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                break;
            }

            await ReadExactlyAsync(size, take);
            await ReadLineAsync();
        }

        while (await ReadLineAsync() is { Length: > 0 } trailer)
        {
            int colon = trailer.IndexOf(':', StringComparison.Ordinal);
            request.Trailers.Add((trailer[..colon], trailer[(colon + 1)..].Trim()));
        }
    }

    private async Task<string> ReadLineAsync()
    {
        while (true)
        {
            int length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n"u8);
            if (length >= 0)
            {
                string line = Encoding.Latin1.GetString(_buffer, _start, length);
                _start += length + 2;
                return line;
            }

            if (!await FillAsync())
            {
                throw new IOException("the request ended inside its body");
            }
        }
    }

    private async Task ReadExactlyAsync(long count, Func<ReadOnlyMemory<byte>, Task> take)
    {
        while (count > 0)
        {
            if (_start == _end && !await FillAsync())
            {
                throw new IOException("the request ended inside its body");
            }

            int part = (int)Math.Min(count, _end - _start);
            ReadOnlyMemory<byte> piece = _buffer.AsMemory(_start, part);
            _start += part;
            count -= part;
            await take(piece);
        }
    }

    private async Task<bool> FillAsync()
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            byte[] target = _start > 0 ? _buffer : new byte[_buffer.Length * 2];
            _buffer.AsSpan(_start, _end - _start).CopyTo(target);
            (_buffer, _end, _start) = (target, _end - _start, 0);
        }

        int count = await Socket.ReceiveAsync(_buffer.AsMemory(_end));
        _end += count;
        return count > 0;
    }

    private static string Reason(int status) =>
        status switch
        {
            200 => "OK",
            204 => "No Content",
            206 => "Partial Content",
            302 => "Found",
            304 => "Not Modified",
            404 => "Not Found",
            500 => "Internal Server Error",
            _ => "Status",
        };
}
