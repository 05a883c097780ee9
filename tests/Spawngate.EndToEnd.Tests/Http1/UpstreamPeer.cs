using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>A request head as a scripted upstream got it.</summary>
/// <param name="Head">All of it as text.</param>
internal sealed record UpstreamRequest(string Head)
{
    /// <summary>The target.</summary>
    public string Target { get; } = Head.Split(' ')[1];

    /// <summary>The method.</summary>
    public string Method { get; } = Head.Split(' ')[0];

    /// <summary>True for a chunked body.</summary>
    public bool IsChunked => Field("Transfer-Encoding") is not null;

    /// <summary>Bytes of a body of known length.</summary>
    public long Length => Field("Content-Length") is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : 0;

    /// <summary>All values of a field.</summary>
    public IEnumerable<string> Fields(string name) =>
        Head.Split("\r\n")
            .Skip(1)
            .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            .Select(line => line[(name.Length + 1)..].Trim());

    /// <summary>The value of a field that may occur once; null without one.</summary>
    public string? Field(string name) => Fields(name).SingleOrDefault();
}

/// <summary>One connection of the gateway to a scripted upstream, as the script uses it.</summary>
internal sealed class UpstreamPeer(Socket socket) : IDisposable
{
    private byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;

    /// <summary>The socket underneath.</summary>
    public Socket Socket { get; } = socket;

    /// <summary>True when bytes that were not asked for yet are there, or come within a moment.</summary>
    public bool HasMore(TimeSpan moment) => _start != _end || Socket.Poll(moment, SelectMode.SelectRead);

    /// <summary>Reads one request head; null when the gateway ended the connection before one.</summary>
    public async Task<UpstreamRequest?> ReadHeadAsync()
    {
        while (true)
        {
            int length = _buffer.AsSpan(_start, _end - _start).IndexOf("\r\n\r\n"u8);
            if (length >= 0)
            {
                string head = Encoding.Latin1.GetString(_buffer, _start, length + 4);
                _start += length + 4;
                return new UpstreamRequest(head);
            }

            if (!await FillAsync())
            {
                return null;
            }
        }
    }

    /// <summary>Reads a whole body and hands its pieces out; false when the gateway ended the connection within it.</summary>
    public async Task<bool> ReadBodyAsync(UpstreamRequest request, Func<ReadOnlyMemory<byte>, Task>? take = null)
    {
        take ??= _ => Task.CompletedTask;
        if (!request.IsChunked)
        {
            return await ReadAsync(request.Length, take);
        }

        while (await ReadLineAsync() is { } line)
        {
            long size = long.Parse(line, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size > 0 && !await ReadAsync(size, take))
            {
                return false;
            }

            string? end = await ReadLineAsync();
            if (size == 0 || end != "")
            {
                return end == "";
            }
        }

        return false;
    }

    /// <summary>Reads exactly this many bytes; false when the connection ended before.</summary>
    public async Task<bool> ReadAsync(long count, Func<ReadOnlyMemory<byte>, Task> take)
    {
        while (count > 0)
        {
            if (_start == _end && !await FillAsync())
            {
                return false;
            }

            int part = (int)Math.Min(count, _end - _start);
            ReadOnlyMemory<byte> piece = _buffer.AsMemory(_start, part);
            _start += part;
            count -= part;
            await take(piece);
        }

        return true;
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

    /// <summary>Completes when the gateway ends the connection, by close or reset; what it still sends is thrown away.</summary>
    public async Task EndedAsync()
    {
        do
        {
            _start = _end = 0;
        } while (await FillAsync());
    }

    /// <summary>Ends the connection in order: what was sent arrives, then the end.</summary>
    public void Close()
    {
        Socket.Shutdown(SocketShutdown.Both);
        Socket.Dispose();
    }

    /// <summary>Ends the connection by a reset.</summary>
    public void Reset()
    {
        Socket.LingerState = new LingerOption(true, 0);
        Socket.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => Socket.Dispose();

    private async Task<string?> ReadLineAsync()
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
                return null;
            }
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

        try
        {
            int count = await Socket.ReceiveAsync(_buffer.AsMemory(_end));
            _end += count;
            return count > 0;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}
