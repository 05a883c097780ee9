using System.Runtime.InteropServices;
using System.Text;
using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>Files that are written are not where somebody else's links lead.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed partial class TrustedPathTests
{
    private const int Other = 12345;

    private PlatformScene _scene = null!;

    private string Target => Path.Combine(_scene.Folder, "target");

    private string Link => Path.Combine(_scene.Folder, "link");

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [TestCase(true)]
    [TestCase(false)]
    public void A_link_of_somebody_else_is_not_followed(bool exists)
    {
        if (exists)
        {
            File.WriteAllText(Target, "precious");
        }

        File.CreateSymbolicLink(Link, Target);
        GiveAway(Link);

        Refuses(Link, $"is a link that user {Other} made");

        Assert.That(File.Exists(Target) ? File.ReadAllText(Target) : "", Is.EqualTo(exists ? "precious" : ""));
        using var log = AppendFile.At(Link);
        Assert.That((log.IsOpen, log.TryReopen(out string error)), Is.EqualTo((false, false)));
        Assert.That(error, Does.Contain("link"));
    }

    [Test]
    public void A_link_of_somebody_else_on_the_way_is_not_followed()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_scene.Folder, "elsewhere")).FullName;
        Directory.CreateSymbolicLink(Link, folder);
        GiveAway(Link);
        Refuses(Path.Combine(Link, "file"), "is a link that user");
        Assert.That(Directory.GetFiles(folder), Is.Empty);
    }

    [Test]
    public void A_link_of_ours_to_a_link_of_somebody_else_is_not_followed()
    {
        File.WriteAllText(Target, "precious");
        string second = Path.Combine(_scene.Folder, "second");
        File.CreateSymbolicLink(second, Target);
        GiveAway(second);
        File.CreateSymbolicLink(Link, "./second");
        Refuses(Link, "\"second\"");
    }

    [Test]
    public void Links_of_ours_are_followed_wherever_they_are()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_scene.Folder, "a", "b")).FullName;
        Directory.CreateSymbolicLink(Link, "a");
        File.CreateSymbolicLink(Path.Combine(folder, "log"), "../../target");
        string path = Path.Combine(Link, "b", "log");
        Assert.That(TrustedPath.FindProblem(path), Is.Null);
        using (var log = AppendFile.At(path))
        {
            Assert.That(log.Write("line\n"u8, out string? error), Is.EqualTo(5), error);
        }

        using PidFile? held = PidFile.Acquire(Path.Combine(Link, "pid"), out string? problem);
        Assert.That(problem, Is.Null);
        Assert.That(File.ReadAllText(Target), Is.EqualTo("line\n"));
        Assert.That(File.GetUnixFileMode(Target), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead));
        Assert.That(File.ReadAllText(Path.Combine(_scene.Folder, "a", "pid")), Is.EqualTo($"{Environment.ProcessId}\n"));
    }

    [TestCase("/dev/null")]
    [TestCase("/proc/self/fd/2")]
    public void Devices_and_descriptors_can_be_appended_to(string path)
    {
        string link = Link;
        File.CreateSymbolicLink(link, path);
        using var log = AppendFile.At(link);
        Assert.That(log.IsOpen, Is.True);
        Assert.That(log.TryReopen(out _), Is.True);
    }

    [Test]
    public void Links_without_end_are_an_error()
    {
        File.CreateSymbolicLink(Link, "link");
        Assert.That(TrustedPath.Open(Link, Libc.O_WRONLY, mode: null).Errno, Is.EqualTo(Libc.ELOOP));
    }

    [Test]
    public void A_second_name_of_a_file_is_not_written_in_a_folder_of_others()
    {
        File.WriteAllText(Target, "precious");
        string folder = Directory.CreateDirectory(Path.Combine(_scene.Folder, "theirs")).FullName;
        string name = Path.Combine(folder, "log");
        Assert.That(HardLink(Target, name), Is.Zero);
        Assert.That(AppendFile.FindProblem(name), Is.Null, "in a folder of ours only we can have made it");
        File.SetUnixFileMode(folder, (UnixFileMode)0x1FF);

        Refuses(name, "names of the same file");

        Assert.That(File.ReadAllText(Target), Is.EqualTo("precious"));
    }

    [TestCase(0x1FF, false)]
    [TestCase(0x1ED, true)]
    public void A_file_of_somebody_else_is_not_written_where_everybody_may_make_one(int mode, bool good)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_scene.Folder, "public")).FullName;
        string file = Path.Combine(folder, "log");
        File.WriteAllText(file, "");
        GiveAway(file);
        File.SetUnixFileMode(folder, (UnixFileMode)mode);
        if (good)
        {
            Assert.That(AppendFile.FindProblem(file), Is.Null, "as what rotates logs makes them for others to read");
        }
        else
        {
            Refuses(file, $"was made by user {Other}");
        }
    }

    [Test]
    public void A_pipe_in_the_place_of_the_pid_file_holds_nobody_up()
    {
        using PidFile? held = PidFile.Acquire(Link, out _);
        File.Delete(Link);
        Assert.That(MakePipe(Link, 0x1B6), Is.Zero);
        held!.Dispose();
        Assert.That(File.Exists(Link), Is.True, "it is not ours to remove");
    }

    [TestCase("Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n", true)]
    [TestCase("CapEff:\t00000000a80425fb\n", false)]
    [TestCase("CapEff:\t0000000000000400\n", false)]
    [TestCase("Name:\tx\n", false)]
    public void Root_is_almighty_with_what_no_container_is_given(string status, bool all) =>
        Assert.That(RootPower.HasAll(status), Is.EqualTo(all));

    [TestCase("         0          0 4294967295\n", true)]
    [TestCase("         0       1000          1\n         1     100000      65536\n", false)]
    public void Root_of_a_user_namespace_is_none(string map, bool whole) => Assert.That(RootPower.IsWholeMap(map), Is.EqualTo(whole));

    [Test]
    public void What_is_meant_for_the_gateway_alone_is_not_inherited()
    {
        byte[][] entries =
        [
            .. new[] { "SPAWNGATE_ADMIN_TOKEN=secret", "SPAWNGATE_INSTANCE=a", "SPAWNGATE_LOG=debug" }.Select(Encoding.UTF8.GetBytes),
        ];
        Assert.That(ChildEnvironment.Of(entries).With([]).Select(Encoding.UTF8.GetString), Is.EqualTo(new[] { "SPAWNGATE_LOG=debug" }));
    }

    private static void Refuses(string path, string reason)
    {
        Assert.That(AppendFile.FindProblem(path), Does.StartWith("which is not trusted").And.Contain(reason));
        Assert.That(PidFile.Acquire(path, out string? error), Is.Null);
        Assert.That(error, Does.StartWith($"PID file \"{path}\"").And.Contain(reason));
        using var log = AppendFile.At(path);
        Assert.That(log.IsOpen, Is.False);
    }

    private static void GiveAway(string path)
    {
        Assume.That(Libc.EffectiveUser(), Is.Zero, "only root can make files of others");
        Assert.That(ChangeOwner(path, Other, Other), Is.Zero);
    }

    /// <summary>In most containers it is an ordinary user's number.</summary>
    [TestCase("         0     100000      65536\n", true)]
    [TestCase("         0       1000          1\n", false)]
    [TestCase("         0       1000          1\n         1     100000      65533\n", false)]
    [TestCase("         0       1000          1\n         1     100000      65534\n", true)]
    [TestCase("     65534       1000          1\n", true)]
    [TestCase("     65535       1000          9\n", false)]
    [TestCase("", false)]
    public void The_number_of_nobody_may_be_somebodys(string map, bool expected) =>
        Assert.That(RootPower.HasUser(map, 65534), Is.EqualTo(expected));

    [LibraryImport("libc", EntryPoint = "lchown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int HardLink(string path, string name);

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, uint mode);
}
