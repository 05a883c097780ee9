using System.Globalization;
using System.Text;
using Spawngate.Admin;
using Spawngate.Backends;

namespace Spawngate.Commands;

/// <summary>Says in words what a report of a backend means.</summary>
internal static class BackendExplanation
{
    /// <summary>The whole text, with line ends.</summary>
    /// <param name="report">The report.</param>
    /// <param name="host">The host name that was asked for; it differs from the backend's when a wildcard serves it.</param>
    public static string Of(BackendReport report, string host)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{report.Hostname} is {State(report)}\n");
        if (!AdminRoute.Normalise(host).Equals(report.Hostname, StringComparison.OrdinalIgnoreCase))
        {
            Line(text, "serves", $"{host}, because \"{report.Hostname}\" is the most specific backend for it");
        }

        Line(text, "woken by", report.LastStart is null ? "nobody yet" : report.LastStart.Cause ?? "unknown");
        Line(text, "started", Start(report));
        Line(text, "held by", Holders(report));
        Line(text, "stops", Stop(report));
        Line(text, "last stop", report.LastStopReason);
        Line(text, "failed", Failure(report));
        return text.ToString();
    }

    private static void Line(StringBuilder text, string title, string? value)
    {
        if (value is not null)
        {
            text.Append("  ").Append(title.PadRight(11)).Append(value).Append('\n');
        }
    }

    private static string State(BackendReport report)
    {
        string state = report.State.ToString().ToLowerInvariant();
        string what = report.Description is null ? report.Kind.ToString().ToLowerInvariant() : report.Description;
        string port = report.Port is { } number ? string.Create(CultureInfo.InvariantCulture, $", port {number}") : "";
        return $"{state} ({what}{port})";
    }

    private static string? Start(BackendReport report)
    {
        if (report.LastStart is not { } start)
        {
            return null;
        }

        List<string> steps = [];
        AddStep(steps, "spawned after", start.SpawnMs);
        AddStep(steps, "listening after", start.ListenMs);
        AddStep(steps, "ready after", start.ReadyMs);
        string signal = start.Signal switch
        {
            "health" => ", as its health check said",
            "callback" => ", as it said itself (ready callback)",
            "connect" => ", as its port accepted",
            { } other => $", by {other}",
            null => "",
        };
        string number = string.Create(CultureInfo.InvariantCulture, $"start number {report.Generation}");
        return steps.Count == 0 ? number : $"{number}: {string.Join(", ", steps)}{signal}";
    }

    private static void AddStep(List<string> steps, string what, double? ms)
    {
        if (ms is { } known)
        {
            steps.Add(string.Create(CultureInfo.InvariantCulture, $"{what} {known:0.#} ms"));
        }
    }

    private static string Holders(BackendReport report) => (report.InFlight, report.Waiting) switch
    {
        (0, 0) => "nothing",
        (var running, 0) => Count(running, "request or tunnel", "requests and tunnels") + " in flight",
        (0, var waiting) => Count(waiting, "request", "requests") + " waiting for it to be ready",
        var (running, waiting) => Count(running, "request or tunnel", "requests and tunnels") + " in flight, "
            + Count(waiting, "request", "requests") + " waiting",
    };

    private static string? Stop(BackendReport report) => report.State switch
    {
        BackendPhase.Stopped => report.Waiting > 0 ? null : "it does not run; the next request starts it",
        BackendPhase.Stopping => report.StoppingBecause is { } reason ? $"now: {reason}" : "now",
        BackendPhase.Unhealthy => $"now, to be restarted: {Count(report.FailedChecks, "health check", "health checks in a row")} failed",
        BackendPhase.Starting => "not while it starts",
        _ when report.IdleTimeoutSecs == 0 => "never for idleness (idle_timeout_secs = 0)",
        _ when report.InFlight > 0 => $"{Seconds(report.IdleTimeoutSecs)} after the last of them ends",
        _ when report.IdleStopInSecs is { } left => $"in {Seconds(left)}, if nobody uses it until then",
        _ => $"{Seconds(report.IdleTimeoutSecs)} after its last use",
    };

    private static string? Failure(BackendReport report)
    {
        if (report.LastFailure is null && report.FailuresInARow == 0)
        {
            return null;
        }

        string times = report.FailuresInARow > 0 ? Count(report.FailuresInARow, "start", "starts in a row") + " failed; " : "";
        string retry = report.RetryAfterSecs is { } secs ? $"; the next start is tried in {Seconds(secs)}" : "";
        return $"{times}last: {report.LastFailure ?? "unknown"}{retry}";
    }

    private static string Seconds(int secs) => Count(secs, "second", "seconds");

    private static string Count(int count, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many)}");
}
