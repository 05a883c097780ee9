namespace Spawngate.Overload;

/// <summary>Log lines of category <c>spawngate.overload</c>.</summary>
internal static partial class OverloadLog
{
    /// <summary>Something runs low.</summary>
    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "resource=\"{Resource}\" used={Used} high={High} Running low: the clients that hold most are refused"
    )]
    public static partial void RunsLow(ILogger log, string resource, long used, long high);

    /// <summary>It does not run low any more.</summary>
    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "resource=\"{Resource}\" used={Used} refused_total={Refused} closed_idle_total={Closed} cut_total={Cut} No longer running low"
    )]
    public static partial void Calm(ILogger log, string resource, long used, long refused, long closed, long cut);

    /// <summary>Nothing new is taken from an address for the moment.</summary>
    [LoggerMessage(
        Level = LogLevel.Debug,
        Message = "client=\"{Client}\" connections={Connections} Refused for the moment: it is among the clients that hold most"
    )]
    public static partial void Refused(ILogger log, string client, int connections);
}
