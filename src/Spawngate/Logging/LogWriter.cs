using Spawngate.Runtime;

namespace Spawngate.Logging;

/// <summary>
/// Writes log lines to a stream on a thread of its own. Nobody who logs ever waits for the stream: lines go into a bounded buffer that the
/// thread exchanges for the one it has just written; when it is full they are dropped, output of backends first, and the log says how many.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    private readonly object _gate = new();
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private byte[] _filling = new byte[LoggingLimits.LogBatchBytes];
    private byte[] _writing = new byte[LoggingLimits.LogBatchBytes];
    private int _filled;
    private long _dropped;
    private long _droppedOutput;
    private long _lastNotice;
    private bool _noticed;
    private bool _closing;

    /// <summary>Starts the thread.</summary>
    /// <param name="stream">Where the lines go; it is not closed.</param>
    /// <param name="time">Stamps the notices of dropped lines.</param>
    /// <param name="style">How lines look.</param>
    public LogWriter(Stream stream, TimeProvider time, LogStyle style = LogStyle.Plain)
    {
        Style = style;
        _stream = stream;
        _time = time;
        _thread = new Thread(Run) { IsBackground = true, Name = "spawngate-log" };
        _thread.Start();
    }

    /// <summary>The time to stamp lines with.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>How lines look.</summary>
    public LogStyle Style { get; }

    /// <summary>A writer to this process's standard error.</summary>
    public static LogWriter ToStderr(TimeProvider time, LogStyle style) => new(Console.OpenStandardError(), time, style);

    /// <summary>Whether output of backends is taken at the moment; if not, the line is counted as dropped and need not be built.</summary>
    public bool TakesOutput()
    {
        if (Volatile.Read(ref _filled) < LoggingLimits.LogQueueOutputBytes)
        {
            return true;
        }

        Interlocked.Increment(ref _droppedOutput);
        return false;
    }

    /// <summary>Queues one complete line, or drops and counts it. Never blocks on the stream.</summary>
    /// <param name="line">The line with its end.</param>
    /// <param name="isOutput">Whether it is output of a backend, which has to leave room for what the program itself logs.</param>
    public void Write(ReadOnlySpan<byte> line, bool isOutput)
    {
        int bound = isOutput ? LoggingLimits.LogQueueOutputBytes : LoggingLimits.LogQueueBytes;
        lock (_gate)
        {
            if (_closing || _filled + line.Length > bound)
            {
                Interlocked.Increment(ref isOutput ? ref _droppedOutput : ref _dropped);
                return;
            }

            if (_filling.Length < _filled + line.Length)
            {
                Array.Resize(ref _filling, Math.Min(LoggingLimits.LogQueueBytes, Math.Max(_filled + line.Length, _filling.Length * 2)));
            }

            line.CopyTo(_filling.AsSpan(_filled));
            if (_filled == 0)
            {
                Monitor.Pulse(_gate);
            }

            Volatile.Write(ref _filled, _filled + line.Length);
        }
    }

    /// <summary>Writes what is queued, waiting at most <see cref="LoggingLimits.LogFlushMs"/>; later lines are dropped.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _closing = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join(LoggingLimits.LogFlushMs);
    }

    private void Run()
    {
        long droppedOutput = 0;
        long dropped = 0;
        bool open = true;
        while (open)
        {
            int length;
            lock (_gate)
            {
                bool noticeDue = dropped + droppedOutput > 0;
                while (_filled == 0 && !_closing)
                {
                    if (!Monitor.Wait(_gate, noticeDue ? LoggingLimits.LogDropNoticeMs : Timeout.Infinite))
                    {
                        break; // Nothing more came: time to say what was dropped.
                    }
                }

                // What was dropped so far came after the lines in this buffer, so it is reported after them.
                (_filling, _writing) = (_writing, _filling);
                length = _filled;
                Volatile.Write(ref _filled, 0);
                droppedOutput += Interlocked.Exchange(ref _droppedOutput, 0);
                dropped += Interlocked.Exchange(ref _dropped, 0);
                open = !_closing;
            }

            Send(_writing.AsSpan(0, length));
            if (dropped + droppedOutput > 0 && (!open || IsNoticeAllowed()))
            {
                CallbackGuard.Run(() => ReportDropped(dropped, droppedOutput), nameof(LogWriter));
                dropped = droppedOutput = 0;
            }
        }
    }

    private bool IsNoticeAllowed() => !_noticed || _time.GetElapsedTime(_lastNotice).TotalMilliseconds >= LoggingLimits.LogDropNoticeMs;

    private void ReportDropped(long dropped, long droppedOutput)
    {
        _noticed = true;
        _lastNotice = _time.GetTimestamp();
        const string Message = "Log lines were dropped because the log could not be written fast enough";
        if (Style == LogStyle.Json)
        {
            Send(
                JsonLogLine
                    .Begin(_time.GetUtcNow(), LogLevel.Warning, "spawngate.log"u8)
                    .Message(Message)
                    .Property("dropped", dropped + droppedOutput)
                    .Property("dropped_output", droppedOutput)
                    .End()
            );
            return;
        }

        LogLine notice = LogLine.Begin(_time.GetUtcNow(), LogLevel.Warning, "spawngate.log"u8, Style);
        notice.Append($"dropped=\"{dropped + droppedOutput}\" dropped_output=\"{droppedOutput}\" {Message}");
        Send(notice.End());
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!bytes.IsEmpty)
            {
                _stream.Write(bytes);
                _stream.Flush();
            }
        }
        catch (Exception)
        {
            // Mostly the log's reader is gone. There is nowhere to say so, and it is no reason to stop serving.
        }
    }
}
