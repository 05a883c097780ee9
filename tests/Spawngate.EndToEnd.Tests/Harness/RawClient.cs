using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// An HTTP/1.1 client that sends bytes exactly as told and reads responses strictly: what is not by the book is a failure.
/// </summary>
internal sealed partial class RawClient : IDisposable
{
    private const int KeptBodyBytesMax = 1024 * 1024;
    private byte[] _buffer = new byte[32 * 1024];
    private int _start;
    private int _end;

    private RawClient(Socket socket) => Socket = socket;

    /// <summary>The socket underneath.</summary>
    public Socket Socket { get; }

    /// <summary>Connects to a loopback port.</summary>
    public static Task<RawClient> ConnectAsync(int port) => ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));

    /// <summary>Connects to an address of any kind.</summary>
    /// <param name="address">The address.</param>
    /// <param name="from">Address of this machine to come from; null for any.</param>
    public static async Task<RawClient> ConnectAsync(EndPoint address, IPAddress? from = null)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (address is IPEndPoint)
            {
                socket.NoDelay = true;
            }

            if (from is not null)
            {
                socket.Bind(new IPEndPoint(from, 0));
            }

            await socket.ConnectAsync(address).InTimeAsync($"connection to {address}");
            return new RawClient(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>One request on a connection of its own.</summary>
    public static async Task<RawResponse> RequestAsync(
        int port,
        string host,
        string target,
        string method = "GET",
        string headers = "",
        string body = ""
    )
    {
        using RawClient client = await ConnectAsync(port);
        return await client.ExchangeAsync(host, target, method, headers, body);
    }

    /// <summary>One request and its response on this connection.</summary>
    public async Task<RawResponse> ExchangeAsync(string host, string target, string method = "GET", string headers = "", string body = "")
    {
        await SendAsync(Head(host, target, method, body.Length > 0 ? headers + $"Content-Length: {body.Length}\r\n" : headers) + body);
        return await ReadResponseAsync(method);
    }

    /// <summary>A request head; <paramref name="headers"/> are complete lines.</summary>
    public static string Head(string host, string target, string method = "GET", string headers = "") =>
        $"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n";

    /// <summary>Sends text as Latin-1.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Sends bytes, all of them.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await Socket.SendAsync(bytes).AsTask().InTimeAsync("sending")..];
        }
    }

    /// <summary>Sends one chunk of a chunked body.</summary>
    public Task SendChunkAsync(ReadOnlySpan<byte> data)
    {
        byte[] size = Encoding.Latin1.GetBytes($"{data.Length:x}\r\n");
        byte[] chunk = new byte[size.Length + data.Length + 2];
        size.CopyTo(chunk, 0);
        data.CopyTo(chunk.AsSpan(size.Length));
        "\r\n"u8.CopyTo(chunk.AsSpan(chunk.Length - 2));
        return SendAsync(chunk);
    }

    /// <summary>What was received and not asked for yet, for whoever takes the socket over.</summary>
    public byte[] TakeReceived()
    {
        byte[] rest = _buffer[_start.._end];
        _start = _end;
        return rest;
    }

    /// <summary>Ends this side of the connection.</summary>
    public void EndSending() => Socket.Shutdown(SocketShutdown.Send);

    /// <summary>True when the peer ends the connection, by end of file or reset, without another byte.</summary>
    public async Task<bool> EndsAsync(TimeSpan? limit = null)
    {
        try
        {
            return _start == _end && !await FillAsync().InTimeAsync("end of the connection", limit);
        }
        catch (SocketException)
        {
            return true;
        }
    }

    /// <summary>Reads one response with its interim ones; <paramref name="method"/> tells whether a body belongs to it.</summary>
    public async Task<RawResponse> ReadResponseAsync(string method = "GET")
    {
        var interim = new List<RawResponse>();
        RawResponse response = await ReadHeadAsync();
        while (response.Status is >= 100 and < 200 and not 101)
        {
            interim.Add(response);
            response = await ReadHeadAsync();
        }

        response.Interim.AddRange(interim);
        await ReadBodyAsync(response, method);
        return response;
    }

    /// <summary>Reads one head.</summary>
    public async Task<RawResponse> ReadHeadAsync()
    {
        string[] lines = (await ReadUntilAsync("\r\n\r\n", "in the response head")).Split("\r\n");
        Match first = StatusLine().Match(lines[0]);
        if (!first.Success)
        {
            throw new NotHttpException($"status line: {lines[0]}");
        }

        var headers = new List<(string, string)>();
        foreach (string line in lines.Skip(1).Where(each => each.Length > 0))
        {
            headers.Add(Field(line));
        }

        return new RawResponse(first.Groups[1].Value, int.Parse(first.Groups[2].Value, CultureInfo.InvariantCulture), headers);
    }

    /// <summary>Reads the body that belongs to a head.</summary>
    public async Task ReadBodyAsync(RawResponse response, string method = "GET")
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var kept = new MemoryStream();
        await ReadBodyAsync(
            response,
            part =>
            {
                hash.AppendData(part.Span);
                kept.Write(part.Span[..(int)Math.Min(part.Length, KeptBodyBytesMax - kept.Length)]);
                return Task.CompletedTask;
            },
            method
        );
        response.Body = kept.ToArray();
        response.Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Reads the body that belongs to a head and hands its pieces out.</summary>
    public async Task ReadBodyAsync(RawResponse response, Func<ReadOnlyMemory<byte>, Task> take, string method = "GET")
    {
        response.Framing = FramingOf(response, method);
        switch (response.Framing)
        {
            case Framing.Length:
                await ReadExactlyAsync(long.Parse(response.Header("Content-Length")!, CultureInfo.InvariantCulture), CountedAsync);
                break;
            case Framing.Chunked:
                await ReadChunksAsync(response, CountedAsync);
                break;
            case Framing.Close:
                await ReadToEndAsync(CountedAsync);
                break;
        }

        Task CountedAsync(ReadOnlyMemory<byte> part)
        {
            response.BodyLength += part.Length;
            return take(part);
        }
    }

    /// <summary>Reads exactly this many bytes, whatever they are.</summary>
    public async Task<byte[]> ReadBytesAsync(int count)
    {
        using var bytes = new MemoryStream();
        await ReadExactlyAsync(count, part =>
        {
            bytes.Write(part.Span);
            return Task.CompletedTask;
        });
        return bytes.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => Socket.Dispose();

    private static Framing FramingOf(RawResponse response, string method)
    {
        string? length = response.Header("Content-Length");
        string? coding = response.Header("Transfer-Encoding");
        if (length is not null && coding is not null)
        {
            throw new NotHttpException("both Content-Length and Transfer-Encoding");
        }

        if (method == "HEAD" || response.Status is 101 or 204 or 304)
        {
            return Framing.None;
        }

        if (coding is not null)
        {
            return coding == "chunked" ? Framing.Chunked : throw new NotHttpException($"coding {coding}");
        }

        return length is null ? Framing.Close : Framing.Length;
    }

    private static (string Name, string Value) Field(string line)
    {
        Match match = FieldLine().Match(line);
        return match.Success ? (match.Groups[1].Value, match.Groups[2].Value) : throw new NotHttpException($"field line: {line}");
    }

    private async Task ReadChunksAsync(RawResponse response, Func<ReadOnlyMemory<byte>, Task> take)
    {
        while (true)
        {
            string size = await ReadUntilAsync("\r\n", "before a chunk");
            if (!ChunkSize().IsMatch(size))
            {
                throw new NotHttpException($"chunk size: {size}");
            }

            long count = long.Parse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (count == 0)
            {
                break;
            }

            await ReadExactlyAsync(count, take);
            if (await ReadUntilAsync("\r\n", "after a chunk") != "")
            {
                throw new NotHttpException("chunk longer than its size");
            }
        }

        while (await ReadUntilAsync("\r\n", "in the trailers") is { Length: > 0 } line)
        {
            response.Trailers.Add(Field(line));
        }
    }

    private async Task ReadExactlyAsync(long count, Func<ReadOnlyMemory<byte>, Task> take)
    {
        long left = count;
        while (left > 0)
        {
            if (_start == _end && !await FillOrEndAsync())
            {
                throw new IncompleteMessageException($"{left} of {count} bytes before the end");
            }

            int part = (int)Math.Min(left, _end - _start);
            ReadOnlyMemory<byte> piece = _buffer.AsMemory(_start, part);
            _start += part;
            left -= part;
            await take(piece);
        }
    }

    private async Task ReadToEndAsync(Func<ReadOnlyMemory<byte>, Task> take)
    {
        do
        {
            ReadOnlyMemory<byte> piece = _buffer.AsMemory(_start, _end - _start);
            _start = _end;
            await take(piece);
        } while (await FillAsync());
    }

    private async Task<string> ReadUntilAsync(string end, string where)
    {
        byte[] wanted = Encoding.Latin1.GetBytes(end);
        while (true)
        {
            int length = _buffer.AsSpan(_start, _end - _start).IndexOf(wanted);
            if (length >= 0)
            {
                string text = Encoding.Latin1.GetString(_buffer, _start, length);
                _start += length + wanted.Length;
                return text;
            }

            if (!await FillOrEndAsync())
            {
                throw new IncompleteMessageException(_start == _end ? $"{where}, with no byte of it" : where);
            }
        }
    }

    /// <summary>Like <see cref="FillAsync"/>, but a reset counts as an end: both break a message off.</summary>
    private async Task<bool> FillOrEndAsync()
    {
        try
        {
            return await FillAsync();
        }
        catch (SocketException)
        {
            return false;
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

        int count = await Socket.ReceiveAsync(_buffer.AsMemory(_end)).AsTask().InTimeAsync("bytes of a response");
        _end += count;
        return count > 0;
    }

    [GeneratedRegex(@"^(HTTP/1\.[01]) ([1-5]\d\d) [\x20-\x7e]*$")]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*$")]
    private static partial Regex FieldLine();

    [GeneratedRegex("^[0-9A-Fa-f]{1,16}$")]
    private static partial Regex ChunkSize();
}
