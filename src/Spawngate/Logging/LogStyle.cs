namespace Spawngate.Logging;

/// <summary>How the gateway's own log is written, as <c>log_format</c> says.</summary>
internal enum LogFormat : byte
{
    /// <summary>Lines for people.</summary>
    Text,

    /// <summary>One JSON object a line.</summary>
    Json,
}

/// <summary>How a line looks.</summary>
internal enum LogStyle : byte
{
    /// <summary>Text that programs can rely on.</summary>
    Plain,

    /// <summary>Text in columns, for a terminal.</summary>
    Aligned,

    /// <summary>The same in colours.</summary>
    Coloured,

    /// <summary>JSON.</summary>
    Json,
}

/// <summary>Chooses the style.</summary>
internal static class LogStyles
{
    /// <summary>Columns and colours are for people at a terminal; colours only if nobody objects (https://no-color.org).</summary>
    /// <param name="format">What the configuration says.</param>
    /// <param name="isTerminal">Whether the log goes to a terminal.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    public static LogStyle Choose(LogFormat format, bool isTerminal, Func<string, string?> variable)
    {
        if (format == LogFormat.Json)
        {
            return LogStyle.Json;
        }

        if (!isTerminal)
        {
            return LogStyle.Plain;
        }

        return string.IsNullOrEmpty(variable("NO_COLOR")) && variable("TERM") is not (null or "" or "dumb")
            ? LogStyle.Coloured
            : LogStyle.Aligned;
    }
}
