using Spawngate.Backends;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>
/// Renders <c>/metrics</c>: facts of this process, of the gateway and of its backends. Host names with series of their own are bounded in
/// number: those that were used come first, in the order in which they first were, so that they keep theirs; what the rest counted is added
/// up.
/// </summary>
internal sealed class AdminMetrics
{
    /// <summary>Content type of the format.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Host name under which the numbers of those without series of their own are added up.</summary>
    public const string OtherHosts = "_other";

    /// <summary>Host name of requests that no backend serves.</summary>
    public const string NoHost = "_none";

    /// <summary>What the host name begins with under which the sessions of a template are added up.</summary>
    public const string SessionHosts = "_session:";

    private const string Counter = "counter";
    private const string Gauge = "gauge";
    private static readonly BackendPhase[] _phases =
    [
        BackendPhase.Stopped,
        BackendPhase.Starting,
        BackendPhase.Ready,
        BackendPhase.Unhealthy,
        BackendPhase.Stopping,
    ];
    private readonly IAdminBackends _backends;
    private readonly double _startUnixSecs;
    private readonly int _hostsMax;

    /// <summary>Makes it.</summary>
    /// <param name="backends">Where the facts of the backends are.</param>
    /// <param name="startedAt">When this process started, to about a millisecond.</param>
    /// <param name="hostsMax">How many host names get series of their own.</param>
    public AdminMetrics(IAdminBackends backends, DateTimeOffset startedAt, int hostsMax = AdminLimits.MetricHostsMax)
    {
        _backends = backends;
        _startUnixSecs = startedAt.ToUnixTimeMilliseconds() / 1000.0;
        _hostsMax = hostsMax;
    }

    /// <summary>The page as of now.</summary>
    public string Render()
    {
        var text = new ExpositionText();
        List<BackendReport> all = [.. _backends.ReportAll().Where(static report => report.Session is null)];
        List<Host> hosts = Sort(all);
        List<Host> own = hosts.Count <= _hostsMax ? hosts : hosts.GetRange(0, _hostsMax);
        List<Host> others = hosts.Count <= _hostsMax ? [] : hosts.GetRange(_hostsMax, hosts.Count - _hostsMax);
        RenderProcess(text);
        RenderGateway(text, all);
        IReadOnlyList<SessionNumbers> sessions = _backends.SessionNumbers;
        List<Host> templates = [.. sessions.Select(static each => Sum(each))];
        RenderStates(text, own, others, templates);
        RenderStarts(text, own, others);
        RenderTraffic(text, [.. own, .. templates], others);
        SessionMetrics.Render(text, sessions);
        return text.ToString();
    }

    /// <summary>
    /// The sessions of a template as if they were one backend, so that their number does not show in the number of series.
    /// </summary>
    private static Host Sum(SessionNumbers sessions) =>
        new(
            new BackendReport
            {
                Hostname = SessionHosts + sessions.Totals.Template,
                State = BackendPhase.Ready,
                InFlight = sessions.InFlight,
                PassiveCount = sessions.PassiveCount,
                Waiting = sessions.Waiting,
                Tunnels = sessions.Totals.Traffic.Tunnels,
            },
            new BackendNumbers(sessions.Totals.Traffic, [], 0),
            0
        );

    private List<Host> Sort(IReadOnlyList<BackendReport> all)
    {
        var hosts = new List<Host>(all.Count);
        foreach (BackendReport report in all)
        {
            hosts.Add(new Host(report, _backends.Numbers(report.Name), hosts.Count));
        }

        hosts.Sort(static (one, other) => one.Rank != other.Rank ? one.Rank.CompareTo(other.Rank) : one.Place.CompareTo(other.Place));
        return hosts;
    }

    private void RenderProcess(ExpositionText text)
    {
        text.Family("spawngate_build_info", Gauge, "Always 1; the label is the version.");
        text.Sample("spawngate_build_info", 1, ("version", SpawngateVersion.Text));
        text.Single("process_start_time_seconds", Gauge, "Unix time at which Spawngate started.", _startUnixSecs);
        text.Single(
            "process_cpu_seconds_total",
            Counter,
            "User and system CPU time that Spawngate spent.",
            Environment.CpuUsage.TotalTime.TotalSeconds
        );
        text.Single("process_resident_memory_bytes", Gauge, "Resident memory of Spawngate.", Environment.WorkingSet);
        text.Single(
            "dotnet_gc_heap_bytes",
            Gauge,
            "Managed memory in use, garbage included.",
            GC.GetTotalMemory(forceFullCollection: false)
        );
        text.Single("dotnet_gc_collections_total", Counter, "Garbage collections of any generation.", GC.CollectionCount(0));
        if (OpenFiles.Count() is { } open)
        {
            text.Single("process_open_fds", Gauge, "Open file descriptors of Spawngate.", open);
        }

        if (OpenFiles.Bound() is { } bound)
        {
            text.Single("process_max_fds", Gauge, "File descriptors that Spawngate may have open.", bound);
        }
    }

    private void RenderGateway(ExpositionText text, IReadOnlyList<BackendReport> all)
    {
        GatewayNumbers gateway = _backends.Gateway;
        text.Single("spawngate_client_connections", Gauge, "Open client connections.", gateway.ConnectionsOpen);
        text.Single("spawngate_client_connections_opened_total", Counter, "Client connections accepted.", gateway.ConnectionsTotal);
        Histogram(
            text,
            "spawngate_gateway_overhead_seconds",
            "Time that the gateway itself took for a request: all but the wait for the backend's answer, of "
                + "short exchanges with ready backends.",
            gateway.Traffic.Overhead
        );
        Histogram(
            text,
            "spawngate_request_held_seconds",
            "Time that requests were held until their backend was ready.",
            gateway.Traffic.Held
        );
        Records(text, "spawngate_access_log_lines", "Lines of the access log", "written", gateway.Traffic.AccessLines);
        Records(text, "spawngate_spans", "Spans", "sent", gateway.Traffic.Spans);
        if (gateway.Overload is { } overload)
        {
            OverloadMetrics.Render(text, overload);
        }

        const string Start = "spawngate_start_seconds";
        text.Family(Start, "histogram", "Time of starts that became ready, from the waking request to each step.");
        text.Histogram(Start, Buckets.Starts, gateway.Traffic.Spawn.Read, ("step", "spawn"));
        text.Histogram(Start, Buckets.Starts, gateway.Traffic.Listen.Read, ("step", "listen"));
        text.Histogram(Start, Buckets.Starts, gateway.Traffic.Ready.Read, ("step", "ready"));
        text.Single("spawngate_backends", Gauge, "Configured backends.", all.Count);
        text.Family("spawngate_backends_in_state", Gauge, "Backends in each state.");
        foreach (BackendPhase phase in _phases)
        {
            text.Sample("spawngate_backends_in_state", all.Count(report => report.State == phase), ("state", BackendReport.NameOf(phase)));
        }
    }

    private static void RenderStates(ExpositionText text, List<Host> own, List<Host> others, List<Host> templates)
    {
        text.Family("spawngate_backend_state", Gauge, "1 for the state the backend is in, 0 for the others.");
        foreach (Host host in own)
        {
            foreach (BackendPhase phase in _phases)
            {
                text.Sample(
                    "spawngate_backend_state",
                    host.Report.State == phase ? 1 : 0,
                    ("hostname", host.Report.Name),
                    ("state", BackendReport.NameOf(phase))
                );
            }
        }

        List<Host> shown = [.. own, .. templates];
        PerHost(text, shown, others, "spawngate_backend_in_flight", Gauge, "Requests and tunnels at the backend.", static host =>
            host.Report.InFlight
        );
        PerHost(
            text,
            shown,
            others,
            "spawngate_backend_no_wake",
            Gauge,
            "Those of them that do not keep it awake (no_wake, quiet WebSockets).",
            static host => host.Report.PassiveCount
        );
        PerHost(
            text,
            shown,
            others,
            "spawngate_backend_waiting",
            Gauge,
            "Requests held until the backend is ready and has room for them.",
            static host => host.Report.Waiting
        );
        PerHost(
            text,
            own,
            [],
            "spawngate_backend_max_concurrency",
            Gauge,
            "Requests that may be in flight at the backend, tunnels not counted; 0 for no limit.",
            static host => host.Report.MaxConcurrency
        );
        PerHost(text, shown, others, "spawngate_backend_tunnels", Gauge, "Open tunnels to the backend.", static host =>
            host.Report.Tunnels
        );
        PerHost(
            text,
            own,
            [],
            "spawngate_backend_failures_in_a_row",
            Gauge,
            "Failed starts since the last that became ready.",
            static host => host.Report.FailuresInARow
        );
    }

    private static void RenderStarts(ExpositionText text, List<Host> own, List<Host> others)
    {
        PerHost(text, own, others, "spawngate_backend_starts_total", Counter, "Starts of the backend, failed ones included.", static host =>
            host.Report.InstanceNumber
        );
        text.Family("spawngate_backend_last_start_seconds", Gauge, "How long the latest start took to each step.");
        foreach (Host host in own)
        {
            LastStartStep(text, host, "spawn", host.Report.LastStart?.SpawnMs);
            LastStartStep(text, host, "listen", host.Report.LastStart?.ListenMs);
            LastStartStep(text, host, "ready", host.Report.LastStart?.ReadyMs);
        }

        const string Events = "spawngate_backend_events_total";
        text.Family(Events, Counter, "Events in the life of the backend, as its ledger names them.");
        for (int i = 0; i < HistoryNames.Count; i++)
        {
            var kind = (HistoryEventKind)i;
            NonZero(text, own, others, Events, host => host.Numbers?.CountOf(kind) ?? 0, ("event", HistoryNames.Of(kind)));
        }

        PerHost(
            text,
            own,
            others,
            "spawngate_backend_health_check_failures_total",
            Counter,
            "Failed health checks of ready processes.",
            static host => host.Numbers?.ChecksFailed ?? 0
        );
    }

    private void RenderTraffic(ExpositionText text, List<Host> own, List<Host> others)
    {
        List<Host> used = own.FindAll(static host => host.Numbers?.Traffic is not null);
        RenderRequests(text, used, others);
        RenderBodies(text, used, others);
        RenderConnections(text, used, others);
        RenderLatency(text, used, others);
    }

    private void RenderRequests(ExpositionText text, List<Host> used, List<Host> others)
    {
        const string Requests = "spawngate_requests_total";
        text.Family(
            Requests,
            Counter,
            "Requests answered, by protocol of the client and class of the status; none means that the client was told nothing."
        );
        foreach (ReceivedProtocol protocol in (ReadOnlySpan<ReceivedProtocol>)[ReceivedProtocol.Http1, ReceivedProtocol.Http2])
        {
            for (int statusClass = 0; statusClass < BackendTraffic.Classes; statusClass++)
            {
                int wanted = statusClass;
                (string, string) ofProtocol = ("protocol", protocol == ReceivedProtocol.Http2 ? "h2" : "h1");
                (string, string) ofClass = ("code", statusClass == 0 ? "none" : $"{statusClass}xx");
                NonZero(text, used, others, Requests, host => host.Numbers?.Traffic?.Requests(protocol, wanted) ?? 0, ofProtocol, ofClass);
                if (_backends.Gateway.Traffic.Unrouted.Requests(protocol, statusClass) is > 0 and var unrouted)
                {
                    text.Sample(Requests, unrouted, ("hostname", NoHost), ofProtocol, ofClass);
                }
            }
        }

        PerHost(
            text,
            used,
            others,
            "spawngate_requests_turned_away_total",
            Counter,
            "Requests that got NOT_RUNNING, because they do not wake the backend (no_wake).",
            static host => host.Numbers?.Traffic?.TurnedAway ?? 0
        );
    }

    private static void RenderBodies(ExpositionText text, List<Host> used, List<Host> others)
    {
        PerHost(
            text,
            used,
            others,
            "spawngate_request_body_bytes_total",
            Counter,
            "Bytes of request bodies and from clients through tunnels; counted at the end of each.",
            static host => host.Numbers?.Traffic?.RequestBytes ?? 0
        );
        PerHost(
            text,
            used,
            others,
            "spawngate_response_body_bytes_total",
            Counter,
            "Bytes of response bodies and to clients through tunnels; counted at the end of each.",
            static host => host.Numbers?.Traffic?.ResponseBytes ?? 0
        );
    }

    private static void RenderConnections(ExpositionText text, List<Host> used, List<Host> others)
    {
        PerHost(
            text,
            used,
            others,
            "spawngate_upstream_connections_opened_total",
            Counter,
            "Connections opened to the backend.",
            static host => host.Numbers?.Traffic?.Opened ?? 0
        );
        PerHost(
            text,
            used,
            others,
            "spawngate_upstream_connections_reused_total",
            Counter,
            "Requests sent over a connection that was open already.",
            static host => host.Numbers?.Traffic?.Reused ?? 0
        );
        PerHost(
            text,
            used,
            others,
            "spawngate_upstream_retries_total",
            Counter,
            "Requests sent a second time, because the first time they had no effect.",
            static host => host.Numbers?.Traffic?.Retried ?? 0
        );
        PerHost(
            text,
            used,
            others,
            "spawngate_upstream_unsolicited_total",
            Counter,
            "Connections closed because the backend had sent bytes over them that no request had asked for.",
            static host => host.Numbers?.Traffic?.Unsolicited ?? 0
        );
    }

    private static void RenderLatency(ExpositionText text, List<Host> used, List<Host> others)
    {
        const string Latency = "spawngate_upstream_response_seconds";
        text.Family(Latency, "histogram", "Time from a request's head being sent to the backend until the head of the answer came.");
        foreach (Host host in used)
        {
            text.Histogram(Latency, Buckets.Upstream, host.Numbers!.Traffic!.Latency, ("hostname", host.Report.Name));
        }

        if (others.Count > 0)
        {
            text.Histogram(
                Latency,
                Buckets.Upstream,
                cell => Sum(others, host => host.Numbers?.Traffic?.Latency(cell) ?? 0),
                ("hostname", OtherHosts)
            );
        }
    }

    private static void Records(ExpositionText text, string name, string what, string done, RecordCounts counts)
    {
        text.Single($"{name}_total", Counter, $"{what} that were {done}.", counts.Written);
        text.Single(
            $"{name}_dropped_total",
            Counter,
            $"{what} that were dropped because they could not be {done} fast enough.",
            counts.Dropped
        );
    }

    private static void Histogram(ExpositionText text, string name, string meaning, TimeHistogram histogram)
    {
        text.Family(name, "histogram", meaning);
        text.Histogram(name, histogram.Buckets, histogram.Read);
    }

    private static void LastStartStep(ExpositionText text, Host host, string step, double? ms)
    {
        if (ms is { } known)
        {
            text.Sample("spawngate_backend_last_start_seconds", known / 1000, ("hostname", host.Report.Name), ("step", step));
        }
    }

    private static void PerHost(
        ExpositionText text,
        List<Host> own,
        List<Host> others,
        string name,
        string type,
        string meaning,
        Func<Host, long> value
    )
    {
        text.Family(name, type, meaning);
        foreach (Host host in own)
        {
            text.Sample(name, value(host), ("hostname", host.Report.Name));
        }

        if (others.Count > 0)
        {
            text.Sample(name, Sum(others, value), ("hostname", OtherHosts));
        }
    }

    /// <summary>The samples of one family with these labels, but for those that are 0: most of many combinations are.</summary>
    private static void NonZero(
        ExpositionText text,
        List<Host> own,
        List<Host> others,
        string name,
        Func<Host, long> value,
        params ReadOnlySpan<(string Name, string Value)> labels
    )
    {
        foreach (Host host in own)
        {
            if (value(host) is > 0 and var count)
            {
                text.Sample(name, count, [("hostname", host.Report.Name), .. labels]);
            }
        }

        if (Sum(others, value) is > 0 and var sum)
        {
            text.Sample(name, sum, [("hostname", OtherHosts), .. labels]);
        }
    }

    private static long Sum(List<Host> hosts, Func<Host, long> value)
    {
        long sum = 0;
        foreach (Host host in hosts)
        {
            sum += value(host);
        }

        return sum;
    }

    private sealed record Host(BackendReport Report, BackendNumbers? Numbers, int Place)
    {
        public int Rank => Numbers?.Traffic?.Ordinal ?? (Report.InstanceNumber > 0 ? int.MaxValue - 1 : int.MaxValue);
    }
}
