using System.Globalization;
using System.Net.Sockets;
using System.Text;
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
internal sealed record MarkedExchange(int Number, int Length, string Framing, int Cut, bool IsReset, int LeaveAfter, int UploadBytes, int LeaveUploadAfter)
{
    private const int LengthMax = 400_000;

    private static int s_last;

    /// <summary>True when it is an upload.</summary>
    public bool IsUpload => UploadBytes > 0;

    /// <summary>The target.</summary>
    public string Target => IsUpload ? $"/marked-upload?mark={Number}" : $"/marked?mark={Number}&n={Length}&framing={Framing}&cut={Cut}&how={(IsReset ? "reset" : "end")}";

    /// <summary>One of a storm.</summary>
    public static MarkedExchange Draw(Random random)
    {
        int length = Size(random);
        bool isUpload = random.Next(4) == 0;
        int upload = isUpload ? 1 + Size(random) : 0;
        return new MarkedExchange(
            Interlocked.Increment(ref s_last),
            length,
            random.Next(3) switch { 0 => "chunked", 1 => "close", _ => "length" },
            !isUpload && random.Next(4) == 0 ? random.Next(length + 1) : -1,
            random.Next(2) == 0,
            random.Next(4) == 0 ? random.Next(length + 1) : -1,
            upload,
            isUpload && random.Next(3) == 0 ? random.Next(upload) : -1);
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
        MarkedBytes.FindStranger(part, Number, offset) is >= 0 and var place ? $"exchange {Number}: a foreign byte at {place}" : offset + part.Length > Length ? $"exchange {Number}: too long" : null;

    /// <summary>What is wrong with a response that has ended as if it were complete; null when nothing is.</summary>
    public string? CheckWhole(RawResponse response)
    {
        if (response.Status is 502 or 503 or 504)
        {
            // The backend gave up before the first byte, or died of somebody else's cut.
            return response.Header("X-Proxy-Error") is null ? $"exchange {Number}: {response.Status} of nobody" : Cut >= 0 || IsUpload ? null : $"exchange {Number}: {response.Status} {response.Text}";
        }

        if (response.Status != 200 || response.Header(MarkedBytes.Field) != Number.ToString(CultureInfo.InvariantCulture))
        {
            return $"exchange {Number}: {response.Status} of exchange {response.Header(MarkedBytes.Field)}: {response.Text}";
        }

        if (IsUpload)
        {
            return response.Text == $"{UploadBytes} -1" ? null : $"exchange {Number}: an upload of {UploadBytes} arrived as {response.Text}";
        }

        // An answer that ends with its connection and is cut in order at its very end is complete; anywhere else nobody could tell, but for a reset.
        bool mayEndEarly = Framing == "close" && Cut >= 0 && !IsReset;
        return response.BodyLength == Length || (mayEndEarly && response.BodyLength == Cut) ? null
            : $"exchange {Number}: {response.BodyLength} of {Length} bytes look complete ({Framing}, cut at {Cut}, reset {IsReset})";
    }

    /// <summary>Zero, small, or so large that it goes from kernel to kernel.</summary>
    private static int Size(Random random) => random.Next(4) switch
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
    private readonly List<string> _failures = [];
    private RawClient? _http1;
    private H2Client? _http2;

    /// <summary>Exchanges begun.</summary>
    public int Asked { get; private set; }

    /// <summary>Exchanges that came to their end, with every byte.</summary>
    public int Complete { get; private set; }

    /// <summary>Bytes of responses that were looked at.</summary>
    public long Bytes { get; private set; }

    /// <summary>What went wrong, the first few times.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Goes on until the storm is over.</summary>
    public async Task RunAsync()
    {
        while (!over.IsCompleted && _failures.Count < FailuresKept)
        {
            MarkedExchange exchange = MarkedExchange.Draw(random);
            Asked++;
            try
            {
                bool complete = random.Next(2) == 0 ? await Http1Async(exchange) : await Http2Async(exchange);
                Complete += complete ? 1 : 0;
            }
            catch (StrangeByteException e)
            {
                _failures.Add(e.Message);
            }
            catch (Exception e) when (e is SocketException or IncompleteMessageException or StreamResetException or ObjectDisposedException)
            {
                Leave(reset: true);
                if (exchange is { Cut: < 0, IsUpload: false, LeaveAfter: < 0 })
                {
                    _failures.Add($"exchange {exchange.Number}: {e.Message}, although nobody cut it");
                }
            }
        }

        Leave(reset: false);
    }

    private async Task<bool> Http1Async(MarkedExchange exchange)
    {
        _http1 ??= await RawClient.ConnectAsync(port);
        if (exchange.IsUpload)
        {
            byte[] body = exchange.Body(exchange.LeaveUploadAfter >= 0 ? exchange.LeaveUploadAfter : exchange.UploadBytes);
            await _http1.SendAsync(RawClient.Head(host, exchange.Target, "POST", $"Content-Length: {exchange.UploadBytes}\r\n"));
            await _http1.SendAsync(body);
            if (exchange.LeaveUploadAfter >= 0)
            {
                LeaveHttp1();
                return false;
            }
        }
        else
        {
            await _http1.SendAsync(RawClient.Head(host, exchange.Target));
        }

        RawResponse response = await _http1.ReadHeadAsync();
        if (response.Status != 200 || exchange.IsUpload)
        {
            await _http1.ReadBodyAsync(response);
        }
        else
        {
            long taken = 0;
            await _http1.ReadBodyAsync(response, part => Take(exchange, part, ref taken));
        }

        Demand(exchange.CheckWhole(response));
        if (response.Closes || response.Framing == Harness.Framing.Close)
        {
            _http1.Dispose();
            _http1 = null;
        }

        return true;
    }

    private async Task<bool> Http2Async(MarkedExchange exchange)
    {
        _http2 ??= await H2Client.ConnectAsync(port);
        long taken = 0;
        H2Stream stream = _http2.Open(take: exchange.IsUpload ? null : part => Take(exchange, part, ref taken));
        await _http2.SendAsync(H2Frame.Headers(stream.Id, H2Frame.Request(host, exchange.Target, exchange.IsUpload ? "POST" : "GET"), end: !exchange.IsUpload));
        if (exchange.IsUpload)
        {
            bool leaves = exchange.LeaveUploadAfter >= 0;
            await _http2.SendBodyAsync(stream, exchange.Body(leaves ? exchange.LeaveUploadAfter : exchange.UploadBytes), end: !leaves);
            if (leaves)
            {
                await _http2.SendAsync(H2Frame.Reset(stream.Id));
                return false;
            }
        }

        try
        {
            RawResponse response = await stream.ResponseAsync();
            Demand(exchange.CheckWhole(response));
            return true;
        }
        catch (StreamResetException) when (exchange.Cut >= 0 || exchange.IsUpload)
        {
            return false; // That is how a cut shows; the connection goes on.
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
        Bytes += part.Length;
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
