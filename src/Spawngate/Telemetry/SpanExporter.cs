using System.Text;
using Spawngate.Runtime;

namespace Spawngate.Telemetry;

/// <summary>
/// Sends a span for every sampled request to a collector: OTLP over HTTP, in protocol buffers. Requests write their spans into
/// <see cref="RecordBuffers"/>; a task sends them, a buffer at a time, once a second or when much has come. When the collector does not
/// answer, the buffer is kept and tried again, and what does not fit behind it is dropped and counted.
/// </summary>
internal sealed class SpanExporter : IAsyncDisposable
{
    /// <summary>What OTLP appends to the address of a collector.</summary>
    public const string TracesPath = "/v1/traces";

    /// <summary>The variable of OpenTelemetry that names the service.</summary>
    public const string ServiceNameVariable = "OTEL_SERVICE_NAME";

    /// <summary>Its name without one.</summary>
    public const string ServiceName = "spawngate";

    private readonly Uri _url;
    private readonly byte[] _resource;
    private readonly RecordCounts _counts;
    private readonly CoarseClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpMessageInvoker _http;
    private readonly RecordBuffers _buffers;
    private readonly SemaphoreSlim _signal = new(0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _running;
    private RecordBuffer _pending = new(place: 0);
    private long _nextAtMs;
    private long _sayAtMs;
    private volatile bool _isClosing;

    /// <summary>Starts the task.</summary>
    /// <param name="endpoint">The collector, as <c>http://host:4318</c>.</param>
    /// <param name="serviceName">What the spans say they come from.</param>
    /// <param name="counts">Where it is counted what was sent and dropped.</param>
    /// <param name="clock">Its ticks wake the task.</param>
    /// <param name="time">Stamps the spans.</param>
    /// <param name="log">Of category <c>spawngate.otlp</c>.</param>
    public SpanExporter(Uri endpoint, string serviceName, RecordCounts counts, CoarseClock clock, TimeProvider time, ILogger log)
    {
        _url = UrlOf(endpoint);
        _resource = Resource(serviceName);
        _counts = counts;
        _clock = clock;
        _time = time;
        _log = log;
        _http = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                ConnectTimeout = TimeSpan.FromMilliseconds(TelemetryLimits.OtlpTimeoutMs),
                UseProxy = false,
                UseCookies = false,
                AllowAutoRedirect = false,
                ActivityHeadersPropagator = null,
            }
        );
        _buffers = new RecordBuffers(Wake);
        counts.Buffers = _buffers;
        clock.Tick += OnTick;
        _running = Task.Run(RunAsync);
    }

    /// <summary>Makes ids.</summary>
    public TraceIds Ids { get; } = new();

    /// <summary>Where spans are sent: the endpoint's path, if it has one, and <see cref="TracesPath"/>.</summary>
    public static Uri UrlOf(Uri endpoint) => new(endpoint.GetLeftPart(UriPartial.Path).TrimEnd('/') + TracesPath);

    /// <summary>Adds a span, or drops and counts it; never waits and allocates nothing once its buffers have grown.</summary>
    public void Add(in FinishedRequest request, RequestTimings timings)
    {
        if (_isClosing)
        {
            _buffers.Drop(1);
            return;
        }

        if (_buffers.TryTake() is not { } buffer)
        {
            return;
        }

        var room = buffer.Reserve(SpanRecord.BytesNeeded(request));
        if (room.IsEmpty)
        {
            _buffers.Drop(1);
        }
        else
        {
            buffer.Commit(SpanRecord.Write(room, request, timings, SpanClock.Read(_time)));
        }

        _buffers.Return(buffer);
    }

    /// <summary>Sends what there is, once and within <see cref="TelemetryLimits.OtlpEndMs"/>; later spans are dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isClosing)
        {
            return;
        }

        _clock.Tick -= OnTick;
        _isClosing = true;
        _end.CancelAfter(TelemetryLimits.OtlpEndMs);
        _signal.Release();
        await _running.ConfigureAwait(false);
        _http.Dispose();
        _signal.Dispose();
        _end.Dispose();
    }

    private void OnTick()
    {
        if (_buffers.IsDirty && _clock.NowMs >= Volatile.Read(ref _nextAtMs))
        {
            Wake();
        }
    }

    private void Wake()
    {
        if (_signal.CurrentCount == 0 && !_isClosing)
        {
            _signal.Release();
        }
    }

    private async Task RunAsync()
    {
        bool open = true;
        while (open)
        {
            await _signal.WaitAsync().ConfigureAwait(false);
            open = !_isClosing;
            Volatile.Write(ref _nextAtMs, _clock.NowMs + TelemetryLimits.OtlpPeriodMs);
            try
            {
                await DrainAsync(last: !open).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                // Not even the sending of spans that follow is worth it to end for these.
                CallbackGuard.OnFault(fault, nameof(SpanExporter), owner: null);
                DropPending();
            }
        }

        DropPending();
    }

    private async Task DrainAsync(bool last)
    {
        _buffers.BeginDrain();
        bool goesOn = _pending.Count == 0 || await SendAsync().ConfigureAwait(false);
        for (int place = 0; place < _buffers.Places && (goesOn || last); place++)
        {
            if (_pending.Count > 0)
            {
                DropPending(); // The end: there is no later.
            }

            goesOn = !_buffers.TryDrain(place, ref _pending, last) || await SendAsync().ConfigureAwait(false);
        }
    }

    private void DropPending()
    {
        _counts.AddDropped(_pending.Count);
        _pending.Clear();
    }

    /// <summary>Sends the pending buffer; false when it is to be tried again.</summary>
    private async Task<bool> SendAsync()
    {
        string error;
        bool again = true;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        limit.CancelAfter(TelemetryLimits.OtlpTimeoutMs);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, _url)
            {
                Content = new SpanBatch(_resource, _pending.WrittenMemory),
            };
            using var response = await _http.SendAsync(request, limit.Token).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                _counts.AddWritten(_pending.Count);
                _pending.Clear();
                return true;
            }

            error = $"it answers {(int)response.StatusCode}";
            again = (int)response.StatusCode is 429 or 502 or 503 or 504;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            error = e is OperationCanceledException ? "it does not answer in time" : e.InnerException?.Message ?? e.Message;
        }

        Fail(error, again);
        return !again;
    }

    private void Fail(string error, bool again)
    {
        if (!again)
        {
            _counts.AddDropped(_pending.Count);
            _pending.Clear();
        }

        // Until then nothing wakes the task: what comes meanwhile gathers in the buffers.
        Volatile.Write(ref _nextAtMs, _clock.NowMs + TelemetryLimits.OtlpRetryMs);
        _buffers.MarkDirty();
        if (_clock.NowMs >= _sayAtMs)
        {
            _sayAtMs = _clock.NowMs + TelemetryLimits.OtlpSayMs;
            SpanExporterLog.CannotSend(_log, _url, error, _counts.Dropped);
        }
    }

    private static byte[] Resource(string serviceName)
    {
        byte[] name = Encoding.UTF8.GetBytes(serviceName);
        byte[] target = new byte[TelemetryLimits.OtlpTextBytes + name.Length];
        var writer = new ProtoWriter(target);
        int resource = writer.Open(1);
        writer.Attribute(1, "service.name"u8, name);
        writer.Attribute(1, "service.version"u8, Encoding.UTF8.GetBytes(SpawngateVersion.Text));
        writer.Close(resource);
        return target[..writer.Length];
    }
}

/// <summary>Log lines of category <c>spawngate.otlp</c>.</summary>
internal static partial class SpanExporterLog
{
    /// <summary>Spans cannot be sent.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "url=\"{Url}\" error=\"{Error}\" dropped=\"{Dropped}\" Spans cannot be sent to the collector; they are kept while there is room, and it is tried again"
    )]
    public static partial void CannotSend(ILogger log, Uri url, string error, long dropped);
}
