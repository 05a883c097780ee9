using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Workloads;

namespace Spawngate.Tests.Fakes;

/// <summary>Backends on a stage: time, launcher, probes and executor in the hands of a test.</summary>
internal sealed class LifecycleStage : IDisposable
{
    private static readonly WakeCause Request = new(WakeKind.Request, "GET /");

    public LifecycleStage(Func<BackendConfig, BackendConfig>? configure = null, Launchers? launchers = null)
    {
        // The test runner's context would keep continuations from running inline, where the order of steps is the test's.
        SynchronizationContext.SetSynchronizationContext(null);
        Clock = new CoarseClock(Time);
        Active = new ActiveBackends(Clock);
        Env = new BackendEnvironment
        {
            Server = new ServerConfig(),
            Time = Time,
            Clock = Clock,
            Active = Active,
            Launchers = launchers ?? KindsInTests.Launch(Launcher),
            OpenProbe = target =>
            {
                if (ProbeFault is { } fault)
                {
                    throw fault;
                }

                var probe = new ScriptedProbe(target);
                Probes.Add(probe);
                return probe;
            },
            Ports = new LoopbackPorts(
                wanted =>
                    PortFault is { } fault ? throw fault
                    : TakenPorts.Contains(wanted) ? null
                    : wanted == 0 ? ++_port
                    : wanted,
                _ => PortUse
            ),
            Execute = Executor.Schedule,
            Spread = static () => 1.0,
            Log = Log,
        };
        var config = Config("app.example.com");
        Backend = new Backend(Env, configure?.Invoke(config) ?? config);
    }

    private readonly SynchronizationContext? _runnersContext = SynchronizationContext.Current;
    private int _port = 40000;

    /// <summary>Why a port is taken.</summary>
    public PortUse PortUse { get; set; }

    public FakeTime Time { get; } = new();

    public CoarseClock Clock { get; }

    public ActiveBackends Active { get; }

    public StepExecutor Executor { get; } = new();

    public ScriptedLauncher Launcher { get; } = new();

    public List<ScriptedProbe> Probes { get; } = [];

    public RecordingLog Log { get; } = new();

    public HashSet<int> TakenPorts { get; } = [];

    /// <summary>The next port that this machine has free.</summary>
    public int NextPort => _port + 1;

    /// <summary>Thrown whenever a port is looked for.</summary>
    public Exception? PortFault { get; set; }

    /// <summary>Thrown whenever a probe is made.</summary>
    public Exception? ProbeFault { get; set; }

    public BackendEnvironment Env { get; }

    public Backend Backend { get; }

    public BackendPhase Phase => Backend.Word.Phase;

    public ScriptedProbe Probe => Probes[^1];

    public ScriptedWorkload Workload => Launcher.Last.Workload!;

    public static BackendConfig Config(string hostname, int port = 0) =>
        new(
            new BackendTimings
            {
                IdleTimeoutSecs = 60,
                StartupTimeoutSecs = 30,
                ShutdownGracePeriodSecs = 5,
                DrainTimeoutSecs = 20,
                ReadyHealthCheckIntervalMs = 5000,
                UnhealthyThreshold = 3,
                MaxQueuedRequests = 2000,
            }
        )
        {
            Route = new BackendRoute(hostname),
            Settings = KindsInTests.Runs("app"),
            Port = port,
        };

    public BackendWaiter Ask() => Backend.Enqueue(Request);

    public void Settle() => Executor.RunAll();

    /// <summary>Moves time in ticks, handling messages after each.</summary>
    public void Pass(long ms)
    {
        for (var left = ms; left > 0; left -= RuntimeLimits.ClockTickMs)
        {
            Time.AdvanceMs(Math.Min(left, RuntimeLimits.ClockTickMs));
            Settle();
        }
    }

    public void PassSecs(double secs) => Pass((long)(secs * 1000));

    /// <summary>From Stopped to Starting, with the launcher still to answer.</summary>
    public BackendWaiter ToLaunching()
    {
        var waiter = Ask();
        Settle();
        return waiter;
    }

    public BackendWaiter ToLaunched()
    {
        var waiter = ToLaunching();
        Launcher.Last.Succeed();
        Settle();
        return waiter;
    }

    /// <summary>To Ready, with nothing in flight.</summary>
    public ReadyInstance ToReady()
    {
        var instance = ToReadyWithOneInFlight();
        Backend.Leave(instance);
        return instance;
    }

    public ReadyInstance ToReadyWithOneInFlight()
    {
        var waiter = ToLaunched();
        Probe.Listen();
        Probe.Ready();
        Settle();
        return Decided(waiter).Instance!;
    }

    public void ToUnhealthy()
    {
        ToReady();
        FailChecks(3);
    }

    public void FailChecks(int count)
    {
        for (var i = 0; i < count; i++)
        {
            Pass(5000);
            Probe.Answer(false);
            Settle();
        }
    }

    /// <summary>The decision, which must be there.</summary>
    public static Admission Decided(BackendWaiter waiter)
    {
        Assert.That(waiter.Decision.IsCompleted, Is.True, "the waiter is still held");
#pragma warning disable VSTHRD002 // It is completed.
        return waiter.Decision.Result;
#pragma warning restore VSTHRD002
    }

    public static string Outcome(BackendWaiter waiter) => waiter.Decision.IsCompleted ? Decided(waiter).Outcome.ToString() : "Held";

    /// <summary>For tests that provoke what only a bug can do.</summary>
    public bool BugsAreExpected { get; set; }

    public void Dispose()
    {
        Active.Dispose();
        Clock.Dispose();
        SynchronizationContext.SetSynchronizationContext(_runnersContext);
        if (!BugsAreExpected)
        {
            Assert.That(Log.Bugs, Is.Empty);
        }
    }
}
