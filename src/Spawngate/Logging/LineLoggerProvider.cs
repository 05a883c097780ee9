using System.Collections.Concurrent;
using System.Text;

namespace Spawngate.Logging;

/// <summary>
/// Logs through <see cref="LogWriter"/> in the format of <see cref="LogLine"/>, as far as <see cref="LogFilter"/> wants it.
/// </summary>
internal sealed class LineLoggerProvider(LogFilter filter, LogWriter writer) : ILoggerProvider
{
    private readonly ConcurrentDictionary<string, LineLogger> _loggers = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) =>
        _loggers.GetOrAdd(
            categoryName,
            static (name, from) => new LineLogger(name, from.filter.LevelOf(name), from.writer),
            (filter, writer)
        );

    /// <summary>Makes a host log here and only here; the framework's own filter lets everything pass, ours decides.</summary>
    public void Configure(ILoggingBuilder logging)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(LogLevel.Trace);
        logging.Services.AddSingleton<ILoggerProvider>(this);
    }

    /// <summary>A factory for parts that live outside a host.</summary>
    public ILoggerFactory CreateFactory() => LoggerFactory.Create(Configure);

    /// <summary>Nothing to do: the writer belongs to whoever made it, and outlives hosts and factories.</summary>
    public void Dispose() { }
}

/// <summary>The logger of one category.</summary>
internal sealed class LineLogger(string category, LogLevel level, LogWriter writer) : ILogger
{
    private readonly byte[] _category = Encoding.UTF8.GetBytes(category);

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => logLevel >= level && logLevel != LogLevel.None;

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        // A constant per instantiation: a line of output is written as bytes, without a string or a box.
        if (typeof(TState) == typeof(OutputState))
        {
            WriteOutput(logLevel, (OutputState)(object)state!);
            return;
        }

        var values = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
        if (writer.Style == LogStyle.Json)
        {
            WriteJson(logLevel, formatter(state, exception), values, exception);
            return;
        }

        string message = LogTemplate.Quote(values) ?? formatter(state, exception);

        LogLine line = LogLine.Begin(writer.Now, logLevel, _category, writer.Style);
        line.Append(message);
        if (exception is not null)
        {
            line.Append(": "u8);
            line.Append(OnOneLine(exception.ToString()));
        }

        writer.Write(line.End(), isOutput: false);
    }

    private static string OnOneLine(string text) =>
        string.Join(" | ", text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));

    private void WriteJson(LogLevel logLevel, string message, IReadOnlyList<KeyValuePair<string, object?>> values, Exception? exception)
    {
        var properties = LogTemplate.Split(values, ref message);
        var line = JsonLogLine.Begin(writer.Now, logLevel, _category).Message(message);
        foreach (var property in properties)
        {
            line.Property(property.Name, property.Value);
        }

        if (exception is not null)
        {
            line.Property("exception", exception.ToString());
        }

        writer.Write(line.End(), isOutput: false);
    }

    private void WriteOutput(LogLevel logLevel, OutputState output)
    {
        if (!writer.TakesOutput())
        {
            return;
        }

        if (writer.Style == LogStyle.Json)
        {
            writer.Write(
                JsonLogLine
                    .Begin(writer.Now, logLevel, _category)
                    .Message(output.Line.Span)
                    .Property("hostname", output.Hostname)
                    .Property("stream"u8, output.Stream == OutputStream.Stdout ? "stdout"u8 : "stderr"u8)
                    .End(),
                isOutput: true
            );
            return;
        }

        LogLine line = LogLine.Begin(writer.Now, logLevel, _category, writer.Style);
        line.Append("hostname=\""u8);
        line.Append(output.Hostname);
        line.Append(output.Stream == OutputStream.Stdout ? "\" stream=\"stdout\" "u8 : "\" stream=\"stderr\" "u8);
        line.Append(output.Line.Span);
        writer.Write(line.End(), isOutput: true);
    }
}

/// <summary>A line of output on its way through the logging library, without being a string.</summary>
/// <param name="Hostname">The backend.</param>
/// <param name="Stream">Where it was written to.</param>
/// <param name="Line">The clean line; valid during the call only.</param>
internal readonly record struct OutputState(string Hostname, OutputStream Stream, ReadOnlyMemory<byte> Line)
{
    /// <summary>What a logger that knows only strings gets.</summary>
    public static readonly Func<OutputState, Exception?, string> Format = static (state, _) =>
        $"hostname=\"{state.Hostname}\" stream=\"{(state.Stream == OutputStream.Stdout ? "stdout" : "stderr")}\" {Encoding.UTF8.GetString(state.Line.Span)}";
}

/// <summary>Sends output of backends to a logger (stdout at INFO, stderr at WARN) and to the <see cref="OutputLog"/>.</summary>
/// <param name="logger">Of category <c>backend</c> or <c>container</c>.</param>
/// <param name="log">Keeps the last lines.</param>
internal sealed class LoggedOutput(ILogger logger, OutputLog log) : IOutputSink
{
    /// <inheritdoc/>
    public void OnLine(string hostname, OutputStream stream, ReadOnlyMemory<byte> line)
    {
        LogLevel level = stream == OutputStream.Stdout ? LogLevel.Information : LogLevel.Warning;
        if (logger.IsEnabled(level))
        {
            logger.Log(level, default, new OutputState(hostname, stream, line), null, OutputState.Format);
        }

        log.OnLine(hostname, stream, line);
    }
}
