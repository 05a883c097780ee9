using System.Globalization;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>Says in words what an entry of a history means.</summary>
internal static class HistoryWords
{
    /// <summary>One entry, without its time.</summary>
    public static string Of(HistoryEvent entry) =>
        entry.Event switch
        {
            HistoryEventKind.Woken => $"woken by {Waker(entry)}",
            HistoryEventKind.Ready => Ready(entry),
            HistoryEventKind.StartFailed => $"start failed after {Ms(entry.AfterMs)}: {entry.Reason}{Concerned(entry, " failed with it")}",
            HistoryEventKind.Crashed =>
                $"{entry.Reason}, by itself, after it was ready for {Ms(entry.AfterMs)}{Concerned(entry, " in flight")}",
            HistoryEventKind.Unhealthy => $"unhealthy after {Ms(entry.AfterMs)}: {entry.Reason}",
            HistoryEventKind.Recovered => $"healthy again after {Ms(entry.AfterMs)}",
            HistoryEventKind.KeptAwake => KeptAwake(entry),
            HistoryEventKind.Stopping =>
                $"stopping ({entry.Reason}) after it was ready for {Ms(entry.AfterMs)}{Concerned(entry, " in flight")}",
            HistoryEventKind.Cut => $"{Count(entry.Requests ?? 0, "request", "requests")} in flight cut {Ms(entry.AfterMs)} after the "
                + $"stop began ({entry.Reason})",
            HistoryEventKind.Resumed =>
                $"idle stop called off after {Ms(entry.AfterMs)}: it had only waited for what does not count; {Waker(entry)}",
            HistoryEventKind.Killed => $"killed {Ms(entry.AfterMs)} after the stop began ({entry.Reason})",
            _ => $"stopped ({entry.Reason}) after {Ms(entry.AfterMs)}{Exit(entry.Exit)}",
        };

    /// <summary>Who woke it.</summary>
    public static string Waker(HistoryEvent woken)
    {
        if (woken.By is not { } by)
        {
            return woken.Reason ?? "unknown";
        }

        string agent = by.UserAgent is null ? "" : $" ({by.UserAgent})";
        return $"{by.Method} {by.Path} from {by.Client}{agent}";
    }

    /// <summary>By which signal it was ready.</summary>
    public static string Signal(string name) =>
        name switch
        {
            "health" => "as its health check said",
            "callback" => "as it said itself (ready callback)",
            "socket" => "at once: requests wait in the backlog of its socket (listen = \"fd\")",
            "connect" => "as its port accepted",
            var other => $"by {other}",
        };

    /// <summary>A time as people say it: of the two largest units. 0 is that of a coarse clock, which saw no tick in between.</summary>
    public static string Span(long ms)
    {
        var span = TimeSpan.FromMilliseconds(ms);
        return span switch
        {
            { Ticks: 0 } => "less than 0.1 seconds",
            { TotalSeconds: < 1 } => Count(ms, "millisecond", "milliseconds"),
            { TotalMinutes: < 1 } => Count(span.Seconds, "second", "seconds"),
            { TotalHours: < 1 } => Pair(span.Minutes, "minute", span.Seconds, "second"),
            { TotalDays: < 1 } => Pair(span.Hours, "hour", span.Minutes, "minute"),
            _ => Pair(span.Days, "day", span.Hours, "hour"),
        };
    }

    /// <summary>A number with its noun.</summary>
    public static string Count(long count, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many)}");

    private static string Pair(int large, string largeUnit, int small, string smallUnit)
    {
        string first = Count(large, largeUnit, largeUnit + "s");
        return small == 0 ? first : $"{first} {Count(small, smallUnit, smallUnit + "s")}";
    }

    private static string Ready(HistoryEvent entry)
    {
        string listen = entry.ListenMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $", listening after {ms:0.#} ms") : "";
        string steps = string.Create(
            CultureInfo.InvariantCulture,
            $"ready after {entry.ReadyMs:0.#} ms (spawned after {entry.SpawnMs:0.#} ms{listen})"
        );
        string held = entry.Requests > 0 ? $"; {Count(entry.Requests.Value, "request", "requests")} had waited" : "";
        return $"{steps}, {Signal(entry.Reason ?? "unknown")}{held}";
    }

    private static string KeptAwake(HistoryEvent entry)
    {
        string times =
            entry.Times > 1
                ? string.Create(CultureInfo.InvariantCulture, $" for {entry.Times} idle timeouts in a row")
                : " past its idle timeout";
        if (entry is { Requests: 0 or null, ActiveRequests: { } lease })
        {
            return $"kept awake{times} by {lease}";
        }

        string activeRequests = entry.ActiveRequests is null ? "" : $": {entry.ActiveRequests}";
        return $"kept awake{times} by {Count(entry.Requests ?? 0, "open request or tunnel", "open requests and tunnels")}{activeRequests}";
    }

    private static string Concerned(HistoryEvent entry, string what) =>
        entry.Requests > 0 ? $"; {Count(entry.Requests.Value, "request", "requests")}{what}" : "";

    private static string Exit(HistoryExit? exit) =>
        exit switch
        {
            { Signal: { } signal } => string.Create(CultureInfo.InvariantCulture, $", ended by signal {signal}"),
            { Status: { } status } => string.Create(CultureInfo.InvariantCulture, $", exit status {status}"),
            _ => "",
        };

    private static string Ms(long? ms) => Span(ms ?? 0);
}
