using Microsoft.Extensions.Logging;

namespace Spawngate.Tests.Fakes;

/// <summary>Keeps what was logged.</summary>
internal sealed class RecordingLog : ILogger
{
    private readonly Lock _gate = new();
    private readonly List<(LogLevel Level, string Text)> _records = [];

    /// <summary>Called with every line before it is kept; may throw.</summary>
    public Action<string>? BeforeEach { get; set; }

    public IReadOnlyList<(LogLevel Level, string Text)> Records
    {
        get
        {
            lock (_gate)
            {
                return [.. _records];
            }
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        BeforeEach?.Invoke(formatter(state, null));
        lock (_gate)
        {
            _records.Add((logLevel, exception is null ? formatter(state, null) : $"{formatter(state, exception)} {exception}"));
        }
    }

    /// <summary>What only a bug logs.</summary>
    public IEnumerable<string> Bugs => Records.Where(record => record.Level == LogLevel.Critical).Select(record => record.Text);
}
