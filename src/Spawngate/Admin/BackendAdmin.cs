using System.Diagnostics.CodeAnalysis;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Routing;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>What the admin API sees of the real backends and their output.</summary>
/// <param name="backends">The backends.</param>
/// <param name="output">Their last lines.</param>
/// <param name="env">What they share.</param>
/// <param name="connections">The clients.</param>
internal sealed class BackendAdmin(BackendSet backends, OutputLog output, BackendEnvironment env, ClientConnections connections)
    : IAdminBackends
{
    /// <inheritdoc/>
    public IReadOnlyList<BackendReport> ReportAll() => [.. backends.All.Select(Describe), .. backends.Sessions.Backends.Select(Describe)];

    /// <inheritdoc/>
    public IReadOnlyList<SessionNumbers> SessionNumbers => backends.Sessions.ReadNumbers();

    /// <inheritdoc/>
    public BackendReport? Report(string name) => backends.FindByName(name) is { } backend ? Describe(backend) : null;

    /// <inheritdoc/>
    public BackendReport? ReportRouted(string hostname) =>
        backends.Find(System.Text.Encoding.UTF8.GetBytes(hostname)) is { } backend ? Describe(backend) : null;

    /// <inheritdoc/>
    public BackendDetails? Describe(BackendReport report)
    {
        if (backends.FindByName(report.Name) is not { } backend)
        {
            return null;
        }

        var now = env.Time.GetUtcNow().UtcDateTime;
        return new BackendDetails(report)
        {
            Time = now,
            IdleStopAt = report.IdleStopInSecs is { } secs ? now.AddSeconds(secs) : null,
            HeldBy = report.InFlight + report.Waiting == 0 ? [] : env.FindActiveRequests(backend, AdminLimits.HoldersListed),
            History = backend.ReadHistory(),
        };
    }

    /// <inheritdoc/>
    public GatewayNumbers Gateway => new(env.Traffic, connections.Count, connections.Accepted) { Overload = Overload?.Numbers };

    /// <summary>What is known of overload; null when nobody looks.</summary>
    public OverloadMonitor? Overload { get; set; }

    /// <inheritdoc/>
    public BackendNumbers? Numbers(string name) => backends.FindByName(name)?.ReadNumbers();

    /// <inheritdoc/>
    public HistoryReader? ReadEvents() => env.Feed.Read();

    /// <inheritdoc/>
    public CommandOutcome Post(string name, AdminCommand command)
    {
        if (backends.FindByName(name) is not { } backend)
        {
            return CommandOutcome.UnknownHost;
        }

        if (
            command == AdminCommand.Stop
            && backend.EphemeralLifetime is not null
            && backends.Sessions.Find(name.Split('.')[0]) is { } session
        )
        {
            backends.Sessions.End(session, StopReason.Asked);
            return CommandOutcome.Accepted;
        }

        bool isAccepted = command switch
        {
            AdminCommand.Start => backend.RequestStart(),
            AdminCommand.Stop => backend.RequestStop(),
            _ => backend.RequestRestart(),
        };
        return isAccepted ? CommandOutcome.Accepted : CommandOutcome.TooMany;
    }

    /// <inheritdoc/>
    public ReadyCallbackOutcome ReportReady(string name, string? token, bool adminAuthorised) =>
        backends.FindByName(name)?.ReportReady(token, adminAuthorised) ?? ReadyCallbackOutcome.UnknownHost;

    /// <inheritdoc/>
    public Task<LeaseOutcome> LeaseAsync(string name, string token, int secs) =>
        backends.FindByName(name)?.LeaseAsync(token, secs) ?? Task.FromResult(LeaseOutcome.Unauthorised);

    /// <inheritdoc/>
    public IReadOnlyList<BackendLogLine> ReadLog(string name) => [.. output.Snapshot(name).Select(Convert)];

    /// <inheritdoc/>
    public IBackendLogFollower? FollowLog(string name) => output.Follow(name) is { } follower ? new Follower(follower) : null;

    private static BackendLogLine Convert(OutputLine line) =>
        new(line.Time, line.Stream == OutputStream.Stdout ? "stdout" : "stderr", line.Text);

    private BackendReport Describe(Backend backend)
    {
        var status = backend.GetStatus();
        var config = backend.Config;
        return new BackendReport
        {
            Hostname = status.Hostname,
            GivenName = status.GivenName,
            State = status.Phase,
            Port =
                status.Port != 0 ? status.Port
                : config.UsesLoopbackPort && config.Port != 0 ? config.Port
                : null,
            InFlight = (int)status.InFlight,
            PassiveCount = (int)status.PassiveCount,
            Waiting = status.Waiting,
            MaxConcurrency = config.MaxConcurrency,
            Tunnels = backend.KnownTraffic?.Tunnels ?? 0,
            RequestsTotal = backend.KnownTraffic?.RequestsTotal ?? 0,
            TurnedAwayTotal = backend.KnownTraffic?.TurnedAway ?? 0,
            Kind = status.Kind.Name,
            Session = backend.EphemeralLifetime?.Group,
            InstanceNumber = status.InstanceNumber,
            Pid = status.Pid,
            Description = status.Workload,
            Fields = FieldsOf(config.Settings, status.Facts),
            LastStart =
                status.LastStart is null && status.WokenBy is null
                    ? null
                    : new StartReport
                    {
                        SpawnMs = Rounded(status.LastStart?.SpawnMs),
                        ListenMs = Rounded(status.LastStart?.ListenMs),
                        ReadyMs = Rounded(status.LastStart?.ReadyMs),
                        Signal = status.LastStart is { } start ? LifecycleView.Name(start.Signal, config.HealthPath) : null,
                        Judged = status.LastStart?.Judged,
                        Cause = status.WokenBy,
                    },
            ReadySince = status.ReadySince?.UtcDateTime,
            UptimeSecs = status.ReadySince is { } since ? (long)Math.Max(0, (env.Time.GetUtcNow() - since).TotalSeconds) : null,
            FailuresInARow = status.FailuresInARow,
            RetryAfterSecs = status.RetryAfterSecs == 0 ? null : status.RetryAfterSecs,
            LastFailure = status.LastFailure,
            FailedChecks = status.FailedChecks,
            IdleTimeoutSecs = config.IdleTimeoutSecs,
            LeaseSecs = status.LeaseSecs,
            LeaseRenewedAt = status.LeaseRenewedAt?.UtcDateTime,
            IdleStopInSecs = status.IdleStopInSecs,
            StoppingBecause = status.StoppingBecause,
            LastStopReason = status.LastStopReason,
            LastEvent = status.LastEvent,
        };
    }

    private KeyValuePair<string, string?>[] FieldsOf(KindSettings settings, IReadOnlyList<KeyValuePair<string, string>> facts)
    {
        var names = env.Launchers.Kinds.ReportFields;
        var fields = new KeyValuePair<string, string?>[names.Count];
        for (var i = 0; i < fields.Length; i++)
        {
            var value = settings.ReportField(names[i]);
            foreach (var (name, fact) in facts)
            {
                value = name == names[i] ? fact : value;
            }

            fields[i] = new KeyValuePair<string, string?>(names[i], value);
        }

        return fields;
    }

    private static double? Rounded(double? ms) => ms is { } value ? Math.Round(value, 3) : null;

    private sealed class Follower(OutputFollower follower) : IBackendLogFollower
    {
        public IReadOnlyList<BackendLogLine> Past { get; } = [.. follower.Past.Select(Convert)];

        public long Missed => follower.Dropped;

        public bool TryRead([NotNullWhen(true)] out BackendLogLine? line)
        {
            line = follower.Lines.TryRead(out var next) ? Convert(next) : null;
            return line is not null;
        }

        public ValueTask<bool> WaitAsync(CancellationToken cancel) => follower.Lines.WaitToReadAsync(cancel);

        public void Dispose() => follower.Dispose();
    }
}
