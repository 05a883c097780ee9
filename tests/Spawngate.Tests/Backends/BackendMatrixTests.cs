using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads;

namespace Spawngate.Tests;

/// <summary>
/// The whole table of docs/concepts/backend-states.md: every state × every input. A cell tells the phase after the input and what
/// happened: L launched again, T terminated, K killed, C launch cancelled, E ended for good, B reported as a bug; then what became of a
/// request that was held before (h, - when there was none) and of one that arrives after (a).
/// </summary>
internal sealed class BackendMatrixTests
{
    private static readonly Dictionary<string, Action<LifecycleStage>> States = new()
    {
        ["Stopped"] = static _ => { },
        ["Stopped, waiting after failures"] = static stage =>
        {
            FailLaunch(stage);
            FailLaunch(stage);
        },
        ["Starting, launching"] = static stage => stage.ToLaunching(),
        ["Starting, launched"] = static stage => stage.ToLaunched(),
        ["Ready, 1 in flight"] = static stage => stage.ToReadyWithOneInFlight(),
        ["Ready, unused"] = static stage => stage.ToReady(),
        ["Ready, full, one waits"] = static stage =>
        {
            stage.Backend.Reconfigure(stage.Backend.Config with { MaxConcurrency = 1 });
            stage.ToReadyWithOneInFlight();
        },
        ["Ready, full of a passive request, one waits"] = static stage =>
        {
            stage.Backend.Reconfigure(stage.Backend.Config with { MaxConcurrency = 1 });
            stage.ToReady();
            stage.Backend.EnterPassive(out _);
        },
        ["Unhealthy"] = static stage => stage.ToUnhealthy(),
        ["Stopping idle, terminating"] = static stage =>
        {
            stage.ToReady();
            stage.PassSecs(60.2);
        },
        ["Stopping idle, passive request in flight"] = static stage =>
        {
            stage.ToReady();
            stage.Backend.EnterPassive(out _);
            stage.PassSecs(60.2);
        },
        ["Stopping asked, draining"] = static stage =>
        {
            stage.ToReadyWithOneInFlight();
            stage.Backend.RequestStop();
        },
        ["Stopping asked, awaiting launch"] = static stage =>
        {
            stage.ToLaunching();
            stage.Backend.RequestStop();
        },
        ["Stopping restart, draining"] = static stage =>
        {
            stage.ToReadyWithOneInFlight();
            stage.Backend.RequestRestart();
        },
        ["Stopping slow start, terminating"] = static stage =>
        {
            stage.ToLaunched();
            stage.PassSecs(30.2);
        },
        ["Stopping removed, terminating"] = static stage =>
        {
            stage.ToReady();
            stage.Backend.Close(LifecycleInput.Remove);
        },
        ["Closed"] = static stage => stage.Backend.Close(LifecycleInput.GatewayStop),
    };

    private static readonly Dictionary<string, Action<LifecycleStage, ReadyInstance?>> Inputs = new()
    {
        ["request"] = static (stage, _) => stage.Ask(),
        ["stray wake"] = static (stage, _) => Post(stage, LifecycleInput.Wake, 0, new WakeCause(WakeKind.Request)),
        ["admin start"] = static (stage, _) => stage.Backend.RequestStart(),
        ["admin stop"] = static (stage, _) => stage.Backend.RequestStop(),
        ["admin restart"] = static (stage, _) => stage.Backend.RequestRestart(),
        ["remove"] = static (stage, _) => stage.Backend.Close(LifecycleInput.Remove),
        ["gateway stop"] = static (stage, _) => stage.Backend.Close(LifecycleInput.GatewayStop),
        ["kill now"] = static (stage, _) => stage.Backend.Close(LifecycleInput.KillNow),
        ["launched"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Launched, new LaunchResult(new ScriptedWorkload(1), null)),
        ["launch failed"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Launched, new LaunchResult(null, "no")),
        ["listening"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Listening, null),
        ["health ready"] = static (stage, _) =>
            PostCurrent(stage, LifecycleInput.HealthReady, new ReadyFinding(null, "GET /health answered 200")),
        ["callback ready"] = static (stage, _) => PostCurrent(stage, LifecycleInput.CallbackReady, null),
        ["exited"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Exited, new ExitReport("exited with status 3", 3, [])),
        ["check succeeded"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Checked, new ProbeResult(true, "status 200")),
        ["check failed"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Checked, new ProbeResult(false, "status 500")),
        ["last request left"] = static (stage, instance) =>
        {
            if (instance is not null)
            {
                stage.Backend.Leave(instance, countedPassive: stage.Backend.Word.PassiveCount > 0);
            }
        },
        ["stray drained"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Drained, null),
        ["due, nothing passed"] = static (stage, _) => Post(stage, LifecycleInput.Due, 0, null),
        ["due, all passed"] = static (stage, _) =>
        {
            stage.Time.AdvanceMs(70_000);
            Post(stage, LifecycleInput.Due, 0, null);
        },
        ["predecessor ended"] = static (stage, _) => PostCurrent(stage, LifecycleInput.PredecessorEnded, null),
        ["reconfigured"] = static (stage, _) => stage.Backend.Reconfigure(stage.Backend.Config with { IdleTimeoutSecs = 70 }),
        ["limit raised"] = static (stage, _) => stage.Backend.Reconfigure(stage.Backend.Config with { MaxConcurrency = 2 }),
        ["lease"] = static (stage, _) => PostCurrent(stage, LifecycleInput.Lease, new LeaseCall(100)),
        ["stale launched"] = static (stage, _) => PostStale(stage, LifecycleInput.Launched, new LaunchResult(null, "no")),
        ["stale listening"] = static (stage, _) => PostStale(stage, LifecycleInput.Listening, null),
        ["stale health ready"] = static (stage, _) => PostStale(stage, LifecycleInput.HealthReady, null),
        ["stale callback ready"] = static (stage, _) => PostStale(stage, LifecycleInput.CallbackReady, null),
        ["stale exited"] = static (stage, _) => PostStale(stage, LifecycleInput.Exited, new ExitReport("late", 0, [])),
        ["stale check"] = static (stage, _) => PostStale(stage, LifecycleInput.Checked, new ProbeResult(false, "late")),
        ["stale drained"] = static (stage, _) => PostStale(stage, LifecycleInput.Drained, null),
        ["stale lease"] = static (stage, _) => PostStale(stage, LifecycleInput.Lease, new LeaseCall(100)),
        ["stale predecessor ended"] = static (stage, _) => PostStale(stage, LifecycleInput.PredecessorEnded, null),
    };

    private static readonly Row[] Rows =
    [
        .. from line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "BackendMatrix.txt"))
        where line.Length > 0 && line[0] != '#'
        let cells = line.Split(" | ")
        select new Row(cells[0], cells[1], cells[2]),
    ];

    private static IEnumerable<TestCaseData> Cells() =>
        Rows.Select(static row => new TestCaseData(row.State, row.Input).Returns(row.Cell).SetName($"{row.State} + {row.Input}"));

    [Test]
    public void Every_state_is_listed_with_every_input() =>
        Assert.That(
            Rows.Select(static row => (row.State, row.Input)),
            Is.EqualTo(States.Keys.SelectMany(static state => Inputs.Keys, static (state, input) => (state, input)))
        );

    [TestCaseSource(nameof(Cells))]
    public string A_state_takes_an_input(string state, string input) => Cell(state, input);

    private static string Cell(string state, string input)
    {
        using var stage = new LifecycleStage { BugsAreExpected = true };
        States[state](stage);
        stage.Settle();
        stage.Backend.TryEnter(out _);
        if (stage.Backend.Word is { Phase: BackendPhase.Ready, InFlight: var inFlight } word && (inFlight == 2 || state == "Ready, unused"))
        {
            stage.Backend.Leave(new ReadyInstance(word.InstanceNumber, null!));
        }

        var instance = stage.Backend.Word.InFlight > 0 ? new ReadyInstance(stage.Backend.Word.InstanceNumber, null!) : null;
        // A request would call a stop off that only waits for passive requests.
        var waits = stage.Phase is BackendPhase.Starting or BackendPhase.Stopping && stage.Backend.Word.PassiveCount == 0;
        var held = waits || stage.Backend.Word.Gate != ReadyGate.Open ? stage.Ask() : null;
        held = held is { Decision.IsCompleted: false } ? held : null;
        var launch = stage.Launcher.Launches.Count > 0 ? stage.Launcher.Last : null;
        var (launches, terminated, killed) = (
            stage.Launcher.Launches.Count,
            launch?.Workload?.Terminated ?? 0,
            launch?.Workload?.Killed ?? 0
        );
        var cancelled = launch?.Cancel.IsCancellationRequested ?? false;
        var ended = stage.Backend.Ended.IsCompleted;

        Inputs[input](stage, instance);
        stage.Settle();

        var effects =
            (stage.Launcher.Launches.Count > launches ? "L" : "")
            + ((launch?.Workload?.Terminated ?? 0) > terminated ? "T" : "")
            + ((launch?.Workload?.Killed ?? 0) > killed ? "K" : "")
            + (launch is not null && launch.Cancel.IsCancellationRequested && !cancelled ? "C" : "")
            + (stage.Backend.Ended.IsCompleted && !ended ? "E" : "")
            + (stage.Log.Bugs.Any() ? "B" : "");
        var phase = stage.Phase;
        var heldNow = held is null ? "-" : LifecycleStage.Outcome(held);
        return $"{phase} {(effects.Length == 0 ? "." : effects)} h={heldNow} a={LifecycleStage.Outcome(stage.Ask())}";
    }

    private static void FailLaunch(LifecycleStage stage)
    {
        stage.ToLaunching();
        stage.Launcher.Last.Fail("no");
        stage.Settle();
    }

    private static void PostCurrent(LifecycleStage stage, LifecycleInput input, object? payload) =>
        Post(stage, input, Math.Max(1, stage.Backend.Word.InstanceNumber), payload);

    private static void PostStale(LifecycleStage stage, LifecycleInput input, object? payload) =>
        Post(stage, input, stage.Backend.Word.InstanceNumber + 1000, payload);

    private static void Post(LifecycleStage stage, LifecycleInput input, int instanceNumber, object? payload) =>
        stage.Backend.Lifecycle.Mailbox.Post(new LifecycleMessage(input, instanceNumber, payload, stage.Time.GetTimestamp()));

    private sealed record Row(string State, string Input, string Cell);
}
