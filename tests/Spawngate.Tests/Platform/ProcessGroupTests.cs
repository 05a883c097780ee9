using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux")]
internal sealed class ProcessGroupTests
{
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public async Task Terminate_reaches_grandchildren()
    {
        PlatformScene.Child child = _scene.Shell("sh -c 'sleep 1000 & sleep 1000 & echo up; wait' & wait");
        await child.Output.Next(static line => line == "up");
        child.Process.Terminate();
        Assert.That((await child.End()).Signal, Is.EqualTo(15));
        Assert.That(Members(child.Process.Pid), Is.Empty);
    }

    [Test]
    public async Task Kill_reaches_a_group_that_ignores_the_polite_signal()
    {
        PlatformScene.Child child = _scene.Shell("trap '' TERM; sleep 1000 & echo up; wait; wait");
        await child.Output.Next(static line => line == "up");
        child.Process.Terminate();
        Assert.That(child.Process.Ended.IsCompleted, Is.False);
        child.Process.Kill();
        Assert.That((await child.End()).Signal, Is.EqualTo(9));
        Assert.That(Members(child.Process.Pid), Is.Empty);
    }

    [Test]
    public async Task What_a_leader_leaves_behind_is_killed_when_it_ends_by_itself()
    {
        PlatformScene.Child child = _scene.Shell("sleep 1000 & (trap '' TERM HUP; sleep 1000) & exit 7");
        Assert.That((await child.End()).ExitCode, Is.EqualTo(7));
        Assert.That(Members(child.Process.Pid), Is.Empty);
    }

    [Test]
    public async Task After_terminate_the_rest_of_the_group_has_its_time()
    {
        // The leader ends at once; its child cleans up on SIGTERM, which takes as long as the test holds the fifo.
        string gate = Path.Combine(_scene.Folder, "gate");
        PlatformScene.Child child = _scene.Shell(
            $"mkfifo {gate}; trap 'exit 0' TERM; sh -c 'sleep 1000 & s=$!; trap \"cat {gate}; echo cleaned; exit\" TERM; echo "
                + "up; wait $s' & wait; wait"
        );
        await child.Output.Next(static line => line == "up");
        child.Process.Terminate();
        await using (new FileStream(gate, FileMode.Open, FileAccess.Write))
        {
            // Opening succeeded, so the member has received its signal and waits, while the leader has gone or is going.
            Assert.That(child.Process.Ended.IsCompleted, Is.False);
        }

        Assert.That((await child.End()).ExitCode, Is.Zero);
        Assert.That(child.Output.Lines, Does.Contain("cleaned"));
    }

    [Test]
    public async Task Kill_ends_a_group_that_outlived_its_leader()
    {
        PlatformScene.Child child = _scene.Shell("trap 'echo leader; exit 0' TERM; (trap '' TERM; echo up; exec sleep 1000) & wait; wait");
        await child.Output.Next(static line => line == "up");
        child.Process.Terminate();
        await child.Output.Next(static line => line == "leader");
        child.Process.Terminate();
        child.Process.Kill();
        Assert.That((await child.End()).Describe(), Is.EqualTo("exited with status 0").Or.EqualTo("killed by signal 9 (SIGKILL)"));
        Assert.That(Members(child.Process.Pid), Is.Empty);
        child.Process.Kill();
        child.Process.Terminate();
    }

    [Test]
    public async Task A_stopped_child_is_woken_to_end()
    {
        PlatformScene.Child child = _scene.Shell("sleep 1000 & trap 'exit 4' TERM; echo up; wait");
        await child.Output.Next(static line => line == "up");
        const int SigStop = 19;
        Assert.That(Libc.Kill(-child.Process.Pid, SigStop), Is.Zero);
        child.Process.Terminate();
        Assert.That((await child.End()).ExitCode, Is.EqualTo(4));
    }

    [Test]
    public async Task A_daemon_that_forks_twice_is_adopted_and_reaped()
    {
        var reaped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int daemon = 0;
        var early = new List<int>();
        void OnReaped(int pid)
        {
            lock (early)
            {
                early.Add(pid);
                if (pid == daemon)
                {
                    reaped.TrySetResult();
                }
            }
        }

        Reaper.Shared.OrphanReaped += OnReaped;
        try
        {
            string gate = Path.Combine(_scene.Folder, "gate");
            PlatformScene.Child child = _scene.Shell(
                $"mkfifo {gate} {gate}2; setsid sh -c 'echo $$; echo > {gate}2; cat {gate}; exit 0' & read x < {gate}2; exit 0"
            );
            int pid = int.Parse(await child.Output.Next(static _ => true), System.Globalization.CultureInfo.InvariantCulture);
            Assert.That((await child.End()).ExitCode, Is.Zero);
            await using (new FileStream(gate, FileMode.Open, FileAccess.Write))
            {
                string[] stat = (await File.ReadAllTextAsync($"/proc/{pid}/stat")).Split(' ');
                Assert.That(
                    stat[3],
                    Is.EqualTo(Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)),
                    "adopted by us"
                );
            }

            lock (early)
            {
                daemon = pid;
                if (early.Contains(pid))
                {
                    reaped.TrySetResult();
                }
            }

            await reaped.Task.WaitAsync(PlatformScene.Patience);
            Assert.That(Directory.Exists($"/proc/{pid}"), Is.False, "not even a zombie");
        }
        finally
        {
            Reaper.Shared.OrphanReaped -= OnReaped;
        }
    }

    [Test]
    public async Task A_pipe_kept_open_after_the_end_of_the_run_neither_hangs_nor_leaks()
    {
        int before = Directory.GetFileSystemEntries("/proc/self/fd").Length;
        string gate = Path.Combine(_scene.Folder, "gate");
        PlatformScene.Child child = _scene.Shell(
            $"mkfifo {gate} {gate}2; setsid sh -c 'echo up; echo > {gate}2; cat {gate}' & read x < {gate}2; echo last; exit 0"
        );
        await child.Output.Next(static line => line == "up");
        await child.End();
        Assert.That(child.Output.Lines, Does.Contain("last"));
        Assert.That(Directory.GetFileSystemEntries("/proc/self/fd"), Has.Length.EqualTo(before));
        await using (new FileStream(gate, FileMode.Open, FileAccess.Write))
        {
            // Lets the daemon go.
        }
    }

    [Test]
    public async Task Two_hundred_starts_and_stops_leave_descriptors_and_threads_as_before()
    {
        await Cycle(10);
        string[] descriptors = Descriptors();
        int reaperThreads = OwnThreads();
        await Cycle(200);
        Assert.That(Descriptors().Except(descriptors), Is.Empty);
        Assert.That(OwnThreads(), Is.EqualTo(reaperThreads));
        Assert.That(Zombies(), Is.Empty);
    }

    private async Task Cycle(int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            PlatformScene.Child child = _scene.Shell("sleep 1000 & echo up; wait");
            await child.Output.Next(static line => line == "up");
            child.Process.Terminate();
            Assert.That((await child.End()).Signal, Is.EqualTo(15));
        }
    }

    // Each with what it is open on; the listing's own is gone again before it is looked at.
    private static string[] Descriptors() =>
        [
            .. Directory
                .GetFileSystemEntries("/proc/self/fd")
                .Select(static path => $"{path} {new FileInfo(path).LinkTarget}")
                .Where(static entry => !entry.EndsWith(' ')),
        ];

    // Threads of the pool come and go as the runtime likes; ours have names (cut to 15 characters by the kernel).
    private static int OwnThreads() =>
        Directory
            .GetDirectories("/proc/self/task")
            .Count(static task => File.ReadAllText($"{task}/comm").StartsWith("spawngate-", StringComparison.Ordinal));

    private static string[] Zombies() =>
        [
            .. Stats()
                .Where(static stat =>
                    stat[1] == Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture) && stat[0] == "Z"
                )
                .Select(static stat => string.Join(' ', stat)),
        ];

    private static string[] Members(int group) =>
        [
            .. Stats()
                .Where(stat => stat[2] == group.ToString(System.Globalization.CultureInfo.InvariantCulture))
                .Select(static stat => string.Join(' ', stat)),
        ];

    // State, parent and group of every process: the fields after the name, which may itself contain blanks and brackets.
    private static IEnumerable<string[]> Stats()
    {
        foreach (string folder in Directory.GetDirectories("/proc").Where(static path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            string text;
            try
            {
                text = File.ReadAllText($"{folder}/stat");
            }
            catch (IOException)
            {
                continue;
            }

            yield return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
    }
}
