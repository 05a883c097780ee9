using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Config.Toml;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>Building, reloading and ending all backends.</summary>
internal sealed class BackendSetTests
{
    [Test]
    public void A_reload_counts_what_changed_and_leaves_the_rest_alone()
    {
        using var stage = new LifecycleStage();
        var a = LifecycleStage.Config("a") with { Args = ["x"], Env = [new("K", "v")], File = "file", Position = new(1, 1) };
        var set = new BackendSet(stage.Env, Config(a, LifecycleStage.Config("b"), LifecycleStage.Config("c")));
        var (backendA, backendB) = (set.Find("a"u8), set.Find("b"u8));
        var counts = set.Apply(
            Config(
                a with
                {
                    Args = ["x"],
                    Env = [new("K", "v")],
                    File = "file",
                    Position = new(9, 1),
                },
                LifecycleStage.Config("b") with
                {
                    IdleTimeoutSecs = 1,
                },
                LifecycleStage.Config("d")
            )
        );
        Assert.That(counts, Is.EqualTo(new ReloadCounts(Added: 1, Removed: 1, Updated: 1)));
        Assert.That(set.Find("a"u8), Is.SameAs(backendA));
        Assert.That(backendA!.Config.Origin, Is.EqualTo("file:1:1"));
        Assert.That(set.Find("b"u8), Is.SameAs(backendB));
        Assert.That(backendB!.Config.IdleTimeoutSecs, Is.EqualTo(1));
        Assert.That(set.Find("c"u8), Is.Null);
        Assert.That(set.FindByName("D."), Is.SameAs(set.Find("d:80"u8)));
        Assert.That(set.All.Select(backend => backend.Hostname), Is.EqualTo(["a", "b", "d"]));
        Assert.That(set.Apply(Config(a with { Env = [new("K", "w")] })).Updated, Is.EqualTo(1));
    }

    [Test]
    public void No_backend_gets_the_fixed_port_of_another_that_is_stopped()
    {
        using var stage = new LifecycleStage();
        int first = stage.NextPort;
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a"), LifecycleStage.Config("fixed", first)));
        Assert.That(LaunchedPort(stage, set, "a"), Is.EqualTo(first + 1));

        // Also when a reload names it; one that is in use already stays where it is, and the log says who has it.
        set.Apply(Config(LifecycleStage.Config("a"), LifecycleStage.Config("b"), LifecycleStage.Config("fixed", first + 2)));
        Assert.That(LaunchedPort(stage, set, "b"), Is.EqualTo(first + 3));
        set.Apply(Config(LifecycleStage.Config("a"), LifecycleStage.Config("late", first + 3)));
        stage.TakenPorts.Add(first + 3);
        set.Find("late"u8)!.Enqueue(new WakeCause(WakeKind.Request));
        stage.PassSecs(2.2);
        Assert.That(
            set.Find("late"u8)!.GetStatus().LastFailure,
            Is.EqualTo($"port {first + 3} is in use by another backend, which got it before the file gave it to this one")
        );
    }

    [Test]
    public void Every_setting_counts_as_a_change_and_the_place_in_the_file_does_not()
    {
        var config = LifecycleStage.Config("a") with { Args = ["x"], Env = [new("K", "v")] };
        string[] places = [nameof(BackendConfig.File), nameof(BackendConfig.Position)];
        foreach (var property in typeof(BackendConfig).GetProperties().Where(property => property.CanWrite))
        {
            var changed = config with { };
            property.SetValue(changed, Another(property.PropertyType, property.GetValue(config)));
            Assert.That(changed.HasSameSettings(config), Is.EqualTo(places.Contains(property.Name)), property.Name);
        }

        Assert.That(config.HasSameSettings(config with { Args = ["x"], Env = [new("K", "v")] }), Is.True);
        Assert.That(config.HasSameSettings(config with { Args = ["x", "y"] }), Is.False);
        Assert.That(config.HasSameSettings(config with { Env = [] }), Is.False);
    }

    [Test]
    public void What_was_never_used_ends_at_once_when_it_is_removed()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a"), LifecycleStage.Config("b")));
        var (a, b) = (set.Find("a"u8)!, set.Find("b"u8)!);
        Assert.That(a.GetStatus().Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(a.ReportReady("token", adminAuthorised: false), Is.EqualTo(ReadyCallbackOutcome.Unauthorised));
        Assert.That(a.ReportReady(null, adminAuthorised: true), Is.EqualTo(ReadyCallbackOutcome.NotStarting));
        List<string> removed = [];
        set.Apply(Config(LifecycleStage.Config("b")), removed.Add);
        Assert.That(removed, Is.EqualTo(["a"]));
        Assert.That(a.Ended.IsCompleted, Is.True);
        Assert.That(LifecycleStage.Outcome(a.Enqueue(default)), Is.EqualTo("ShuttingDown"));
        Assert.That(set.StopAllAsync().IsCompleted, Is.True);
        Assert.That(LifecycleStage.Outcome(b.Enqueue(default)), Is.EqualTo("ShuttingDown"));
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Is.Empty);
    }

    [Test]
    public void A_removed_backend_drains_and_stops_and_never_starts_again()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a")));
        var backend = set.Find("a"u8)!;
        var instance = MakeReady(stage, backend);
        set.Apply(Config());
        stage.Settle();
        Assert.That(backend.Word, Is.EqualTo(new BackendWord(BackendPhase.Stopping, 1, 1)));
        backend.Leave(instance);
        stage.Settle();
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(backend.Ended.IsCompleted, Is.True);
        backend.RequestStart();
        stage.Settle();
        Assert.That(backend.Word.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(LifecycleStage.Outcome(backend.Enqueue(default)), Is.EqualTo("ShuttingDown"));
    }

    [TestCase("a", 0)]
    [TestCase("other", 8000)]
    public void What_cannot_run_beside_a_removed_backend_waits_for_its_end(string newName, int port)
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a", port)));
        var old = set.Find("a"u8)!;
        var instance = MakeReady(stage, old);
        set.Apply(Config());
        set.Apply(Config(LifecycleStage.Config(newName, port)));
        var fresh = set.Find(System.Text.Encoding.ASCII.GetBytes(newName))!;
        Assert.That(fresh, Is.Not.SameAs(old));
        var waiter = fresh.Enqueue(default);
        stage.Settle();
        stage.PassSecs(5);
        Assert.That(fresh.Word.Phase, Is.EqualTo(BackendPhase.Starting));
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
        old.Leave(instance);
        stage.Settle();
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(2));
        stage.Launcher.Last.Succeed();
        stage.Settle();
        stage.Probe.Ready();
        stage.Settle();
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
    }

    [Test]
    public void A_start_that_waits_for_a_predecessor_can_be_stopped()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a")));
        MakeReady(stage, set.Find("a"u8)!);
        set.Apply(Config());
        set.Apply(Config(LifecycleStage.Config("a")));
        var fresh = set.Find("a"u8)!;
        var waiter = fresh.Enqueue(default);
        stage.Settle();
        fresh.RequestStop();
        stage.Settle();
        Assert.That(fresh.Word.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("ShuttingDown"));
        stage.Workload.Exit();
        stage.Settle();
        Assert.That(fresh.Word.Phase, Is.EqualTo(BackendPhase.Stopped));
        Assert.That(stage.Launcher.Launches, Has.Count.EqualTo(1));
    }

    [Test]
    public void Stopping_all_is_parallel_and_includes_what_a_reload_removed()
    {
        using var stage = new LifecycleStage();
        stage.Launcher.Immediate = true;
        var set = new BackendSet(stage.Env, Config([.. Enumerable.Range(0, 20).Select(i => LifecycleStage.Config($"h{i}"))]));
        foreach (var backend in set.All)
        {
            MakeReady(stage, backend);
        }

        set.Apply(Config([.. Enumerable.Range(1, 19).Select(i => LifecycleStage.Config($"h{i}"))]));
        var all = set.StopAllAsync();
        stage.Settle();
        Assert.That(set.Apply(Config(LifecycleStage.Config("new"))), Is.EqualTo(default(ReloadCounts)));
        stage.PassSecs(20.2);
        Assert.That(stage.Launcher.Launches.Select(launch => launch.Workload!.Terminated), Is.All.EqualTo(1));
        Assert.That(all.IsCompleted, Is.False);
        stage.Launcher.Launches.ForEach(launch => launch.Workload!.Exit());
        stage.Settle();
        Assert.That(set.All.Select(backend => backend.Ended.IsCompleted), Is.All.True);
        Assert.That(() => all.IsCompleted, Is.True.After(5).Seconds.PollEvery(1).MilliSeconds);
        Assert.That(stage.Active.Count, Is.Zero);
    }

    [Test]
    public void Killing_all_cuts_a_stop_short()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config(LifecycleStage.Config("a")));
        MakeReady(stage, set.Find("a"u8)!);
        _ = set.StopAllAsync();
        stage.Settle();
        Assert.That(stage.Workload.Terminated, Is.Zero);
        _ = set.KillAllAsync();
        stage.Settle();
        Assert.That(stage.Workload.Killed, Is.EqualTo(1));
    }

    [Test]
    public void Ten_thousand_stopped_backends_are_in_no_list_that_is_walked()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(stage.Env, Config([.. Enumerable.Range(0, 10_000).Select(i => LifecycleStage.Config($"h{i}"))]));
        Assert.That(set.All, Has.Count.EqualTo(10_000));
        Assert.That(stage.Active.Count, Is.Zero);
        Assert.That(stage.Executor.Count, Is.Zero);
    }

    private static ReadyInstance MakeReady(LifecycleStage stage, Backend backend)
    {
        var waiter = backend.Enqueue(default);
        stage.Settle();
        if (stage.Launcher.Last.IsPending)
        {
            stage.Launcher.Last.Succeed();
            stage.Settle();
        }

        stage.Probe.Ready();
        stage.Settle();
        return LifecycleStage.Decided(waiter).Instance!;
    }

    private static int LaunchedPort(LifecycleStage stage, BackendSet set, string name)
    {
        set.FindByName(name)!.Enqueue(new WakeCause(WakeKind.Request));
        stage.Settle();
        return stage.Launcher.Last.Request.Port;
    }

    private static GatewayConfig Config(params BackendConfig[] backends) => new() { Backends = backends };

    /// <summary>Some value of a type that differs from the given one.</summary>
    private static object Another(Type type, object? value) =>
        type switch
        {
            _ when type == typeof(int) => (int)value! + 1,
            _ when type == typeof(bool) => !(bool)value!,
            _ when type == typeof(string) => $"{value}x",
            _ when type == typeof(IReadOnlyList<string>) => (string[])["y"],
            _ when type == typeof(IReadOnlyList<KeyValuePair<string, string>>) => (KeyValuePair<string, string>[])[new("K", "w")],
            _ when type == typeof(KindSettings) => new DockerSettings { Image = "i", ContainerName = "c" },
            _ when type == typeof(BackendRoute) => new BackendRoute("other.test"),
            _ when type == typeof(NoWakeRules) => NoWakeRules.Of(["bot"])!,
            _ when type == typeof(StatusRanges) => StatusRanges.Parse(["401"])!,
            _ when type == typeof(TomlPosition) => new TomlPosition(9, 9),
            _ => throw new NotSupportedException($"A value of {type} has to be made here."),
        };
}
