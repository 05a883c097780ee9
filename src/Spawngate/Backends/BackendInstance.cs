using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Upstreams;
using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <summary>
/// One start of a backend with all that belongs to it, from the decision to start until nothing of it is left: token, port, launch,
/// instance, probe, pool and measurements. Only the lifecycle uses it, except for the token. Its asynchronous work ends in messages that
/// carry its instance number.
/// </summary>
internal sealed class BackendInstance
{
    private readonly BackendEnvironment _env;
    private readonly LifecycleMailbox _mailbox;
    private readonly Action<bool> _onUnsolicited;
    private readonly Action _onBlocked;
    private readonly CancellationTokenSource _launchCancel = new();
    private readonly string _token = Convert.ToHexStringLower(Entropy.Bytes(BackendLimits.ReadyTokenBytes));
    private CancellationTokenSource? _probeCancel;
    private IHealthProbe? _probe;
    private long _portDeadlineMs;
    private int _plannedIntervalMs = -1;
    private LaunchRequest? _request;
    private IReadOnlyList<UpstreamPool> _places = [];
    private LaunchedAt _place = new(new IPEndPoint(IPAddress.Loopback, 0), false);
    private bool _hasSaidReady;
    private long _answersSeen;
    private long _lastCheckMs;
    private long _silentSinceMs;

    public BackendInstance(
        BackendEnvironment env,
        LifecycleMailbox mailbox,
        BackendConfig config,
        int instanceNumber,
        WakeCause cause,
        long wokenTimestamp,
        Action<bool> onUnsolicited,
        Action onBlocked
    )
    {
        _env = env;
        _mailbox = mailbox;
        _onUnsolicited = onUnsolicited;
        _onBlocked = onBlocked;
        Config = config;
        InstanceNumber = instanceNumber;
        Cause = cause;
        WokenTimestamp = wokenTimestamp;
    }

    /// <summary>The settings it was started with.</summary>
    public BackendConfig Config { get; }

    /// <summary>Its number.</summary>
    public int InstanceNumber { get; }

    /// <summary>Who woke it.</summary>
    public WakeCause Cause { get; }

    /// <summary>When the request or call that woke it arrived.</summary>
    public long WokenTimestamp { get; }

    /// <summary>Its port; 0 before the launch, and of most containers until they run.</summary>
    public int Port { get; private set; }

    /// <summary>Whether the launcher has still to answer.</summary>
    public bool IsLaunching { get; private set; }

    /// <summary>
    /// Whether it is ready as soon as it runs: connections wait in the backlog that it was given, and the file names nothing to ask for.
    /// </summary>
    public bool IsReadyAtOnce => _place.Listener is not null && string.IsNullOrEmpty(Config.HealthPath);

    /// <summary>What runs; null before the launcher answered.</summary>
    public IWorkload? Workload { get; private set; }

    /// <summary>Whether an answer of the launcher or an exit is still to be awaited.</summary>
    public bool HasSomethingToEnd => IsLaunching || Workload is not null;

    /// <summary>The connections to it; null before it is ready.</summary>
    public UpstreamPool? Pool { get; private set; }

    /// <summary>Since when it has refused connections without end, on the coarse clock; 0 when it accepts them.</summary>
    public long RefusedSinceMs { get; set; }

    /// <summary>The port that it was told and ignores, because it has one of its own; 0 when it listens where it was told.</summary>
    public int IgnoredPort { get; private set; }

    /// <summary>Whether it said that it is ready before the launcher's answer was handled.</summary>
    public bool HasEarlyCallback { get; set; }

    /// <summary>When the start fails at the latest, on the coarse clock; 0 while it waits for a predecessor.</summary>
    public long StartDeadlineMs { get; set; }

    /// <summary>When the port, found taken, is tried again, on the coarse clock; 0 when the start does not wait for its port.</summary>
    public long PortRetryMs { get; private set; }

    /// <summary>When it became ready, on the coarse clock.</summary>
    public long ReadyAtMs { get; set; }

    /// <summary>When it became unhealthy, on the coarse clock.</summary>
    public long UnhealthyAtMs { get; set; }

    /// <summary>When the next health check is due, on the coarse clock.</summary>
    public long NextCheckMs { get; private set; }

    /// <summary>Whether a health check is under way.</summary>
    public bool IsChecking { get; set; }

    /// <summary>Failed health checks in a row.</summary>
    public int FailedChecks { get; set; }

    /// <summary>Its lease, by its own word; null when it never gave one.</summary>
    public LeaseTerm? Lease { get; set; }

    /// <summary>When the launcher had answered; 0 before.</summary>
    public long SpawnedTimestamp { get; private set; }

    /// <summary>When the first TCP connection was accepted; 0 before.</summary>
    public long ListeningTimestamp { get; set; }

    /// <summary>
    /// Why the start fails when it takes too long, with what it is at: what the launcher does, or what the readiness probe saw last.
    /// </summary>
    public string TooSlow => $"not ready within {Config.StartupTimeoutSecs} s{(StageDetail is { } stage ? $" ({stage})" : "")}";

    /// <summary>Why the start fails when its port stays taken.</summary>
    public string PortTaken =>
        Config.Port == 0 ? "no loopback port is free"
        : _env.Ports.IsGiven(Config.Port)
            ? $"port {Config.Port} is in use by another backend, which got it before the file gave it to this one"
        : _env.Ports.Look(Config.Port).Describe(Config.Port);

    /// <summary>What to add to the reason of a failed start: that somebody else holds its port; empty when nobody was seen to.</summary>
    public string StrangerNote => Stranger is { } stranger ? $"; {stranger}" : "";

    private string? Stranger =>
        _places.Select(static place => place.Trust?.Stranger).FirstOrDefault(static stranger => stranger is not null);

    private string? StageDetail =>
        IsLaunching ? _request?.Stage.Text
        : _request?.Stage.Status is { } status ? $"its last status: {status}"
        : _probe?.LastDetail is { } last ? last
        : null;

    /// <summary>
    /// Whether <paramref name="token"/> is the token of this start; takes the same time for every wrong one of its length.
    /// </summary>
    public bool HasToken(string? token) =>
        token is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(token), Encoding.UTF8.GetBytes(_token));

    /// <summary>Milliseconds from the waking request to <paramref name="timestamp"/>.</summary>
    public double SinceWokenMs(long timestamp) => Math.Round(_env.Time.GetElapsedTime(WokenTimestamp, timestamp).TotalMilliseconds, 2);

    /// <summary>The steps of the start, which is ready by <paramref name="signal"/>.</summary>
    /// <param name="signal">By which signal it is ready.</param>
    /// <param name="judged">For people: how that was judged.</param>
    /// <param name="readyTimestamp">When.</param>
    public StartTimings Timings(ReadySignal signal, string judged, long readyTimestamp) =>
        new(
            SinceWokenMs(SpawnedTimestamp),
            ListeningTimestamp == 0 ? null : SinceWokenMs(ListeningTimestamp),
            SinceWokenMs(readyTimestamp),
            signal,
            judged
        );

    /// <summary>
    /// Has the launcher start it on the configured port, or any free one; the answer comes as <see cref="LifecycleInput.Launched"/>. A
    /// taken port is tried again after a tick. False when it has been taken for too long.
    /// </summary>
    /// <param name="nowMs">The time on the coarse clock.</param>
    /// <param name="fault">Set when no port can be looked for at all: why.</param>
    public bool TryLaunch(long nowMs, out string? fault)
    {
        fault = null;
        int? port;
        try
        {
            // A container with ports of its own gets one on this machine from its engine, when it is started.
            port = Config.UsesLoopbackPort ? _env.Ports.Take(Config.Port) : 0;
        }
        catch (SocketException e)
        {
            fault = $"no port can be chosen: {OpenFiles.Explain(e)}";
            return false;
        }

        if (port is not null)
        {
            Port = port.Value;
            _place = new LaunchedAt(new IPEndPoint(IPAddress.Loopback, Port), false);
            PortRetryMs = 0;
            IsLaunching = true;
            _request = new LaunchRequest(Config, InstanceNumber, Port, _env.ReadyUrl(Config.Name, _token)) { NotifiedReady = OnNotified };
            _ = LaunchAsync(_request);
            return true;
        }

        if (_portDeadlineMs == 0)
        {
            // Connections in TIME_WAIT go by themselves: worth waiting for as long as the start may take.
            var isPassing = Config.Port != 0 && _env.Ports.Look(Config.Port).IsPassing;
            _portDeadlineMs = isPassing ? StartDeadlineMs : Math.Min(nowMs + BackendLimits.PortWaitMs, StartDeadlineMs);
        }

        PortRetryMs = nowMs + RuntimeLimits.ClockTickMs;
        return nowMs < _portDeadlineMs;
    }

    /// <summary>Tells the launcher that the instance is no longer wanted.</summary>
    public void CancelLaunch() => _launchCancel.Cancel();

    /// <summary>Takes the launcher's answer over; the end of the instance comes as <see cref="LifecycleInput.Exited"/>.</summary>
    public void TakeLaunched(LaunchResult result, long timestamp)
    {
        IsLaunching = false;
        var workload = Workload = result.Workload;
        _place = result.Place ?? _place;
        Port = _place.EndPoint.Port;
        SpawnedTimestamp = timestamp;
        if (_place.Listener is not null)
        {
            ListeningTimestamp = timestamp;
        }

        if (workload is not null)
        {
            _places = [OpenPlace(_place.EndPoint), .. OtherLoopback()];
            _ = WatchExitAsync(workload);
        }
    }

    /// <summary>
    /// Whether it may become ready by its own word: not before it is known that it is the instance that listens. That is looked at from now
    /// on, and <see cref="LifecycleInput.HealthReady"/> comes once it is.
    /// </summary>
    public bool TryConfirm()
    {
        _hasSaidReady = true;
        if (FindConfirmed() is not null)
        {
            return true;
        }

        if (_probe is null)
        {
            ProbeReadiness();
        }

        _probe!.TakeItsWord();
        return false;
    }

    /// <summary>The first place of which it is known, or cannot be known, that it is the instance that listens there.</summary>
    private UpstreamPool? FindConfirmed() => _places.FirstOrDefault(static place => place.IsTrusted);

    /// <summary>Whether it is looked at who listens: where it was given a listening socket that is known.</summary>
    private bool TellsListener => _place.Listener is null && Workload!.TellsListener;

    /// <summary>The same port on the other loopback address, for a program whose machine calls that <c>localhost</c>.</summary>
    private IEnumerable<UpstreamPool> OtherLoopback() =>
        Config.UsesLoopbackPort && TellsListener && Socket.OSSupportsIPv6 ? [OpenPlace(new IPEndPoint(IPAddress.IPv6Loopback, Port))] : [];

    private UpstreamPool OpenPlace(IPEndPoint at)
    {
        var workload = Workload!;
        return new UpstreamPool(at, _env.Server.PoolMaxIdlePerHost, _env.Server.PoolIdleTimeoutSecs * 1000L, _env.Clock)
        {
            IsForwarded = _place.IsForwarded,
            OnUnsolicited = _onUnsolicited,
            OnBlocked = _onBlocked,
            Ports = _env.UpstreamPorts,
            Listener = _place.Listener,
            Trust = TellsListener ? new ListenerTrust(() => workload.FindListenerAsync(at), TellStranger) : null,
        };
    }

    /// <summary>
    /// Asks for health until it is ready: <see cref="LifecycleInput.Listening"/>, then <see cref="LifecycleInput.HealthReady"/>.
    /// </summary>
    public void ProbeReadiness()
    {
        var (probe, cancel) = OpenProbe();
        _ = ProbeReadinessAsync(probe, cancel);
    }

    /// <summary>
    /// Plans the first check at an interval that is new to this instance at a random moment within it: backends that become ready, or get
    /// new settings, at the same time are not checked at the same time ever after.
    /// </summary>
    /// <param name="intervalMs">Milliseconds between checks; 0 for none.</param>
    /// <param name="nowMs">The time on the coarse clock.</param>
    public void PlanChecks(int intervalMs, long nowMs)
    {
        if (intervalMs != _plannedIntervalMs)
        {
            _plannedIntervalMs = intervalMs;
            NextCheckMs = nowMs + Math.Max(RuntimeLimits.ClockTickMs, (long)(intervalMs * _env.Spread()));
        }
    }

    /// <summary>Asks for health once, if a check is due: <see cref="LifecycleInput.Checked"/>.</summary>
    /// <param name="intervalMs">Milliseconds between checks; 0 for none.</param>
    /// <param name="nowMs">The time on the coarse clock.</param>
    public void CheckIfDue(int intervalMs, long nowMs)
    {
        if (intervalMs == 0 || nowMs < NextCheckMs)
        {
            return;
        }

        // From the planned moment, not from now: backends started together stay spread out.
        var stepMs = Math.Max(intervalMs, RuntimeLimits.ClockTickMs);
        NextCheckMs = NextCheckMs + stepMs > nowMs ? NextCheckMs + stepMs : nowMs + stepMs;
        if (!IsChecking)
        {
            Check(Math.Clamp(intervalMs, BackendLimits.ProbeTimeoutMsMin, ProbeLimits.TimeoutMs));
        }
    }

    private void Check(int timeoutMs)
    {
        var (probe, cancel) = OpenProbe();
        IsChecking = true;
        _ = CheckAsync(probe, timeoutMs, cancel);
    }

    /// <summary>Ends probing at once.</summary>
    public void StopProbing()
    {
        _probeCancel?.Cancel();
        _probeCancel?.Dispose();
        _probeCancel = null;
        IsChecking = false;
    }

    /// <summary>Opens it to requests, where it was found.</summary>
    /// <param name="found">Where that is; null when it only said that it is ready.</param>
    /// <param name="readyTimestamp">When it was ready.</param>
    public ReadyInstance Open(UpstreamPool? found, long readyTimestamp)
    {
        var pool = found ?? FindConfirmed() ?? _places[0];
        Pool = pool;
        foreach (var place in _places)
        {
            if (place != pool)
            {
                place.Retire();
            }
        }

        if (pool.Endpoint.Port != Port)
        {
            IgnoredPort = Port;
            Port = pool.Endpoint.Port;
        }

        if (found is null)
        {
            // It may have looked elsewhere last: another is made for this place.
            _probe?.Dispose();
            _probe = null;
        }

        return new ReadyInstance(InstanceNumber, pool) { Steps = new StartSteps(WokenTimestamp, SpawnedTimestamp, readyTimestamp) };
    }

    /// <summary>
    /// Whether a check that got no answer says nothing: bytes have passed between it and a client since the last, or a request is in flight
    /// and that has not lasted longer than a request may be silent. A server that serves one request at a time has no ear for a check
    /// meanwhile.
    /// </summary>
    /// <param name="requestsInFlight">Requests that it has, without tunnels.</param>
    /// <param name="requestTimeoutSecs">How long a request may be silent; 0 for ever.</param>
    /// <param name="answers">Answers of the backend so far.</param>
    /// <param name="nowMs">The time on the coarse clock.</param>
    public bool IsBusy(long requestsInFlight, int requestTimeoutSecs, long answers, long nowMs)
    {
        if (answers != _answersSeen || Pool?.HasPassedWithin(nowMs - _lastCheckMs) == true)
        {
            _silentSinceMs = 0;
            return true;
        }

        // What is sent to one that hangs, request by request, is no sign of life: so this ends some time after the last.
        _silentSinceMs = _silentSinceMs == 0 ? nowMs : _silentSinceMs;
        return requestsInFlight > 0 && (requestTimeoutSecs == 0 || nowMs - _silentSinceMs < requestTimeoutSecs * 1000L);
    }

    /// <summary>A check is over: signs of life are looked for from here on.</summary>
    /// <param name="answers">Answers of the backend so far.</param>
    /// <param name="nowMs">The time on the coarse clock.</param>
    /// <param name="isSilent">Whether there was no answer.</param>
    public void NoteChecked(long answers, long nowMs, bool isSilent)
    {
        _silentSinceMs = isSilent ? _silentSinceMs : 0;
        _answersSeen = answers;
        _lastCheckMs = nowMs;
    }

    /// <summary>Lets go of everything that is left. The instance has ended, or was given up.</summary>
    public void End()
    {
        StopProbing();
        _probe?.Dispose();
        _probe = null;
        // Nothing may reuse a connection to a process that is gone; exchanges under way still read what the kernel holds for them.
        foreach (var place in _places)
        {
            place.Retire();
        }

        Pool?.Retire();
        _launchCancel.Dispose();
        if (Port != 0 && Config.UsesLoopbackPort)
        {
            _env.Ports.Release(IgnoredPort != 0 ? IgnoredPort : Port);
        }
    }

    private (IHealthProbe Probe, CancellationToken Cancel) OpenProbe()
    {
        _probe ??= MakeProbe();
        _probeCancel ??= new CancellationTokenSource();
        return (_probe, _probeCancel.Token);
    }

    private IHealthProbe MakeProbe()
    {
        if (Workload is { TellsHealth: true } told)
        {
            return new ToldHealthProbe(told, _env.Time);
        }

        // A wildcard is no host name that a backend could be asked for.
        var host = Config.Hostname.Contains('*') ? "localhost" : Config.Hostname;
        var workload = Workload!;
        var probe = _env.OpenProbe(
            new ProbeTarget(
                Pool is null ? _places : [Pool],
                host,
                new HealthRule(IsReadyAtOnce ? "" : Config.HealthPath, Config.HealthStatus),
                Config.HealthCheckIntervalMs
            )
            {
                Behind = _place.Behind,
                Others =
                    Pool is null && TellsListener && Config.UsesLoopbackPort
                        ? new OtherPorts(workload.FindListenersAsync, Config.Port == 0 ? OpenPlace : null)
                        : null,
            }
        );
        if (_hasSaidReady)
        {
            probe.TakeItsWord();
        }

        return probe;
    }

    private async Task LaunchAsync(LaunchRequest request)
    {
        LaunchResult result;
        try
        {
            result = await _env.Launchers.Of(Config.Kind).LaunchAsync(request, _launchCancel.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            result = new LaunchResult(null, "the start was cancelled");
        }
        catch (Exception e)
        {
            // Launchers do not throw; if one does, a backend that is never told would be stuck.
            result = new LaunchResult(null, e.Message);
        }

        _mailbox.Post(new LifecycleMessage(LifecycleInput.Launched, InstanceNumber, result, _env.Time.GetTimestamp()));
    }

    private void OnNotified() =>
        _mailbox.Post(new LifecycleMessage(LifecycleInput.CallbackReady, InstanceNumber, null, _env.Time.GetTimestamp()));

    private void TellStranger(string stranger) => LifecycleLog.Stranger(_env.Log, Config.Name, Workload?.Description ?? "", stranger);

    private async Task WatchExitAsync(IWorkload instance)
    {
        ExitReport report;
        try
        {
            report = await instance.Exited.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            report = new ExitReport(e.Message, null, []);
        }

        _mailbox.Post(new LifecycleMessage(LifecycleInput.Exited, InstanceNumber, report));
    }

    private async Task ProbeReadinessAsync(IHealthProbe probe, CancellationToken cancel)
    {
        ReadyFinding found;
        try
        {
            found = await probe
                .WaitUntilReadyAsync(
                    () => _mailbox.Post(new LifecycleMessage(LifecycleInput.Listening, InstanceNumber, null, _env.Time.GetTimestamp())),
                    cancel
                )
                .ConfigureAwait(false);
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            LifecycleLog.Bug(_env.Log, e, Config.Name, LifecycleInput.HealthReady);
            return; // The start deadline ends it.
        }

        _mailbox.Post(new LifecycleMessage(LifecycleInput.HealthReady, InstanceNumber, found, _env.Time.GetTimestamp()));
    }

    private async Task CheckAsync(IHealthProbe probe, int timeoutMs, CancellationToken cancel)
    {
        ProbeResult result;
        try
        {
            result = await probe.CheckAsync(timeoutMs, cancel).ConfigureAwait(false);
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            result = new ProbeResult(false, e.Message);
        }

        _mailbox.Post(new LifecycleMessage(LifecycleInput.Checked, InstanceNumber, result));
    }
}
