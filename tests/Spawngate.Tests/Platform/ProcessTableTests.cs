using System.Globalization;
using System.Text;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux")]
internal sealed class ProcessTableTests
{
    private const string Digits = "00000000000000aa00000000000000bb00000000000000cc";
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public void A_name_with_blanks_and_brackets_does_not_mislead()
    {
        byte[] stat = Encoding.ASCII.GetBytes("7 (a) S 1 (b)) Z 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1 2 3 4\n");
        Assert.That(ProcessEntry.Parse(7, stat), Is.EqualTo(new ProcessEntry(7, 3, 4, 5, 987654321, IsZombie: true)));
    }

    [Test]
    public void A_process_whose_first_thread_alone_has_ended_lives()
    {
        byte[] stat = Encoding.ASCII.GetBytes("7 (a) Z 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 2 0 987654321 1 2 3 4\n");
        Assert.That(ProcessEntry.Parse(7, stat), Is.EqualTo(new ProcessEntry(7, 3, 4, 5, 987654321, IsZombie: false)));
    }

    [TestCase("")]
    [TestCase("7 (a)")]
    [TestCase("7 (a) S 1 2")]
    [TestCase("7 (a) S x 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1")]
    public void Other_text_is_no_entry(string text) => Assert.That(ProcessEntry.Parse(7, Encoding.ASCII.GetBytes(text)), Is.Null);

    [Test]
    public void The_table_has_this_process_and_its_children()
    {
        PlatformScene.Child child = _scene.Shell("exec sleep 1000");
        var table = new List<ProcessEntry>();
        ProcessTable.Read(table);
        ProcessEntry entry = table.Single(each => each.Pid == child.Process.Pid);
        Assert.That(
            (entry.Parent, entry.Group, entry.Session, entry.IsZombie),
            Is.EqualTo((Environment.ProcessId, entry.Pid, entry.Pid, false))
        );
        Assert.That(table.Select(static each => each.Pid), Does.Contain(Environment.ProcessId).And.Contain(1).And.Unique);
        Assert.That(ProcessTable.Find(entry.Pid), Is.EqualTo(entry));
        Assert.That(ProcessTable.Find(int.MaxValue), Is.Null);
    }

    [TestCase(0)]
    [TestCase(16 * 1024)]
    [TestCase(100 * 1024)]
    public async Task The_token_is_found_however_large_the_environment_is(int size)
    {
        List<(string, string)> added = [.. Enumerable.Range(0, size / 64).Select(static i => ($"PAD{i:D8}", new string('x', 52)))];
        added.Insert(added.Count / 2, (InstanceToken.Variable, "http://127.0.0.1:1/ready/a?token=" + Digits));
        PlatformScene.Child child = _scene.Start(
            new ChildCommand("/bin/sh", ["-c", "echo up; sleep 1000; :"], PlatformScene.Environment([.. added]), null)
        );
        await child.Output.Next(static line => line == "up");
        Assert.That(ProcessTable.TokenOf(child.Process.Pid), Is.EqualTo(new InstanceToken(0xaa, 0xbb, 0xcc)));
        Assert.That(ProcessTable.TokenOf(int.MaxValue), Is.Null);
    }

    [Test]
    public async Task A_signal_reaches_only_the_process_that_was_meant()
    {
        PlatformScene.Child child = _scene.Shell("trap 'echo asked' TERM; echo up; while true; do sleep 1000 & wait; done");
        await child.Output.Next(static line => line == "up");
        ProcessEntry entry = ProcessTable.Find(child.Process.Pid)!.Value;
        ProcessTable.Signal(entry with { Start = entry.Start + 1 }, wholeGroup: true, Libc.SIGKILL);
        ProcessTable.Signal(entry with { Group = entry.Group + 1 }, wholeGroup: true, Libc.SIGKILL);
        ProcessTable.Signal(entry, wholeGroup: false, Libc.SIGTERM);
        await child.Output.Next(static line => line == "asked");
        ProcessTable.Signal(entry, wholeGroup: true, Libc.SIGKILL);
        Assert.That((await child.End()).Signal, Is.EqualTo(9));
    }

    [Test]
    public void The_limit_of_an_entry_covers_the_longest_ready_URL()
    {
        string host = new('\u00e9', ConfigLimits.HostNameBytesMax);
        string value =
            $"{InstanceToken.Variable}=http://[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535/ready/"
            + $"{host.Replace("\u00e9", "%C3", StringComparison.Ordinal)}?token={Digits}";
        Assert.That(
            value.Length + 1,
            Is.LessThanOrEqualTo(PlatformLimits.EnvironEntryBytes),
            value.Length.ToString(CultureInfo.InvariantCulture)
        );
    }
}
