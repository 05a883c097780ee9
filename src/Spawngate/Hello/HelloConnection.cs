using System.Net.Sockets;

namespace Spawngate.Hello;

/// <summary>One client of the demo backend: reads requests one after the other, drains their bodies, answers.</summary>
internal sealed class HelloConnection
{
    private readonly Socket _socket;
    private readonly HelloPage _page;
    private byte[] _buffer = new byte[HelloLimits.HelloBufferBytes];
    private int _start;
    private int _end;

    /// <summary>Makes it; <see cref="RunAsync"/> does the work and the caller disposes the socket.</summary>
    public HelloConnection(Socket socket, HelloPage page)
    {
        _socket = socket;
        _page = page;
    }

    private ReadOnlySpan<byte> Unread => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Serves the connection until one side closes it.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        _socket.NoDelay = true;
        while (true)
        {
            HelloParse parse = HelloRequest.Read(Unread, out int consumed, out HelloRequest? request);
            switch (parse)
            {
                case HelloParse.Complete:
                    _start += consumed;
                    if (!await AnswerAsync(request!, cancel))
                    {
                        return;
                    }

                    break;
                case HelloParse.Bad:
                    await RefuseAsync(HelloPage.Refusal(400, "Bad Request"), cancel);
                    return;
                case HelloParse.NeedMore when _end - _start >= HelloLimits.HelloHeadBytesMax:
                    await RefuseAsync(HelloPage.Refusal(431, "Request Header Fields Too Large"), cancel);
                    return;
                default:
                    if (!await ReceiveAsync(cancel))
                    {
                        return;
                    }

                    break;
            }
        }
    }

    /// <returns>Whether the connection goes on.</returns>
    private async Task<bool> AnswerAsync(HelloRequest request, CancellationToken cancel)
    {
        bool hasBody = request.IsChunked || request.BodyBytes > 0;
        if (hasBody && request.ExpectsContinue && Unread.IsEmpty)
        {
            await SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray(), cancel);
        }

        switch (hasBody ? await DrainAsync(request, cancel) : HelloParse.Complete)
        {
            case HelloParse.NeedMore:
                return false; // The client left in the middle of its body.
            case HelloParse.Bad:
                await RefuseAsync(HelloPage.Refusal(400, "Bad Request"), cancel);
                return false;
        }

        await SendAsync(_page.Answer(request), cancel);
        if (!request.KeepsAlive)
        {
            await LingerAsync(cancel);
        }

        return request.KeepsAlive;
    }

    /// <returns>Complete, Bad, or NeedMore when the client left before the end.</returns>
    private async Task<HelloParse> DrainAsync(HelloRequest request, CancellationToken cancel)
    {
        var drain = new BodyDrain(request);
        while (true)
        {
            HelloParse state = drain.Take(Unread, out int consumed);
            _start += consumed;
            if (state != HelloParse.NeedMore || !await ReceiveAsync(cancel))
            {
                return state;
            }
        }
    }

    private async Task<bool> ReceiveAsync(CancellationToken cancel)
    {
        if (_start == _end)
        {
            _start = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            byte[] target = _start > 0 ? _buffer : new byte[_buffer.Length * 2];
            Buffer.BlockCopy(_buffer, _start, target, 0, _end - _start);
            (_buffer, _end, _start) = (target, _end - _start, 0);
        }

        int received = await _socket.ReceiveAsync(_buffer.AsMemory(_end), SocketFlags.None, cancel);
        _end += received;
        return received > 0;
    }

    private async Task SendAsync(byte[] bytes, CancellationToken cancel)
    {
        for (int sent = 0; sent < bytes.Length; )
        {
            sent += await _socket.SendAsync(bytes.AsMemory(sent), SocketFlags.None, cancel);
        }
    }

    private async Task RefuseAsync(byte[] answer, CancellationToken cancel)
    {
        await SendAsync(answer, cancel);
        await LingerAsync(cancel);
    }

    /// <summary>
    /// Closes our half and reads on for a moment: closing with unread input would send a reset, and the reset can overtake
    /// the answer (RFC 9112 9.6).
    /// </summary>
    private async Task LingerAsync(CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(HelloLimits.HelloLingerMs);
        _socket.Shutdown(SocketShutdown.Send);
        do
        {
            _start = _end = 0;
        } while (await ReceiveAsync(limit.Token));
    }
}
