using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class ChildProcessTests
{
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [TestCase("exit 0", 0, "exited with status 0")]
    [TestCase("exit 3", 3, "exited with status 3")]
    [TestCase("exit 255", 255, "exited with status 255")]
    [TestCase("kill -KILL $$", null, "killed by signal 9 (SIGKILL)")]
    [TestCase("kill -TERM $$", null, "killed by signal 15 (SIGTERM)")]
    [TestCase("kill -PIPE $$", null, "killed by signal 13 (SIGPIPE)")]
    public async Task Reports_how_the_child_ended(string script, int? code, string description)
    {
        WaitStatus status = await _scene.Shell(script).End();
        Assert.That(status.ExitCode, Is.EqualTo(code));
        Assert.That(status.Describe(), Is.EqualTo(description));
    }

    [Test]
    public async Task A_child_that_ends_at_once_is_noticed_however_fast_it_is()
    {
        for (int round = 0; round < 200; round++)
        {
            PlatformScene.Child[] children = [_scene.Start("true"), _scene.Start("false")];
            Assert.That((await children[0].End()).ExitCode, Is.Zero);
            Assert.That((await children[1].End()).ExitCode, Is.EqualTo(1));
        }
    }

    [Test]
    public async Task Children_started_from_many_threads_all_report_their_own_status()
    {
        await Parallel.ForAsync(0, 200, async (number, _) =>
        {
            ChildProcess child = ChildProcess.Start(
                new ChildCommand("/bin/sh", ["-c", $"exit {number}"], PlatformScene.Environment(), null),
                out string? error
            )!;
            Assert.That(error, Is.Null);
            WaitStatus status = await child.Ended.WaitAsync(PlatformScene.Patience, CancellationToken.None);
            Descriptors.Close(child.StdoutFd);
            Descriptors.Close(child.StderrFd);
            Assert.That(status.ExitCode, Is.EqualTo(number));
        });
    }

    [Test]
    public async Task Arguments_arrive_as_they_are()
    {
        PlatformScene.Child child = _scene.Start(
            "/bin/sh",
            "-c",
            "for a in \"$0\" \"$@\"; do echo \"[$a]\"; done",
            "a b",
            "",
            "$HOME",
            "\"q\"",
            "ü"
        );
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["[a b]", "[]", "[$HOME]", "[\"q\"]", "[ü]"]));
    }

    [Test]
    public async Task Environment_is_exactly_what_was_given()
    {
        byte[][] entries = [.. new[] { "A=1", "EMPTY=", "B=x=y z" }.Select(Encoding.UTF8.GetBytes), [(byte)'R', (byte)'=', 0xFF, 0xFE]];
        PlatformScene.Child child = _scene.Start(new ChildCommand("/usr/bin/env", [], entries, null));
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["A=1", "EMPTY=", "B=x=y z", "R=\uFFFD\uFFFD"]));
    }

    [Test]
    public async Task An_environment_of_100_KB_arrives_whole()
    {
        PlatformScene.Child child = _scene.Start(
            new ChildCommand("/bin/sh", ["-c", "echo ${#BIG}"], PlatformScene.Environment(("BIG", new string('x', 100_000))), null)
        );
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["100000"]));
    }

    [Test]
    public async Task What_the_program_sets_for_its_own_runtime_does_not_reach_children()
    {
        const string Name = "SPAWNGATE_TEST_OWN_SETTING";
        System.Environment.SetEnvironmentVariable(Name, "1");
        try
        {
            PlatformScene.Child child = _scene.Start("/bin/sh", "-c", $"echo \"[${{{Name}-unset}}]\"");
            await child.End();
            Assert.That(child.Output.Lines, Is.EqualTo(["[unset]"]));
        }
        finally
        {
            System.Environment.SetEnvironmentVariable(Name, null);
        }
    }

    [Test]
    public async Task Starts_in_the_working_directory_and_finds_relative_programs_there()
    {
        _scene.Write("here.sh", "#!/bin/sh\npwd\n");
        PlatformScene.Child child = _scene.Start(new ChildCommand("./here.sh", [], PlatformScene.Environment(), _scene.Folder));
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo([_scene.Folder]));
    }

    [Test]
    public async Task A_script_without_shebang_is_run_by_the_shell()
    {
        string script = _scene.Write("plain", "echo \"$0\" \"$1\"\n");
        PlatformScene.Child child = _scene.Start(script, "one");
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo([$"{script} one"]));
    }

    [Test]
    public async Task A_name_is_looked_up_in_the_PATH_of_the_child()
    {
        _scene.Write("only-here", "#!/bin/sh\necho found\n");
        Directory.CreateDirectory(Path.Combine(_scene.Folder, "dir", "only-here"));
        string path = $"/nonexistent:{_scene.Folder}/dir:{_scene.Folder}";
        PlatformScene.Child child = _scene.Start(new ChildCommand("only-here", [], PlatformScene.Environment(("PATH", path)), null));
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["found"]));
    }

    [Test]
    public async Task A_file_without_execute_permission_does_not_hide_a_program_later_in_PATH()
    {
        Directory.CreateDirectory(Path.Combine(_scene.Folder, "a"));
        _scene.Write("a/tool", "#!/bin/sh\necho wrong\n", executable: false);
        _scene.Write("tool", "#!/bin/sh\necho right\n");
        string path = $"{_scene.Folder}/a:{_scene.Folder}";
        PlatformScene.Child child = _scene.Start(new ChildCommand("tool", [], PlatformScene.Environment(("PATH", path)), null));
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["right"]));
    }

    [Test]
    public async Task Inherits_no_descriptor_but_the_three_even_beside_open_sockets_and_files()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.LocalEndpoint);
        using TcpClient accepted = await listener.AcceptTcpClientAsync();
        using FileStream file = File.Create(Path.Combine(_scene.Folder, "open"));
        PlatformScene.Child child = _scene.Start("ls", "-l", "/proc/self/fd");
        await child.End();

        // ls itself has the directory open as 3; nothing else.
        string[] entries = [.. child.Output.Lines.Where(static line => line.Contains(" -> ", StringComparison.Ordinal)).Select(Number)];
        Assert.That(entries, Has.Length.EqualTo(4));
        Assert.That(entries[0], Is.EqualTo("0 -> /dev/null"));
        Assert.That(entries[1], Does.StartWith("1 -> pipe:"));
        Assert.That(entries[2], Does.StartWith("2 -> pipe:"));
        Assert.That(entries[3], Does.StartWith("3 -> /proc/"));

        static string Number(string line) => line[(line.IndexOf(" -> ", StringComparison.Ordinal) - 1)..];
    }

    [Test]
    public async Task Signal_mask_and_dispositions_are_clean()
    {
        PlatformScene.Child child = _scene.Start("cat", "/proc/self/status");
        await child.End();
        Assert.That(Signals("SigBlk"), Is.Zero);
        Assert.That(Signals("SigCgt"), Is.Zero);

        // 32 and 33 are glibc's own, which it sets aside itself; programs cannot use them.
        Assert.That(Signals("SigIgn") & ~0x1_8000_0000UL, Is.Zero);

        ulong Signals(string name) =>
            ulong.Parse(
                child.Output.Lines.Single(line => line.StartsWith(name, StringComparison.Ordinal))[(name.Length + 2)..],
                System.Globalization.NumberStyles.HexNumber,
                System.Globalization.CultureInfo.InvariantCulture
            );
    }

    [Test]
    public async Task Leads_a_session_and_a_group_of_its_own()
    {
        PlatformScene.Child child = _scene.Shell(
            "read pid comm state ppid pgrp session tty rest < /proc/self/stat; echo $pid $pgrp $session $tty"
        );
        await child.End();
        int pid = child.Process.Pid;
        Assert.That(child.Output.Lines, Is.EqualTo([$"{pid} {pid} {pid} 0"]));
    }

    [Test]
    public async Task Dev_stdout_and_dev_stderr_can_be_opened_by_name()
    {
        PlatformScene.Child child = _scene.Shell("echo out > /dev/stdout; echo err > /dev/stderr");
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["out"]));
        Assert.That(child.Errors.Lines, Is.EqualTo(["err"]));
    }
}
