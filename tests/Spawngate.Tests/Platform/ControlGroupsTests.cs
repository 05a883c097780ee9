using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>Control groups in a folder that looks like a system with version 1, with version 2, and in this machine's own.</summary>
[Platform("Linux")]
internal sealed class ControlGroupsTests
{
    private const string MountsOf1 = """
        31 23 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate
        33 23 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:14 - cgroup cgroup rw,cpu,cpuacct
        34 23 0:30 /docker/abc /sys/fs/cgroup/memory rw,nosuid shared:15 - cgroup cgroup rw,memory
        """;

    private const string MountsOf2 = "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n";

    private string _root = null!;

    [SetUp]
    public void SetUp() => _root = Directory.CreateTempSubdirectory("spawngate-groups-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_root, recursive: true);

    private string Path(string path) => System.IO.Path.Combine(_root, path.TrimStart('/'));

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path(path))!);
        File.WriteAllText(Path(path), text);
    }

    private string Read(string path) => File.ReadAllText(Path(path));

    private ControlGroups Groups(bool isOurs = true) => new("a gateway", _root, _ => isOurs);

    private void Version1()
    {
        Write("/proc/self/mountinfo", MountsOf1);
        Write("/proc/self/cgroup", "4:cpu,cpuacct:/ours\n3:memory:/docker/abc/below\n0::/elsewhere\n");
        Directory.CreateDirectory(Path("/sys/fs/cgroup/cpu,cpuacct/ours"));
        Directory.CreateDirectory(Path("/sys/fs/cgroup/memory/below"));
    }

    private void Version2(string controllers = "cpu io memory", string handedDown = "", string own = "/system.slice/spawngate.service")
    {
        Write("/proc/self/mountinfo", MountsOf2);
        Write("/proc/self/cgroup", $"0::{own}\n");
        string folder = $"/sys/fs/cgroup{own}";
        Write($"{folder}/cgroup.type", "domain\n");
        Write($"{folder}/cgroup.controllers", controllers + "\n");
        Write($"{folder}/cgroup.subtree_control", handedDown + "\n");
        Write($"{folder}/cgroup.procs", "");
    }

    [Test]
    public void Version_1_has_a_folder_for_each_controller()
    {
        Version1();
        Assert.That(Groups().FindProblem(memory: true, cpu: true), Is.Null);
        ControlGroup group = Groups().TryMake("app.example.com/x", 256 << 20, 1_500_000_000, out string? problem)!;
        Assert.That(problem, Is.Null);
        Assert.That(group.ProcessFiles, Has.Count.EqualTo(2));
        string memory = System.IO.Path.GetDirectoryName(group.ProcessFiles[0])!;
        string cpu = System.IO.Path.GetDirectoryName(group.ProcessFiles[1])!;
        Assert.That(memory, Does.Match($"^{_root}/sys/fs/cgroup/memory/below/spawngate-[0-9a-f]{{16}}-\\d+\\.1-app\\.example\\.com_x$"));
        Assert.That(cpu, Does.StartWith($"{_root}/sys/fs/cgroup/cpu,cpuacct/ours/spawngate-"));
        Assert.That(File.ReadAllText($"{memory}/memory.limit_in_bytes"), Is.EqualTo("268435456"));
        Assert.That(File.ReadAllText($"{cpu}/cpu.cfs_quota_us"), Is.EqualTo("150000"));
        Assert.That(File.ReadAllText($"{cpu}/cpu.cfs_period_us"), Is.EqualTo("100000"));
        File.WriteAllText($"{memory}/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
        Assert.That(group.OutOfMemoryKills, Is.EqualTo(2));
    }

    [Test]
    public void Version_2_moves_the_gateway_to_a_group_of_its_own()
    {
        Version2();
        Write("/sys/fs/cgroup/system.slice/spawngate.service/cgroup.procs", "17\n18\n");
        Assert.That(Groups().FindProblem(memory: true, cpu: true), Is.Null);
        ControlGroup group = Groups().TryMake("app", 64 << 20, 500_000_000, out string? problem)!;
        Assert.That(problem, Is.Null);
        const string own = "/sys/fs/cgroup/system.slice/spawngate.service";
        Assert.That(Read($"{own}/gateway/cgroup.procs"), Is.EqualTo("18"), "the last that was moved");
        Assert.That(Read($"{own}/cgroup.subtree_control"), Is.EqualTo("+cpu"), "the last that was asked for");
        string folder = System.IO.Path.GetDirectoryName(group.ProcessFiles.Single())!;
        Assert.That(File.ReadAllText($"{folder}/memory.max"), Is.EqualTo("67108864"));
        Assert.That(File.ReadAllText($"{folder}/cpu.max"), Is.EqualTo("50000 100000"));
        File.WriteAllText($"{folder}/memory.events", "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n");
        Assert.That(group.OutOfMemoryKills, Is.EqualTo(1));
    }

    [Test]
    public void Version_2_stays_where_it_is_when_it_was_moved_before()
    {
        Version2(handedDown: "memory");
        Write("/proc/self/cgroup", "0::/system.slice/spawngate.service/gateway\n");
        ControlGroup group = Groups().TryMake("app", 64 << 20, null, out string? problem)!;
        Assert.That(problem, Is.Null);
        Assert.That(group.ProcessFiles.Single(), Does.StartWith(Path("/sys/fs/cgroup/system.slice/spawngate.service/spawngate-")));
        Assert.That(Directory.Exists(Path("/sys/fs/cgroup/system.slice/spawngate.service/gateway")), Is.False);
    }

    [Test]
    public void Version_2_leaves_the_processes_of_others_where_they_are()
    {
        Version2();
        Write("/sys/fs/cgroup/system.slice/spawngate.service/cgroup.procs", "17\n");
        Assert.That(Groups(isOurs: false).TryMake("app", 64 << 20, null, out string? problem), Is.Null);
        Assert.That(problem, Does.EndWith("has processes of others, such as pid 17 (systemd: Delegate=cpu memory)"));
        Assert.That(Groups(isOurs: false).FindProblem(memory: true, cpu: false), Is.EqualTo(problem));
    }

    [Test]
    public void Version_2_without_the_controller_says_so()
    {
        Version2(controllers: "cpu");
        Assert.That(Groups().TryMake("app", 64 << 20, 1, out string? problem), Is.Null);
        Assert.That(problem, Does.Match("^the controller memory is not available in .*/spawngate\\.service "));
        Assert.That(Groups().FindProblem(memory: true, cpu: true), Is.EqualTo(problem));
    }

    [Test]
    public void Without_control_groups_there_are_none()
    {
        Assert.That(
            Groups().FindProblem(memory: true, cpu: false),
            Is.EqualTo("this system has no controller of control groups for memory")
        );
        Assert.That(Groups().TryMake("app", 64 << 20, null, out string? problem), Is.Null);
        Assert.That(problem, Is.Not.Null);
        Groups().RemoveLeftovers();
    }

    [Test]
    public void Only_what_a_dead_process_of_this_gateway_left_is_removed()
    {
        Version1();
        ControlGroup mine = Groups().TryMake("app", 64 << 20, null, out _)!;
        string own = System.IO.Path.GetDirectoryName(mine.ProcessFiles[0])!;
        string left = own.Replace($"-{Environment.ProcessId}.", "-1.", StringComparison.Ordinal);
        string full = left + "-full";
        string others = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(own)!, "spawngate-0123456789abcdef-1.1-app");
        Array.ForEach([left, full, others], static folder => Directory.CreateDirectory(folder));
        Directory.CreateDirectory($"{full}/within");
        Groups().RemoveLeftovers();
        Assert.That(Directory.Exists(left), Is.False);
        Assert.That(Directory.Exists(own) && Directory.Exists(full) && Directory.Exists(others), Is.True);
    }
}
