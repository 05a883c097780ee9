using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class PidFileTests
{
    private PlatformScene _scene = null!;

    private string PidPath => Path.Combine(_scene.Folder, "gate.pid");

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public void Holds_our_pid_and_is_removed_at_the_end()
    {
        PidFile? held = PidFile.Acquire(PidPath, out string? error);
        Assert.That(error, Is.Null);
        Assert.That(File.ReadAllText(PidPath), Is.EqualTo($"{Environment.ProcessId}\n"));
        held!.Dispose();
        Assert.That(File.Exists(PidPath), Is.False);
        held.Dispose();
    }

    [Test]
    public void A_second_instance_is_refused_and_told_who_runs()
    {
        using PidFile? held = PidFile.Acquire(PidPath, out _);
        PidFile? second = PidFile.Acquire(PidPath, out string? error);
        Assert.That(second, Is.Null);
        Assert.That(error, Is.EqualTo($"PID file \"{PidPath}\": spawngate is already running as pid {Environment.ProcessId}"));
        Assert.That(File.Exists(PidPath), Is.True, "the refused one leaves it alone");
    }

    [Test]
    public void A_stale_file_is_taken_over()
    {
        File.WriteAllText(PidPath, "99999999 and more text than a pid has\n");
        using PidFile? held = PidFile.Acquire(PidPath, out string? error);
        Assert.That(error, Is.Null);
        Assert.That(File.ReadAllText(PidPath), Is.EqualTo($"{Environment.ProcessId}\n"));
    }

    [Test]
    public async Task A_lock_of_another_process_counts_until_it_ends()
    {
        Assume.That(File.Exists("/usr/bin/python3"), "needs Python");
        string script =
            $"import fcntl,os,signal;f=open('{PidPath}','w');fcntl.lockf(f,fcntl.LOCK_EX);f.write(str(os.getpid()));f.flush();"
            + "print('locked',flush=True);signal.pause()";
        PlatformScene.Child rival = _scene.Start("/usr/bin/python3", "-c", script);
        await rival.Output.Next(static line => line == "locked");
        Assert.That(PidFile.Acquire(PidPath, out string? error), Is.Null);
        Assert.That(error, Is.EqualTo($"PID file \"{PidPath}\": spawngate is already running as pid {rival.Process.Pid}"));
        rival.Process.Kill();
        await rival.End();
        using PidFile? held = PidFile.Acquire(PidPath, out error);
        Assert.That(error, Is.Null);
    }

    [Test]
    public void Does_not_remove_a_file_that_is_no_longer_ours()
    {
        PidFile? held = PidFile.Acquire(PidPath, out _);
        File.Delete(PidPath);
        File.WriteAllText(PidPath, "1\n");
        held!.Dispose();
        Assert.That(File.ReadAllText(PidPath), Is.EqualTo("1\n"));
    }

    [Test]
    public void A_directory_in_its_place() =>
        Assert.That(Refusal(_scene.Folder), Is.EqualTo($"PID file \"{_scene.Folder}\": is a directory"));

    [Test]
    public void A_missing_directory() =>
        Assert.That(Refusal("/no/such/gate.pid"), Is.EqualTo("PID file \"/no/such/gate.pid\": directory \"/no/such\" not found"));

    [Test]
    public void A_place_that_cannot_be_written() => Assert.That(Refusal("/proc/gate.pid"), Does.StartWith("PID file \"/proc/gate.pid\": "));

    [Test]
    public async Task Of_many_that_try_at_once_exactly_one_gets_it()
    {
        for (int round = 0; round < 50; round++)
        {
            PidFile?[] held = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(_ => Task.Run(() => PidFile.Acquire(PidPath, out string? _)))
            );
            Assert.That(held.Count(static file => file is not null), Is.EqualTo(1));
            held.Single(static file => file is not null)!.Dispose();
        }
    }

    private static string Refusal(string path)
    {
        Assert.That(PidFile.Acquire(path, out string? error), Is.Null);
        return error!;
    }
}
