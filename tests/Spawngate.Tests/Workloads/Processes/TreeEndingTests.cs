using Spawngate.Platform;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>The decisions of a guard whose gateway has died, over tables of processes written by hand.</summary>
internal sealed class TreeEndingTests
{
    private const int Guard = 50;
    private const int GraceMs = 1000;
    private static readonly InstanceToken A = new(1, 0, 0);
    private static readonly InstanceToken B = new(2, 0, 0);

    private readonly List<ProcessEntry> _table = [];
    private readonly Dictionary<int, InstanceToken> _tokens = [];
    private readonly List<string> _sent = [];
    private TreeEnding _ending = null!;

    [SetUp]
    public void SetUp()
    {
        _table.Clear();
        _tokens.Clear();
        _sent.Clear();
        Add(1, 0, 1);
        Add(Guard, 1, Guard);
        Add(60, 1, 60); // A stranger with a session and a child.
        Add(61, 60, 60);
    }

    [Test]
    public void A_group_is_asked_once_and_killed_after_its_grace_period()
    {
        Add(100, 1, 100);
        Add(101, 100, 100);
        End((A, 100));
        Assert.That(Step(0), Is.EqualTo("group 100 TERM"));
        Assert.That(Step(GraceMs / 2), Is.Empty);
        Assert.That(Step(GraceMs), Is.EqualTo("group 100 KILL, group 100 KILL"));
        Assert.That(_ending.Killed, Is.EqualTo(2));
        Remove(100, 101);
        Assert.That(Step(GraceMs + 50), Is.Empty);
    }

    [Test]
    public void What_left_the_group_is_asked_after_the_group_has_ended()
    {
        Add(100, 1, 100);
        Add(200, 1, 200, A); // A daemon with the token and a child without one.
        Add(201, 200, 200);
        End((A, 100));
        Assert.That(Step(0), Is.EqualTo("group 100 TERM"));
        Assert.That(Step(50), Is.Empty);
        Remove(100);
        Assert.That(Step(100), Is.EqualTo("200 TERM, 201 TERM"));
        Assert.That(Step(150), Is.Empty, "each once");
        Assert.That(Step(GraceMs), Is.EqualTo("200 KILL, 201 KILL"));
    }

    [Test]
    public void What_left_a_group_that_lives_on_is_asked_at_half_of_the_grace_period()
    {
        Add(100, 1, 100);
        Add(200, 1, 200, A);
        Add(300, 100, 300); // A child with a session of its own.
        End((A, 100));
        Assert.That(Step(0), Is.EqualTo("group 100 TERM"));
        Assert.That(Step((GraceMs / 2) - 1), Is.Empty);
        Assert.That(Step(GraceMs / 2), Is.EqualTo("200 TERM, 300 TERM"));
        Remove(300);
        Add(301, 100, 301); // Its successor.
        Assert.That(Step((GraceMs / 2) + 50), Is.EqualTo("301 TERM"));
        Remove(100);
        Assert.That(Step((GraceMs / 2) + 100), Is.Empty, "each once");
        Assert.That(Step(GraceMs), Is.EqualTo("200 KILL, 301 KILL"));
    }

    [Test]
    public void Killing_reaches_what_left_the_group_of_a_leader_that_does_not_end()
    {
        Add(100, 1, 100);
        Add(200, 1, 200, A);
        End((A, 100));
        Step(0);
        Step(GraceMs / 2);
        Assert.That(Step(GraceMs), Is.EqualTo("group 100 KILL, 200 KILL"));
    }

    [Test]
    public void A_child_that_cleared_its_environment_and_left_is_known_by_its_parent_and_stays_known()
    {
        Add(100, 1, 100);
        Add(300, 100, 300);
        Add(301, 300, 301);
        End((A, 100));
        Step(0);
        Remove(100, 300);
        Add(301, 1, 301, replace: true);
        Assert.That(Step(50), Is.EqualTo("301 TERM"));
    }

    [Test]
    public void A_known_number_that_another_process_got_is_left_alone()
    {
        Add(100, 1, 100);
        Add(300, 100, 300);
        End((A, 100));
        Step(0);
        Remove(100, 300);
        Add(300, 1, 300, start: 9999);
        Assert.That(Step(GraceMs), Is.Empty);
    }

    [Test]
    public void A_group_number_that_another_leader_got_is_left_alone()
    {
        Add(100, 1, 100, start: 7777);
        Add(101, 100, 100);
        End((A, 100));
        Assert.That(Step(0) + Step(GraceMs), Is.Empty);
    }

    [Test]
    public void A_group_without_its_leader_is_still_the_runs()
    {
        Add(101, 1, 100);
        End((A, 100));
        Assert.That(Step(0), Is.EqualTo("group 100 TERM"));
    }

    [Test]
    public void A_number_that_was_free_for_a_moment_is_never_trusted_again()
    {
        Add(100, 1, 100);
        End((A, 100));
        Step(0);
        Remove(100);
        Step(50);
        Add(100, 1, 100, start: 5555);
        Assert.That(Step(GraceMs), Is.Empty);
    }

    [Test]
    public void A_run_that_was_being_spawned_is_found_by_its_token()
    {
        End((A, 0));
        Assert.That(Step(0), Is.Empty);
        Add(100, 1, 100, A);
        Add(101, 100, 100);
        Assert.That(Step(50), Is.EqualTo("100 TERM, 101 TERM"));
    }

    [Test]
    public void Zombies_are_not_alive()
    {
        Add(100, 1, 100, zombie: true);
        Add(200, 1, 200, A);
        End((A, 100));
        Assert.That(Step(0), Is.EqualTo("200 TERM"));
    }

    [Test]
    public void Each_run_has_its_own_time()
    {
        Add(100, 1, 100);
        Add(110, 1, 110);
        _ending = new TreeEnding(
            new Dictionary<InstanceToken, GuardedInstance> { [A] = new(100, 100, 100), [B] = new(110, 110, 5000) },
            0,
            TokenOf,
            Guard
        );
        Step(0);
        Assert.That(Step(100), Is.EqualTo("group 100 KILL"));
        Assert.That(_ending.LastKillAtMs, Is.EqualTo(5000));
        Assert.That(Step(5000), Is.EqualTo("group 100 KILL, group 110 KILL"));
    }

    [Test]
    public void A_terminal_in_which_someone_runs_a_tool_with_the_token_survives()
    {
        Add(400, 60, 400); // the terminal's shell
        Add(401, 400, 401, A, session: 400); // the tool
        Add(402, 400, 402, session: 400); // another job
        End((A, 0));
        Assert.That(Step(0), Is.EqualTo("401 TERM"));
    }

    [Test]
    public void Tokens_of_other_gateways_and_the_guard_itself_are_not_touched()
    {
        Add(100, 1, 100, B);
        _tokens[Guard] = A;
        End((A, 0));
        Assert.That(Step(0) + Step(GraceMs), Is.Empty);
    }

    private InstanceToken? TokenOf(int pid) => _tokens.TryGetValue(pid, out InstanceToken token) ? token : null;

    private void End(params (InstanceToken Token, int Pid)[] instances) =>
        _ending = new TreeEnding(
            instances.ToDictionary(
                static instance => instance.Token,
                static instance => new GuardedInstance(instance.Pid, instance.Pid, GraceMs)
            ),
            0,
            TokenOf,
            Guard
        );

    private string Step(long nowMs)
    {
        _sent.Clear();
        _ending.Step(nowMs, _table, (process, wholeGroup, signal) =>
            _sent.Add($"{(wholeGroup ? $"group {process.Group}" : $"{process.Pid}")} {(signal == Libc.SIGKILL ? "KILL" : "TERM")}")
        );
        return string.Join(", ", _sent);
    }

    private void Add(
        int pid,
        int parent,
        int group,
        InstanceToken? token = null,
        long start = 0,
        bool zombie = false,
        int session = 0,
        bool replace = false
    )
    {
        if (replace)
        {
            Remove(pid);
        }

        _table.Add(new ProcessEntry(pid, parent, group, session == 0 ? group : session, start == 0 ? pid : start, zombie));
        if (token is { } carried)
        {
            _tokens[pid] = carried;
        }
    }

    private void Remove(params int[] pids) => _table.RemoveAll(entry => pids.Contains(entry.Pid));
}
