using System.Diagnostics;
using System.Text;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Sessions;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Ids, and finding sessions by host.</summary>
internal sealed class SessionIndexTests
{
    [Test]
    public void Ids_are_labels_that_read_back_and_do_not_repeat()
    {
        var ids = Enumerable.Range(0, 1000).Select(_ => SessionId.New()).ToList();
        Assert.That(ids.Distinct().Count(), Is.EqualTo(1000));
        foreach (var id in ids)
        {
            string text = id.ToString();
            Assert.That(text, Does.Match("^[a-z2-7]{24}$"));
            Assert.That(SessionId.TryParse(text, out var again) && again == id, Is.True);
            Assert.That(SessionId.TryParse(text.ToUpperInvariant(), out again) && again == id, Is.True);
        }

        // All 120 bits are used: each of them is 1 in about half of the ids.
        for (int bit = 0; bit < 60; bit++)
        {
            Assert.That(ids.Count(id => (id.High >> bit & 1) != 0), Is.InRange(350, 650));
            Assert.That(ids.Count(id => (id.Low >> bit & 1) != 0), Is.InRange(350, 650));
        }
    }

    [TestCase("")]
    [TestCase("aaaaaaaaaaaaaaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaaaaaaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaaaaaaaaaaaaa1")]
    [TestCase("aaaaaaaaaaaa8aaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaa.aaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaaäaaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaaİaaaaaaaaaaa")]
    [TestCase("aaaaaaaaaaaa-aaaaaaaaaaa")]
    [TestCase(null)]
    public void What_is_no_id_is_none(string? text) => Assert.That(SessionId.TryParse(text, out SessionId _), Is.False);

    [Test]
    public void A_host_is_found_in_any_case_with_port_and_only_under_its_own_domain()
    {
        using var stage = new LifecycleStage();
        var set = new BackendSet(
            stage.Env,
            ConfigSource.Valid(
                """
                [backends."exact.s.test"]
                command = "x"
                [backends."*.s.test"]
                command = "x"
                [sessions]
                domain = "s.test"
                [sessions.templates.a]
                command = "x"
                """
            )
        );
        var session = set.Sessions.Spawn(new SpawnRequest()).Session!;
        string name = session.Name;

        Assert.That(Key(set, $"{name}.s.test"), Is.EqualTo(session.Hostname));
        Assert.That(Key(set, $"{name.ToUpperInvariant()}.S.Test.:8080"), Is.EqualTo(session.Hostname));
        Assert.That(Key(set, "exact.s.test"), Is.EqualTo("exact.s.test"));
        Assert.That(Key(set, $"x.{name}.s.test"), Is.EqualTo("*.s.test"));
        Assert.That(Key(set, $"{SessionId.New()}.s.test"), Is.EqualTo("*.s.test"), "a guessed id");
        Assert.That(Key(set, $"{name}.other.test"), Is.Null);
        Assert.That(Key(set, name), Is.Null);
        Assert.That(Key(set, $"{name}."), Is.Null);
        Assert.That(set.FindByName($"{name}.s.test")?.Hostname, Is.EqualTo(session.Hostname));

        stage.Settle();
        stage.Launcher.Last.Fail("x");
        stage.Settle();
        Assert.That(set.Table.Find(session.HostBytes, out bool hasEnded), Is.Null, "an ended session is not the wildcard's");
        Assert.That(hasEnded, Is.True);
        Assert.That(Key(set, $"{name}.other.s.test"), Is.EqualTo("*.s.test"));
        Assert.That(set.StopAllAsync().IsCompleted, Is.True);
    }

    [Test]
    public async Task Finding_one_of_ten_thousand_allocates_nothing_and_does_not_wait_for_insertions()
    {
        const int Count = 10_000;
        using var stage = new LifecycleStage();
        var set = new BackendSet(
            stage.Env,
            ConfigSource.Valid(
                "[backends.a]\ncommand = 'x'\n[sessions]\ndomain = 's.test'\nmax = 20000\n[sessions.templates.a]\ncommand = 'x'"
            )
        );
        long begun = Stopwatch.GetTimestamp();
        Session[] all = [.. Enumerable.Range(0, Count).Select(_ => set.Sessions.Spawn(new SpawnRequest()).Session!)];
        double made = Stopwatch.GetElapsedTime(begun).TotalMicroseconds / Count;
        byte[][] hosts = [.. all.Select(session => Encoding.ASCII.GetBytes(session.Hostname + ":8080"))];
        int found = 0;

        long least = Allocations.Least(() =>
        {
            found = 0;
            foreach (byte[] host in hosts)
            {
                found += set.Table.Find(host, out _) is not null ? 1 : 0;
            }
        });
        begun = Stopwatch.GetTimestamp();
        foreach (byte[] host in hosts)
        {
            set.Table.Find(host, out _);
        }

        double looked = Stopwatch.GetElapsedTime(begun).TotalNanoseconds / Count;
        await TestContext.Out.WriteLineAsync($"{Count} sessions: {made:F1} us to make one, {looked:F0} ns to find one");
        Assert.That((found, least), Is.EqualTo((Count, 0)));
        Assert.That(Key(set, "a"), Is.EqualTo("a"));
    }

    /// <summary>
    /// Requests, sweeps and the end of sessions on many threads at once: each request is either counted, and the session outlasts it, or
    /// told that the session has ended.
    /// </summary>
    [Test]
    public void A_request_in_the_moment_of_the_sweep_is_admitted_or_told()
    {
        for (int round = 0; round < 300; round++)
        {
            using var stage = new LifecycleStage();
            var set = new BackendSet(
                stage.Env,
                ConfigSource.Valid(
                    "[sessions]\ndomain = 's.test'\n[sessions.templates.a]\ncommand = 'x'\ngrace_period_secs = 1\n"
                        + "ready_health_check_interval_ms = 0"
                )
            );
            var session = set.Sessions.Spawn(new SpawnRequest()).Session!;
            stage.Settle();
            stage.Launcher.Last.Succeed();
            stage.Settle();
            stage.Probe.Listen();
            stage.Probe.Ready();
            stage.Settle();
            stage.Pass(1000);
            stage.Time.AdvanceMs(RuntimeLimits.ClockTickMs); // The sweep is due and waits in the mailbox.
            string outcome = "";
            Parallel.Invoke(
                () => stage.Settle(),
                () =>
                {
                    if (set.Table.Find(session.HostBytes, out bool hasEnded) is not { } backend)
                    {
                        outcome = hasEnded ? "told" : "lost";
                        return;
                    }

                    if (backend.TryEnter(out var run))
                    {
                        bool runs = stage.Workload.Terminated == 0;
                        backend.Leave(run);
                        outcome = runs ? "admitted" : "admitted to what was stopped";
                        return;
                    }

                    var waiter = backend.Enqueue(default);
                    outcome = LifecycleStage.Outcome(waiter) switch
                    {
                        "ShuttingDown" => "told",
                        "Admitted" => "admitted",
                        var other => other,
                    };
                    if (outcome == "admitted")
                    {
                        backend.Leave(LifecycleStage.Decided(waiter).Instance!);
                    }
                }
            );
            stage.Settle();
            Assert.That(outcome, Is.AnyOf("admitted", "told"));
            Assert.That(stage.Workload.Terminated, Is.EqualTo(outcome == "told" ? 1 : 0), outcome);
        }
    }

    private static string? Key(BackendSet set, string host) => set.Table.Find(Encoding.UTF8.GetBytes(host), out _)?.Hostname;
}
