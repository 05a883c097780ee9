using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Telemetry;

/// <summary>
/// The access log: finished requests become lines in <see cref="RecordBuffers"/>, and a thread of its own writes them at every tick. A
/// request never waits for the file. When that cannot be written, or not fast enough, the buffers fill, and what does not fit is dropped
/// and counted.
/// </summary>
/// <remarks>
/// <code>
///   lines ─▶ RecordBuffers ─▶ pending buffer ─▶ write ─┬─ all of it: next buffer
///                                  ▲                   └─ error: said in the log; the file is opened again and the rest written, once a second ──┐
///                                  └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
/// </code>
/// Lines written and lines dropped together are the requests. A line that an error cut is completed when writing goes on.
/// </remarks>
internal sealed class AccessLog : IDisposable
{
    private readonly AppendFile _file;
    private readonly AccessLogFormat _format;
    private readonly RecordCounts _counts;
    private readonly CoarseClock _clock;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly AutoResetEvent _signal = new(initialState: false);
    private readonly RecordBuffers _buffers;
    private readonly Thread _thread;
    private RecordBuffer _pending = new(place: 0);
    private int _pendingSent;
    private int _pendingLines;
    private volatile bool _isFailing;
    private long _retryAtMs;
    private long _droppedSaid;
    private long _saidAtMs;
    private volatile bool _isClosing;
    private volatile bool _isReopening;

    /// <summary>Starts the thread.</summary>
    /// <param name="file">Where the lines go; it is this log's from now on.</param>
    /// <param name="format">How they are written.</param>
    /// <param name="counts">Where it is counted what was written and dropped.</param>
    /// <param name="clock">Its ticks wake the thread.</param>
    /// <param name="time">Stamps the lines.</param>
    /// <param name="log">Of category <c>spawngate.access</c>.</param>
    public AccessLog(AppendFile file, AccessLogFormat format, RecordCounts counts, CoarseClock clock, TimeProvider time, ILogger log)
    {
        _file = file;
        _format = format;
        _counts = counts;
        _clock = clock;
        _time = time;
        _log = log;
        _buffers = new RecordBuffers(Wake);
        counts.Buffers = _buffers;
        clock.Tick += OnTick;
        _thread = new Thread(Run) { IsBackground = true, Name = "spawngate-access" };
        _thread.Start();
    }

    /// <summary>Adds a line, or drops and counts it; never waits and allocates nothing once its buffers have grown.</summary>
    public void Add(in FinishedRequest request)
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

        var room = buffer.Reserve(AccessLine.BytesNeeded(_format, request));
        if (room.IsEmpty)
        {
            _buffers.Drop(1);
        }
        else
        {
            buffer.Commit(AccessLine.Write(_format, room, request, _time.GetUtcNow().UtcDateTime));
        }

        _buffers.Return(buffer);
    }

    /// <summary>
    /// Has the file opened again, by the thread that writes it, after what came before was written: it may have been moved away.
    /// </summary>
    public void Reopen()
    {
        _isReopening = true;
        Wake();
    }

    /// <summary>Writes what there is, waiting at most <see cref="LoggingLimits.LogFlushMs"/>; later lines are dropped.</summary>
    public void Dispose()
    {
        if (_isClosing)
        {
            return;
        }

        _clock.Tick -= OnTick;
        _isClosing = true;
        _signal.Set();
        if (_thread.Join(LoggingLimits.LogFlushMs))
        {
            _signal.Dispose();
            _file.Dispose();
        }

        SayDropped();
    }

    private void Wake()
    {
        if (!_isClosing)
        {
            _signal.Set();
        }
    }

    private void OnTick()
    {
        if (_buffers.IsDirty || _isFailing)
        {
            Wake();
        }

        // Here, and not by the thread: that one may be waiting for the disk.
        if (_clock.NowMs >= _saidAtMs + LoggingLimits.LogDropNoticeMs)
        {
            SayDropped();
        }
    }

    private void Run()
    {
        bool open = true;
        while (open)
        {
            _signal.WaitOne();
            open = !_isClosing;
            try
            {
                DrainWoken(last: !open);
            }
            catch (Exception fault)
            {
                CallbackGuard.OnFault(fault, nameof(AccessLog), owner: null);
            }
        }
    }

    private void DrainWoken(bool last)
    {
        if (_isReopening)
        {
            _isReopening = false;
            Drain(last: false);
            Rotate();
        }

        Drain(last);
    }

    /// <summary>Writes all that is there, until something cannot be written.</summary>
    private void Drain(bool last)
    {
        if (_isFailing && !last && _clock.NowMs < _retryAtMs)
        {
            return;
        }

        _buffers.BeginDrain();
        bool goesOn = (_file.IsOpen || OpenAgain()) && WritePending();
        for (int place = 0; goesOn && place < _buffers.Places; place++)
        {
            goesOn = !_buffers.TryDrain(place, ref _pending, last) || WriteDrained();
        }

        if (last)
        {
            AbandonRest();
        }
    }

    private bool WriteDrained()
    {
        _pendingSent = 0;
        _pendingLines = _pending.Count;
        return WritePending();
    }

    /// <summary>Writes what is left of the pending buffer; false when it could not all be written.</summary>
    private bool WritePending()
    {
        while (_pendingSent < _pending.Length)
        {
            int written = _file.Write(_pending.Written[_pendingSent..], out string? error);
            if (error is not null)
            {
                Fail(error);
                return false;
            }

            if (written == 0 && _isClosing)
            {
                return false; // A pipe that nobody reads: this is the end, so it was given its time.
            }

            int lines = _pending.Written.Slice(_pendingSent, written).Count((byte)'\n');
            _pendingSent += written;
            _pendingLines -= lines;
            _counts.AddWritten(lines);
        }

        _pending.Clear();
        _pendingSent = 0;
        if (_isFailing && _file.IsOpen)
        {
            _isFailing = false;
            AccessLogMessages.WritesAgain(_log, _file.Name);
        }

        return true;
    }

    /// <summary>At the end: what could not be written never will be.</summary>
    private void AbandonRest()
    {
        _buffers.Drop(_pendingLines);
        _pendingLines = 0;
        _pending.Clear();
        for (int place = 0; place < _buffers.Places; place++)
        {
            if (_buffers.TryDrain(place, ref _pending, last: true))
            {
                _buffers.Drop(_pending.Count);
                _pending.Clear();
            }
        }
    }

    private bool OpenAgain()
    {
        if (!_file.TryReopen(out string error))
        {
            Fail(error);
            return false;
        }

        BeginLineAgain();
        return true;
    }

    private void Rotate()
    {
        if (_file.TryReopen(out string error))
        {
            BeginLineAgain();
        }
        else
        {
            AccessLogMessages.CannotReopen(_log, _file.Name, error);
        }
    }

    /// <summary>Whoever read before keeps the part of a line that it got; the next one gets all of it.</summary>
    private void BeginLineAgain() => _pendingSent = _pending.Written[.._pendingSent].LastIndexOf((byte)'\n') + 1;

    private void Fail(string error)
    {
        _retryAtMs = _clock.NowMs + TelemetryLimits.AccessLogRetryMs;
        if (!_isFailing)
        {
            _isFailing = true;
            AccessLogMessages.CannotWrite(_log, _file.Name, error);
        }
    }

    private void SayDropped()
    {
        long dropped = _counts.Dropped;
        long said = Interlocked.Exchange(ref _droppedSaid, dropped);
        if (dropped > said)
        {
            _saidAtMs = _clock.NowMs;
            AccessLogMessages.Dropped(_log, dropped - said, dropped);
        }
    }
}

/// <summary>Log lines of category <c>spawngate.access</c>.</summary>
internal static partial class AccessLogMessages
{
    /// <summary>The access log cannot be written.</summary>
    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "file=\"{File}\" error=\"{Error}\" The access log cannot be written; lines are kept while there is room, and it is tried again every second"
    )]
    public static partial void CannotWrite(ILogger log, string file, string error);

    /// <summary>It was to be opened again and cannot be.</summary>
    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "file=\"{File}\" error=\"{Error}\" The access log cannot be opened again; lines go on into the file that is open"
    )]
    public static partial void CannotReopen(ILogger log, string file, string error);

    /// <summary>It can be written again.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "file=\"{File}\" The access log is written again")]
    public static partial void WritesAgain(ILogger log, string file);

    /// <summary>Lines were dropped.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "dropped=\"{Dropped}\" total=\"{Total}\" Lines of the access log were dropped because it could not be written fast enough"
    )]
    public static partial void Dropped(ILogger log, long dropped, long total);
}
