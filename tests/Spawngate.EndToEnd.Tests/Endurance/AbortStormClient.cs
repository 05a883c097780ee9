using System.Globalization;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;
using TestBackend;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>What is asked in one exchange, and what comes of it on either side.</summary>
/// <param name="Number">Tells it from all others; every byte of its bodies does.</param>
/// <param name="Length">Bytes of the response's body.</param>
/// <param name="Framing">How the backend frames it.</param>
/// <param name="Cut">Bytes after which the backend ends the connection; -1 for never.</param>
/// <param name="IsReset">Whether it does so by a reset.</param>
/// <param name="LeaveAfter">Bytes of the response after which the client leaves; -1 for never.</param>
/// <param name="UploadBytes">Bytes of the request's body.</param>
/// <param name="LeaveUploadAfter">Bytes of it after which the client leaves; -1 for never.</param>
internal sealed record MarkedExchange(
    int Number,
    int Length,
    string Framing,
    int Cut,
    bool IsReset,
    int LeaveAfter,
    int UploadBytes,
    int LeaveUploadAfter
)
{
    private const int LengthMax = 400_000;

    private static int s_last;

    /// <summary>True when it is an upload.</summary>
    public bool IsUpload => UploadBytes > 0;

    /// <summary>The target.</summary>
    public string Target =>
        IsUpload
            ? $"/marked-upload?mark={Number}"
            : $"/marked?mark={Number}&n={Length}&framing={Framing}&cut={Cut}&how={(IsReset ? "reset" : "end")}";

    /// <summary>One of a storm.</summary>
    public static MarkedExchange Draw(Random random)
    {
        int length = Size(random);
        bool isUpload = random.Next(4) == 0;
        int upload = isUpload ? 1 + Size(random) : 0;
        return new MarkedExchange(
            Interlocked.Increment(ref s_last),
            length,
            random.Next(3) switch
            {
                0 => "chunked",
                1 => "close",
                _ => "length",
            },
            !isUpload && random.Next(4) == 0 ? random.Next(length + 1) : -1,
            random.Next(2) == 0,
            random.Next(4) == 0 ? random.Next(length + 1) : -1,
            upload,
            isUpload && random.Next(3) == 0 ? random.Next(upload) : -1
        );
    }

    /// <summary>The bytes of an upload.</summary>
    public byte[] Body(int bytes)
    {
        byte[] body = new byte[bytes];
        MarkedBytes.Fill(body, Number, 0);
        return body;
    }

    /// <summary>What is wrong with a piece of the response; null when nothing is.</summary>
    public string? Check(ReadOnlySpan<byte> part, long offset) =>
        MarkedBytes.FindStranger(part, Number, offset) is >= 0 and var place ? $"exchange {Number}: a foreign byte at {place}"
        : offset + part.Length > Length ? $"exchange {Number}: too long"
        : null;

    /// <summary>What is wrong with a response that has ended as if it were complete; null when nothing is.</summary>
    public string? CheckWhole(RawResponse response)
    {
        if (response.Status is 502 or 503 or 504)
        {
            // The backend gave up before the first byte, or died of somebody else's cut.
            return response.Header("X-Proxy-Error") is null ? $"exchange {Number}: {response.Status} of nobody"
                : Cut >= 0 || IsUpload ? null
                : $"exchange {Number}: {response.Status} {response.Text}";
        }

        if (response.Status != 200 || response.Header(MarkedBytes.Field) != Number.ToString(CultureInfo.InvariantCulture))
        {
            return $"exchange {Number}: {response.Status} of exchange {response.Header(MarkedBytes.Field)}: {response.Text}";
        }

        if (IsUpload)
        {
            return response.Text == $"{UploadBytes} -1"
                ? null
                : $"exchange {Number}: an upload of {UploadBytes} arrived as {response.Text}";
        }

        // An answer that ends with its connection and is cut in order at its very end is complete; anywhere else nobody could tell, but for
        // a reset.
        bool mayEndEarly = Framing == "close" && Cut >= 0 && !IsReset;
        return response.BodyLength == Length || (mayEndEarly && response.BodyLength == Cut)
            ? null
            : $"exchange {Number}: {response.BodyLength} of {Length} bytes look complete ({Framing}, cut at {Cut}, reset {IsReset})";
    }

    /// <summary>Zero, small, or so large that it goes from kernel to kernel.</summary>
    private static int Size(Random random) =>
        random.Next(4) switch
        {
            0 => random.Next(200),
            1 => random.Next(20_000),
            _ => random.Next(LengthMax),
        };
}

/// <summary>One client of a storm of aborts: asks, leaves in the middle, is cut by the backend, and looks at every byte it gets.</summary>
internal sealed class AbortStormClient(int port, string host, Random random, Task over)
{
    private const int FailuresKept = 10;
    private const int GroupMax = 4;
    private readonly List<string> _failures = [];
    private RawClient? _http1;
    private H2Client? _http2;
    private int _complete;
    private long _bytes;

    /// <summary>Exchanges begun.</summary>
    public int Asked { get; private set; }

    /// <summary>Exchanges that came to their end, with every byte.</summary>
    public int Complete => _complete;

    /// <summary>Bytes of responses that were looked at.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>What went wrong, the first few times.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Goes on until the storm is over.</summary>
    public async Task RunAsync()
    {
        while (!over.IsCompleted && _failures.Count < FailuresKept)
        {
            bool http2 = random.Next(2) == 0;
            MarkedExchange[] group = DrawGroup(http2);
            Asked += group.Length;
            try
            {
                await (http2 ? Http2Async(group) : Http1Async(group));
            }
            catch (StrangeByteException e)
            {
                _failures.Add(e.Message);
                Leave(reset: true);
            }
            catch (Exception e) when (e is SocketException or IncompleteMessageException or StreamResetException or ObjectDisposedException)
            {
                Leave(reset: true);
                if (group.All(static each => each is { Cut: < 0, IsUpload: false, LeaveAfter: < 0 }))
                {
                    _failures.Add(
                        $"exchanges {string.Join(", ", group.Select(static each => each.Number))}: {e.Message}, although nobody cut them"
                    );
                }
            }
        }

        Leave(reset: false);
    }

    /// <summary>One exchange, or some that share a connection at the same time: streams, or requests that are sent ahead.</summary>
    private MarkedExchange[] DrawGroup(bool http2)
    {
        MarkedExchange[] group =
        [
            .. Enumerable.Range(0, random.Next(3) == 0 ? 2 + random.Next(GroupMax - 1) : 1).Select(_ => MarkedExchange.Draw(random)),
        ];

        // Behind a body that is left in the middle nothing can be sent ahead.
        return http2 || group.Length == 1 ? group : group.Where(static each => !each.IsUpload).DefaultIfEmpty(group[0]).ToArray();
    }

    private async Task Http1Async(MarkedExchange[] group)
    {
        _http1 ??= await RawClient.ConnectAsync(port);
        if (group is [{ IsUpload: true } upload])
        {
            byte[] body = upload.Body(upload.LeaveUploadAfter >= 0 ? upload.LeaveUploadAfter : upload.UploadBytes);
            await _http1.SendAsync(RawClient.Head(host, upload.Target, "POST", $"Content-Length: {upload.UploadBytes}\r\n"));
            await _http1.SendAsync(body);
            if (upload.LeaveUploadAfter >= 0)
            {
                LeaveHttp1();
                return;
            }
        }
        else
        {
            await _http1.SendAsync(string.Concat(group.Select(each => RawClient.Head(host, each.Target))));
        }

        foreach (MarkedExchange exchange in group)
        {
            if (_http1 is not null)
            {
                await ReadHttp1Async(_http1, exchange);
            }
        }
    }

    private async Task ReadHttp1Async(RawClient client, MarkedExchange exchange)
    {
        RawResponse response = await client.ReadHeadAsync();
        if (response.Status != 200 || exchange.IsUpload)
        {
            await client.ReadBodyAsync(response);
        }
        else
        {
            long taken = 0;
            await client.ReadBodyAsync(response, part => Take(exchange, part, ref taken));
        }

        Demand(exchange.CheckWhole(response));
        Interlocked.Increment(ref _complete);
        if (response.Closes || response.Framing == Harness.Framing.Close)
        {
            client.Dispose();
            _http1 = null;
        }
    }

    /// <summary>
    /// All of a group at once, each to its end; what is wrong with the bytes of one says more than that others were cut with it.
    /// </summary>
    private async Task Http2Async(MarkedExchange[] group)
    {
        H2Client client = _http2 ??= await H2Client.ConnectAsync(port);
        Task[] all = [.. group.Select(each => Task.Run(() => Http2Async(client, each)))];
        await Task.WhenAll(all).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (
            all.SelectMany(static each => each.Exception?.InnerExceptions ?? [])
                .OrderByDescending(static each => each is StrangeByteException)
                .FirstOrDefault() is
            { } fault
        )
        {
            ExceptionDispatchInfo.Throw(fault);
        }
    }

    private async Task Http2Async(H2Client client, MarkedExchange exchange)
    {
        long taken = 0;
        H2Stream stream = await client.BeginAsync(
            H2Frame.Request(host, exchange.Target, exchange.IsUpload ? "POST" : "GET"),
            end: !exchange.IsUpload,
            take: exchange.IsUpload ? null : part => Take(exchange, part, ref taken)
        );
        if (exchange.IsUpload)
        {
            bool leaves = exchange.LeaveUploadAfter >= 0;
            await client.SendBodyAsync(stream, exchange.Body(leaves ? exchange.LeaveUploadAfter : exchange.UploadBytes), end: !leaves);
            if (leaves)
            {
                await client.SendAsync(H2Frame.Reset(stream.Id));
                return;
            }
        }

        try
        {
            RawResponse response = await stream.ResponseAsync();
            Demand(exchange.CheckWhole(response));
            Interlocked.Increment(ref _complete);
        }
        catch (StreamResetException e)
        {
            // That is how a cut shows; the connection goes on, and the streams beside it.
            Demand(exchange.Cut >= 0 || exchange.IsUpload ? null : $"exchange {exchange.Number}: {e.Message}, although nobody cut it");
        }
    }

    /// <summary>Looks at a piece, and leaves when it is time.</summary>
    private Task Take(MarkedExchange exchange, ReadOnlyMemory<byte> part, ref long taken)
    {
        // The error of a gateway that could not begin has no mark.
        if (taken > 0 || !part.Span.StartsWith("{\"code\":"u8))
        {
            Demand(exchange.Check(part.Span, taken));
        }

        taken += part.Length;
        Interlocked.Add(ref _bytes, part.Length);
        return exchange.LeaveAfter >= 0 && taken > exchange.LeaveAfter ? throw new ObjectDisposedException("left") : Task.CompletedTask;
    }

    private static void Demand(string? wrong)
    {
        if (wrong is not null)
        {
            throw new StrangeByteException(wrong);
        }
    }

    private void LeaveHttp1()
    {
        // In order or by a reset, as it comes.
        if (random.Next(2) == 0 && _http1 is not null)
        {
            _http1.Socket.LingerState = new LingerOption(true, 0);
        }

        _http1?.Dispose();
        _http1 = null;
    }

    private void Leave(bool reset)
    {
        if (reset)
        {
            LeaveHttp1();
        }

        _http1?.Dispose();
        _http1 = null;
        _http2?.Dispose();
        _http2 = null;
    }

    private sealed class StrangeByteException(string what) : Exception(what);
}
