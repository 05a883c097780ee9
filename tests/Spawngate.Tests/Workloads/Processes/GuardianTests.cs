using Microsoft.Extensions.Logging;
using Spawngate.Platform;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>The gateway's side of the guard, with real guards; what they do when the gateway dies is for the end-to-end tests.</summary>
[Platform("Linux,MacOsX")]
internal sealed class GuardianTests
{
    private const int SigStop = 19;

    private readonly List<int> _reaped = [];
    private readonly List<string> _log = [];
    private TaskCompletionSource _change = null!;
    private Guardian _guardian = null!;

    [SetUp]
    public async Task SetUp()
    {
        _reaped.Clear();
        _log.Clear();
        _change = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Reaper.Shared.OrphanReaped += OnReaped;
        _guardian = new Guardian(ChildEnvironment.Capture(), new GuardWatch(this), TimeProvider.System);
        _guardian.Start();
        await _guardian.Ready.WaitAsync(PlatformScene.Patience);
    }

    [TearDown]
    public async Task TearDown()
    {
        await _guardian.StopAsync();
        _guardian.Dispose();
        Reaper.Shared.OrphanReaped -= OnReaped;
    }

    [Test]
    public async Task A_guard_runs_and_exits_when_it_is_let_go()
    {
        int pid = _guardian.Pid;
        Assert.That(ProcessTable.Find(pid)!.Value.Session, Is.EqualTo(pid), "in a session of its own");
        await _guardian.StopAsync();
        await Until(() => Reaped(pid));
        Assert.That(ProcessTable.Find(pid), Is.Null);
    }

    [Test]
    public async Task A_guard_that_was_killed_is_replaced()
    {
        int first = _guardian.Pid;
        _guardian.Expect(new InstanceToken(1, 2, 3), 1000);
        Libc.Kill(first, Libc.SIGKILL);
        await Until(() => _guardian.Pid is not 0 and var pid && pid != first);
        _guardian.Forget(new InstanceToken(1, 2, 3));
    }

    [Test]
    public async Task Signals_that_ask_a_process_to_end_do_not_reach_it()
    {
        int pid = _guardian.Pid;
        foreach (int signal in new[] { Libc.SIGTERM, Libc.SIGINT, Libc.SIGHUP })
        {
            Libc.Kill(pid, signal);
        }

        // It has been replaced if any of them had ended it: the new one would have another pid.
        int second = 0;
        using var other = new Guardian(ChildEnvironment.Capture(), new GuardWatch(this), TimeProvider.System);
        other.Start();
        await other.Ready.WaitAsync(PlatformScene.Patience);
        second = other.Pid;
        await other.StopAsync();
        await Until(() => Reaped(second));
        Assert.That(_guardian.Pid, Is.EqualTo(pid));
        Assert.That(Reaped(pid), Is.False);
    }

    [Test]
    public async Task A_guard_that_does_not_read_is_replaced_and_gets_the_whole_list()
    {
        const int Records = 4000; // 160 KB, more than a pipe takes
        int first = _guardian.Pid;
        Libc.Kill(first, SigStop);
        for (ulong i = 1; i <= Records; i++)
        {
            _guardian.Expect(new InstanceToken(i, i, i), 1000);
        }

        await Until(() => _guardian.Pid is not 0 and var pid && pid != first);
        for (ulong i = 1; i <= Records; i++)
        {
            _guardian.Forget(new InstanceToken(i, i, i));
        }

        int second = _guardian.Pid;
        await _guardian.StopAsync();
        await Until(() => Reaped(second));
    }

    [Test]
    public async Task What_waits_for_a_guard_that_does_not_read_is_bounded()
    {
        const int PipeRecordsMax = 65_536 / GuardRecord.Bytes;
        int first = _guardian.Pid;
        Libc.Kill(first, SigStop);
        for (int i = 0; i <= (ProcessLimits.GuardUnwrittenMax + PipeRecordsMax) / 2; i++)
        {
            var token = new InstanceToken(1, 1, (ulong)i);
            _guardian.Expect(token, 1000);
            _guardian.Forget(token);
        }

        await Until(() => _guardian.Pid is not 0 and var pid && pid != first);
        lock (_log)
        {
            Assert.That(
                _log,
                Has.Some.Contains("Guard has ended").And.None.Contains("does not read"),
                "replaced at once, not for its silence"
            );
        }
    }

    private bool Reaped(int pid)
    {
        lock (_reaped)
        {
            return _reaped.Contains(pid);
        }
    }

    // Every end of a process and every line of the guardian's log is a reason to look again.
    private async Task Until(Func<bool> holds)
    {
        while (true)
        {
            Task change = Volatile.Read(ref _change).Task;
            if (holds())
            {
                return;
            }

            await change.WaitAsync(PlatformScene.Patience);
        }
    }

    private void OnReaped(int pid)
    {
        lock (_reaped)
        {
            _reaped.Add(pid);
        }

        Changed();
    }

    private void Changed() =>
        Interlocked.Exchange(ref _change, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    private sealed class GuardWatch(GuardianTests test) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            lock (test._log)
            {
                test._log.Add(formatter(state, exception));
            }

            test.Changed();
        }
    }
}
