using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>A GOAWAY that was received.</summary>
/// <param name="LastStream">The last stream the gateway took up.</param>
/// <param name="Code">Why.</param>
internal sealed record H2GoAway(int LastStream, H2Error Code);

/// <summary>
/// An HTTP/2 client made of frames: sends what it is told, and reads strictly. Flow control is checked to the byte; whatever the gateway
/// does against the rules ends the connection and fails all that is waited for.
/// </summary>
internal sealed class H2Client : IDisposable
{
    private const int FrameBytesMax = H2Frame.FrameBytesMax;
    private const int DefaultWindow = 65535;

    /// <summary>What was received is granted again by pieces of this size.</summary>
    private const int GrantBytes = 16384;
    private readonly Socket _socket;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly ConcurrentDictionary<int, H2Stream> _streams = [];
    private readonly ConcurrentDictionary<long, TaskCompletionSource> _pings = [];
    private readonly TaskCompletionSource<H2GoAway> _goAway = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HpackReader _hpack = new();
    private readonly MemoryStream _block = new();
    private readonly Lock _windows = new();
    private TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _buffer = new byte[256 * 1024];
    private int _start;
    private int _end;
    private int _next = 1;
    private long _pinged;
    private long _window = DefaultWindow;
    private long _streamWindow = DefaultWindow;
    private long _allowed = DefaultWindow;
    private long _allowedPerStream = DefaultWindow;
    private long _taken;
    private int _blockStream;
    private bool _blockEnds;
    private bool _isOver;

    private H2Client(Socket socket) => _socket = socket;

    /// <summary>Completes when the connection has ended; fails when the gateway broke a rule.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>The latest GOAWAY.</summary>
    public H2GoAway? LastGoAway { get; private set; }

    /// <summary>The settings of the gateway.</summary>
    public ConcurrentDictionary<int, uint> Settings { get; } = [];

    /// <summary>Opens the connection's window again for what was received; otherwise the test does.</summary>
    public bool Grants { get; set; } = true;

    /// <summary>Bytes of the connection's window that were received and not granted again.</summary>
    public long Ungranted => _taken;

    /// <summary>Looks only at frames of the connection: the test sends what it likes and does not wait for answers.</summary>
    public bool IgnoresStreams { get; set; }

    /// <summary>Connects with prior knowledge, and waits for the gateway's settings.</summary>
    public static Task<H2Client> ConnectAsync(int port, params (ushort Id, uint Value)[] settings) =>
        ConnectAsync(port, IPAddress.Loopback, settings);

    /// <summary>Connects from one of the machine's addresses.</summary>
    public static async Task<H2Client> ConnectAsync(int port, IPAddress from, params (ushort Id, uint Value)[] settings)
    {
        H2Client client = await DialAsync(port, from);
        await client.SendAsync([.. H2Frame.Preface, .. H2Frame.Settings(settings)]);
        client.Announced(settings);
        client.Begin();
        await client._settled.Task.InTimeAsync("settings of the gateway");
        return client;
    }

    /// <summary>Connects without sending anything.</summary>
    public static async Task<H2Client> DialAsync(int port, IPAddress? from = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(from ?? IPAddress.Loopback, 0));
        await socket.ConnectAsync(IPAddress.Loopback, port).InTimeAsync("connection to " + port);
        return new H2Client(socket);
    }

    /// <summary>Takes a connection over after an upgrade; its stream 1 is open.</summary>
    public static async Task<(H2Client Client, H2Stream First)> AfterUpgradeAsync(RawClient upgraded)
    {
        var client = new H2Client(upgraded.Socket);
        byte[] received = upgraded.TakeReceived();
        received.CopyTo(client._buffer, 0);
        client._end = received.Length;
        H2Stream first = client.Open();
        await client.SendAsync([.. H2Frame.Preface, .. H2Frame.Settings()]);
        client.Begin();
        await client._settled.Task.InTimeAsync("settings of the gateway");
        return (client, first);
    }

    /// <summary>Begins to read.</summary>
    public void Begin() => Ended = Task.Run(ReadAsync);

    /// <summary>What the sent settings mean for what may be received.</summary>
    private void Announced((ushort Id, uint Value)[] settings)
    {
        foreach ((ushort id, uint value) in settings)
        {
            _allowedPerStream = id == H2Frame.InitialWindowSize ? value : _allowedPerStream;
        }
    }

    /// <summary>Sends bytes, all of them.</summary>
    public Task SendAsync(byte[] bytes) => SendAsync(bytes.AsMemory());

    /// <summary>Sends bytes, all of them.</summary>
    public Task SendAsync(ReadOnlyMemory<byte> bytes) => SendAsync(() => bytes);

    /// <summary>Sends what is made when it is its turn.</summary>
    private async Task SendAsync(Func<ReadOnlyMemory<byte>> make)
    {
        await _sending.WaitAsync();
        try
        {
            for (ReadOnlyMemory<byte> bytes = make(); bytes.Length > 0; )
            {
                bytes = bytes[await _socket.SendAsync(bytes)..];
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>The next stream, without sending anything.</summary>
    public H2Stream Open(bool grants = true, Func<ReadOnlyMemory<byte>, Task>? take = null)
    {
        lock (_windows)
        {
            var stream = new H2Stream(_next, _streamWindow)
            {
                Grants = grants,
                Take = take,
                Allowed = _allowedPerStream,
            };
            _streams[_next] = stream;
            _next += 2;
            if (_isOver)
            {
                stream.OnConnectionEnd(null);
            }

            return stream;
        }
    }

    /// <summary>
    /// Opens a stream with these fields. Of several at once the one with the lower number is sent first, or it would count as closed (RFC
    /// 9113 section 5.1.1).
    /// </summary>
    public async Task<H2Stream> BeginAsync(
        IEnumerable<(string Name, string Value)> fields,
        bool end = true,
        Func<ReadOnlyMemory<byte>, Task>? take = null
    )
    {
        H2Stream? stream = null;
        await SendAsync(() =>
        {
            stream = Open(take: take);
            return H2Frame.Headers(stream.Id, fields, end);
        });
        return stream!;
    }

    /// <summary>Opens a stream with a request without body.</summary>
    public Task<H2Stream> GetAsync(string host, string path, params (string Name, string Value)[] fields) =>
        BeginAsync([.. H2Frame.Request(host, path), .. fields]);

    /// <summary>One request and its response.</summary>
    public async Task<RawResponse> ExchangeAsync(string host, string path, params (string Name, string Value)[] fields) =>
        await (await GetAsync(host, path, fields)).ResponseAsync();

    /// <summary>One request with a body, and its response.</summary>
    public async Task<RawResponse> PostAsync(
        string host,
        string path,
        ReadOnlyMemory<byte> body,
        params (string Name, string Value)[] fields
    )
    {
        H2Stream stream = await BeginAsync([.. H2Frame.Request(host, path, "POST"), .. fields], end: false);
        await SendBodyAsync(stream, body);
        return await stream.ResponseAsync();
    }

    /// <summary>Sends a body as the windows allow. False when the stream was reset meanwhile.</summary>
    public async Task<bool> SendBodyAsync(H2Stream stream, ReadOnlyMemory<byte> body, bool end = true)
    {
        byte[] frame = new byte[H2Frame.HeaderBytes + FrameBytesMax];
        do
        {
            int part = await QuotaAsync(stream, Math.Min(body.Length, FrameBytesMax));
            if (part < 0)
            {
                return false;
            }

            H2Frame.WriteHeader(frame, part, H2Type.Data, end && part == body.Length ? H2Frame.EndStream : 0, stream.Id);
            body.Span[..part].CopyTo(frame.AsSpan(H2Frame.HeaderBytes));
            body = body[part..];
            await SendAsync(frame.AsMemory(0, H2Frame.HeaderBytes + part));
        } while (body.Length > 0);
        return true;
    }

    /// <summary>Opens a window and notes it.</summary>
    /// <param name="stream">The stream; null for the connection.</param>
    /// <param name="bytes">By how much.</param>
    public Task GrantAsync(H2Stream? stream, long bytes) => SendAsync(Granting(stream, bytes));

    /// <summary>Measures how long the gateway takes to answer a PING.</summary>
    public async Task<TimeSpan> PingAsync()
    {
        long opaque = Interlocked.Increment(ref _pinged);
        TaskCompletionSource acknowledged = _pings.GetOrAdd(opaque, _ => new TaskCompletionSource(
            TaskCreationOptions.RunContinuationsAsynchronously
        ));
        long began = Stopwatch.GetTimestamp();
        await SendAsync(H2Frame.Ping(opaque));
        await acknowledged.Task.InTimeAsync("acknowledgement of a PING");
        return Stopwatch.GetElapsedTime(began);
    }

    /// <summary>Waits for the first GOAWAY.</summary>
    public Task<H2GoAway> GoAwayAsync(TimeSpan? limit = null) => _goAway.Task.InTimeAsync("GOAWAY", limit);

    /// <summary>Waits for the end of the connection.</summary>
    public Task EndsAsync(TimeSpan? limit = null) => Ended.InTimeAsync("end of the connection", limit);

    /// <summary>Ends this side of the connection.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        foreach (H2Stream stream in _streams.Values)
        {
            stream.OnConnectionEnd(null);
        }
    }

    /// <summary>Takes as much of both windows as there is; -1 when the stream is gone.</summary>
    private async Task<int> QuotaAsync(H2Stream stream, int wanted)
    {
        while (true)
        {
            Task opened;
            lock (_windows)
            {
                int part = (int)Math.Min(wanted, Math.Min(_window, stream.Window));
                if (stream.IsGone)
                {
                    return -1;
                }

                if (part > 0 || wanted == 0)
                {
                    _window -= part;
                    stream.Window -= part;
                    return part;
                }

                opened = _opened.Task;
            }

            await opened.InTimeAsync($"window for stream {stream.Id}");
        }
    }

    private byte[] Granting(H2Stream? stream, long bytes)
    {
        lock (_windows)
        {
            if (stream is null)
            {
                _allowed += bytes;
                _taken = 0;
            }
            else
            {
                stream.Allowed += bytes;
                stream.Taken = 0;
            }
        }

        return H2Frame.Window(stream?.Id ?? 0, bytes);
    }

    private void Opened(Action change)
    {
        lock (_windows)
        {
            change();
            _opened.TrySetResult();
            _opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private async Task ReadAsync()
    {
        Exception? fault = null;
        try
        {
            while (await FrameAsync()) { }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // A reset, or this side's own end.
        }
        catch (Exception error)
        {
            fault = error;
            throw;
        }
        finally
        {
            Opened(() => End(fault));
        }
    }

    private void End(Exception? fault)
    {
        _isOver = true;
        fault ??= LastGoAway is { } goAway ? new IncompleteMessageException($"with {goAway}") : null;
        foreach (H2Stream stream in _streams.Values)
        {
            stream.OnConnectionEnd(fault);
        }

        _goAway.TrySetException(fault ?? new IncompleteMessageException("without GOAWAY"));
        _settled.TrySetException(fault ?? new IncompleteMessageException("without SETTINGS"));
        _ = (_goAway.Task.Exception, _settled.Task.Exception);
        foreach (TaskCompletionSource ping in _pings.Values)
        {
            ping.TrySetException(fault ?? new IncompleteMessageException("before the acknowledgement of a PING"));
            _ = ping.Task.Exception;
        }
    }

    private async Task<bool> FrameAsync()
    {
        if (!await HaveAsync(H2Frame.HeaderBytes))
        {
            return _start == _end ? false : throw new NotHttpException("the connection ended within a frame");
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start)) >>> 8;
        var type = (H2Type)_buffer[_start + 3];
        byte flags = _buffer[_start + 4];
        int id = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 5));
        if (length > FrameBytesMax || !await HaveAsync(H2Frame.HeaderBytes + length))
        {
            throw new NotHttpException($"{type} of {length} bytes, of which {_end - _start - H2Frame.HeaderBytes} came");
        }

        ReadOnlyMemory<byte> payload = _buffer.AsMemory(_start + H2Frame.HeaderBytes, length);
        _start += H2Frame.HeaderBytes + length;
        if (_blockStream != 0 && (type != H2Type.Continuation || id != _blockStream))
        {
            throw new NotHttpException($"{type} within a header block");
        }

        if (id == 0 || !IgnoresStreams)
        {
            await OnFrameAsync(type, flags, id, payload);
        }

        return true;
    }

    private async Task OnFrameAsync(H2Type type, byte flags, int id, ReadOnlyMemory<byte> payload)
    {
        bool first = (flags & H2Frame.EndStream) != 0;
        switch (type)
        {
            case H2Type.Data:
                await OnDataAsync(id, payload, first);
                break;
            case H2Type.Headers or H2Type.Continuation:
                OnBlock(type, flags, id, payload.Span);
                break;
            case H2Type.ResetStream:
                Opened(() => _streams[id].OnReset((H2Error)BinaryPrimitives.ReadUInt32BigEndian(payload.Span)));
                break;
            case H2Type.Settings when !first:
                OnSettings(payload.Span);
                await SendLooselyAsync(H2Frame.Of(H2Type.Settings, H2Frame.EndStream, 0));
                _settled.TrySetResult();
                break;
            case H2Type.Ping when first:
                _pings.GetValueOrDefault(BinaryPrimitives.ReadInt64BigEndian(payload.Span))?.TrySetResult();
                break;
            case H2Type.Ping:
                await SendLooselyAsync(H2Frame.Of(H2Type.Ping, H2Frame.EndStream, 0, payload.Span));
                break;
            case H2Type.GoAway:
                LastGoAway = new H2GoAway(
                    BinaryPrimitives.ReadInt32BigEndian(payload.Span),
                    (H2Error)BinaryPrimitives.ReadUInt32BigEndian(payload.Span[4..])
                );
                _goAway.TrySetResult(LastGoAway);
                break;
            case H2Type.WindowUpdate:
                int increment = BinaryPrimitives.ReadInt32BigEndian(payload.Span);
                Opened(() => Widen(id, increment));
                break;
            case H2Type.Settings:
                break;
            default:
                throw new NotHttpException($"{type} from a server");
        }
    }

    private void Widen(int id, int increment)
    {
        Assert.That(increment, Is.Positive, "increment of a window");
        if (id == 0)
        {
            _window += increment;
        }
        else
        {
            _streams[id].Window += increment;
        }
    }

    private void OnSettings(ReadOnlySpan<byte> payload)
    {
        for (; payload.Length > 0; payload = payload[6..])
        {
            int id = BinaryPrimitives.ReadUInt16BigEndian(payload);
            uint value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            Settings[id] = value;
            if (id == H2Frame.InitialWindowSize)
            {
                Opened(() =>
                {
                    foreach (H2Stream stream in _streams.Values)
                    {
                        stream.Window += value - _streamWindow;
                    }

                    _streamWindow = value;
                });
            }
        }
    }

    private void OnBlock(H2Type type, byte flags, int id, ReadOnlySpan<byte> payload)
    {
        if (type == H2Type.Headers)
        {
            (_blockStream, _blockEnds) = (id, (flags & H2Frame.EndStream) != 0);
            _block.SetLength(0);
        }

        _block.Write(payload);
        if ((flags & H2Frame.EndHeaders) != 0)
        {
            _blockStream = 0;
            _streams[id].OnHeaders(_hpack.Read(_block.ToArray()), _blockEnds);
        }
    }

    private async Task OnDataAsync(int id, ReadOnlyMemory<byte> data, bool ends)
    {
        H2Stream stream = _streams[id];
        lock (_windows)
        {
            _allowed -= data.Length;
            stream.Allowed -= data.Length;
            if (_allowed < 0 || (stream.Allowed < 0 && data.Length > 0))
            {
                throw new NotHttpException($"DATA of {data.Length} bytes past the window of stream {id}");
            }
        }

        await stream.OnDataAsync(data, ends);
        if (data.Length == 0)
        {
            return;
        }

        _taken += data.Length;
        stream.Taken += data.Length;
        byte[] updates =
        [
            .. Grants && _taken >= GrantBytes ? Granting(null, _taken) : [],
            .. stream.Grants && !ends && stream.Taken >= Math.Min(GrantBytes, (_allowedPerStream + 1) / 2)
                ? Granting(stream, stream.Taken)
                : [],
        ];
        if (updates.Length > 0)
        {
            await SendLooselyAsync(updates);
        }
    }

    /// <summary>Sends an answer; a connection that ends meanwhile still has something to read.</summary>
    private async Task SendLooselyAsync(byte[] bytes)
    {
        try
        {
            await SendAsync(bytes);
        }
        catch (SocketException)
        {
            // What has come is read to its end.
        }
    }

    private async Task<bool> HaveAsync(int count)
    {
        while (_end - _start < count)
        {
            if (_buffer.Length - _start < H2Frame.HeaderBytes + FrameBytesMax)
            {
                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_end, _start) = (_end - _start, 0);
            }

            int received = await _socket.ReceiveAsync(_buffer.AsMemory(_end));
            if (received == 0)
            {
                return false;
            }

            _end += received;
        }

        return true;
    }
}
