using System.Globalization;
using System.Text;
using Spawngate.Backends;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>Says in words what a report of a backend means.</summary>
internal static class BackendExplanation
{
    /// <summary>Content type of the text: one of its own, so that whoever asks can tell it from what any server may say.</summary>
    public const string ContentType = "text/vnd.spawngate.explanation; charset=utf-8";

    private const string Nothing = "nothing";

    /// <summary>The whole text, with line ends.</summary>
    /// <param name="details">The report, and what holds and happened to the backend.</param>
    /// <param name="host">The host name that was asked for; it differs from the backend's when a wildcard serves it.</param>
    public static string Of(BackendDetails details, string host)
    {
        BackendReport report = details.Report;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{report.Name} is {State(report)}\n");
        Line(text, "serves", Serves(report, host));

        Line(text, "session", report.Session is { } template ? $"of template {template}, never started again" : null);
        Line(text, "woken by", WokenBy(details));
        Line(text, "started", Start(report));
        Line(text, "judged", report.LastStart?.Judged);
        Line(text, "running", report.UptimeSecs is { } secs ? $"for {HistoryWords.Span(secs * 1000)}, {Requests(report)}" : null);
        Line(text, "held by", ActiveRequests(report));
        foreach (var active in details.HeldBy)
        {
            Line(text, "", active.Words);
        }

        Line(text, "stops", Stop(details));
        Line(
            text,
            "no_wake",
            report.TurnedAwayTotal > 0
                ? HistoryWords.Count(report.TurnedAwayTotal, "request was", "requests were")
                    + " turned away since the gateway started: they never wake it"
                : null
        );
        Line(text, "last stop", report.LastStopReason);
        Line(text, "failed", Failure(report));
        History(text, details.History);
        return text.ToString();
    }

    private static string? Serves(BackendReport report, string host)
    {
        string asked = AdminRoute.Normalise(host);
        bool isNamed = asked.Equals(report.Name, StringComparison.OrdinalIgnoreCase);
        bool isHost = asked.Equals(report.Hostname, StringComparison.OrdinalIgnoreCase);
        return !isNamed && !isHost ? $"{host}, because \"{report.Hostname}\" is the most specific backend for it"
            : report.GivenName is null ? null
            : report.Hostname;
    }

    private static void Line(StringBuilder text, string title, string? value)
    {
        if (value is not null)
        {
            text.Append("  ").Append(title.PadRight(11)).Append(value).Append('\n');
        }
    }

    private static void History(StringBuilder text, IReadOnlyList<HistoryEvent> history)
    {
        int left = Math.Max(0, history.Count - AdminLimits.ExplainedEvents);
        if (history.Count > 0)
        {
            string more = left == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({left} earlier ones: --json)");
            text.Append(CultureInfo.InvariantCulture, $"  history{more}\n");
        }

        foreach (HistoryEvent entry in history.Skip(left))
        {
            text.Append(CultureInfo.InvariantCulture, $"    {entry.Time:yyyy-MM-dd HH:mm:ss.fff}Z  {HistoryWords.Of(entry)}\n");
            foreach (var line in entry.Output ?? [])
            {
                text.Append(' ', 23).Append(line.StreamName).Append(" | ").Append(line.Text).Append('\n');
            }
        }
    }

    private static string State(BackendReport report)
    {
        string what = report.Description ?? report.Kind;
        string port = report.Port is { } number ? string.Create(CultureInfo.InvariantCulture, $", port {number}") : "";
        return $"{report.StateName} ({what}{port})";
    }

    private static string WokenBy(BackendDetails details)
    {
        HistoryEvent? woken = details.History.LastOrDefault(static entry => entry.Event == HistoryEventKind.Woken);
        return woken is not null
                ? $"{HistoryWords.Waker(woken)}, {HistoryWords.Span((long)Math.Max(0, (details.Time - woken.Time).TotalMilliseconds))} ago"
            : details.Report.LastStart is { } start ? start.Cause ?? "unknown"
            : "nobody yet";
    }

    private static string Requests(BackendReport report) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{HistoryWords.Count(report.RequestsTotal, "request", "requests")} since the gateway started"
        );

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
        string signal = start.Signal is { } name ? ", " + HistoryWords.Signal(name) : "";
        string number = string.Create(CultureInfo.InvariantCulture, $"start number {report.InstanceNumber}");
        return steps.Count == 0 ? number : $"{number}: {string.Join(", ", steps)}{signal}";
    }

    private static void AddStep(List<string> steps, string what, double? ms)
    {
        if (ms is { } known)
        {
            steps.Add(string.Create(CultureInfo.InvariantCulture, $"{what} {known:0.#} ms"));
        }
    }

    private static string ActiveRequests(BackendReport report) => Holders(report) + PassiveCount(report);

    private static string Holders(BackendReport report) =>
        (Counted(report), Lease(report)) switch
        {
            (var counted, null) => counted,
            (Nothing, { } lease) => lease,
            var (counted, lease) => $"{counted}; {lease}",
        };

    private static string? Lease(BackendReport report) =>
        report is { LeaseSecs: { } secs, LeaseRenewedAt: { } at } ? LeaseTerm.Words(secs, at) : null;

    private static string PassiveCount(BackendReport report) =>
        report.PassiveCount == 0
            ? ""
            : "; besides, "
                + HistoryWords.Count(
                    report.PassiveCount,
                    "request or tunnel that does not count as use",
                    "requests and tunnels that do not count as use"
                )
                + " (no_wake, or a quiet WebSocket)";

    private static string Counted(BackendReport report) =>
        (report.InUse, report.Waiting) switch
        {
            (0, 0) => Nothing,
            (var running, 0) => InFlight(report, running),
            (0, var waiting) when report.State != BackendPhase.Ready => HistoryWords.Count(waiting, "request", "requests")
                + " waiting for it to be ready",
            (0, var waiting) => HistoryWords.Count(waiting, "request", "requests") + " waiting" + Room(report),
            var (running, waiting) => InFlight(report, running)
                + ", "
                + HistoryWords.Count(waiting, "request", "requests")
                + " waiting"
                + Room(report),
        };

    private static string Room(BackendReport report) =>
        report.State == BackendPhase.Ready && report.MaxConcurrency > 0
            ? string.Create(CultureInfo.InvariantCulture, $" for room (max_concurrency = {report.MaxConcurrency})")
            : "";

    private static string InFlight(BackendReport report, int running) =>
        HistoryWords.Count(running, "request or tunnel", "requests and tunnels")
        + " in flight"
        + (report.Tunnels > 0 ? string.Create(CultureInfo.InvariantCulture, $", {report.Tunnels} of them tunnels") : "");

    private static string? Stop(BackendDetails details)
    {
        BackendReport report = details.Report;
        return report.State switch
        {
            BackendPhase.Stopped when report.Session is not null => "it starts once, and that is about to begin or over",
            BackendPhase.Unhealthy when report.Session is not null => $"{Seconds(report.IdleTimeoutSecs)} after its last use: "
                + $"{HistoryWords.Count(report.FailedChecks, "health check", "health checks in a row")} failed, but a "
                + "session is not restarted",
            BackendPhase.Stopped => report.Waiting > 0 ? null : "it does not run; the next request starts it",
            BackendPhase.Stopping => report.StoppingBecause is { } reason ? $"now: {reason}" : "now",
            BackendPhase.Unhealthy =>
                $"now, to be restarted: {HistoryWords.Count(report.FailedChecks, "health check", "health checks in a row")} failed",
            BackendPhase.Starting => "not while it starts",
            _ when report.IdleTimeoutSecs == 0 => "never for idleness (idle_timeout_secs = 0)",
            _ when report.InUse + report.Waiting > 0 =>
                $"{Seconds(report.IdleTimeoutSecs)} after the last of them ends, unless another request comes",
            _ when report.LeaseSecs is not null =>
                $"{Seconds(report.IdleTimeoutSecs)} after the lease ends, unless it is renewed or a request comes",
            _ when details.IdleStopAt is { } at => string.Create(
                CultureInfo.InvariantCulture,
                $"at {at:HH:mm:ss}Z, in {Seconds(report.IdleStopInSecs ?? 0)}, if nobody uses it; a request puts that "
                    + $"off until {Seconds(report.IdleTimeoutSecs)} after its end"
            ),
            _ => $"{Seconds(report.IdleTimeoutSecs)} after its last use",
        };
    }

    private static string? Failure(BackendReport report)
    {
        if (report.LastFailure is null && report.FailuresInARow == 0)
        {
            return null;
        }

        string times = report.FailuresInARow > 0 ? HistoryWords.Count(report.FailuresInARow, "start", "starts in a row") + " failed; " : "";
        string retry = report.RetryAfterSecs is { } secs ? $"; the next start is tried in {Seconds(secs)}" : "";
        return $"{times}last: {report.LastFailure ?? "unknown"}{retry}";
    }

    private static string Seconds(int secs) => HistoryWords.Count(secs, "second", "seconds");
}
