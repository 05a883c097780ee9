using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>How much memory the machine or the container has.</summary>
internal sealed class MachineMemoryTests
{
    private const long Mega = 1024 * 1024;
    private const string Memory = "MemFree:          100000 kB\nMemTotal:        1048576 kB\n";
    private const string Unified = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    private const string Old =
        "30 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        + "31 23 0:28 / /sys/fs/cgroup/memory rw shared:5 - cgroup cgroup rw,memory\n";

    private static long? Find(params (string Path, string Text)[] files) =>
        new MachineMemory(path => files.Where(file => file.Path == path).Select(static file => file.Text).FirstOrDefault()).Find();

    [Test]
    public void Without_a_limit_it_is_that_of_the_machine()
    {
        Assert.That(Find(("/proc/meminfo", Memory)), Is.EqualTo(1024 * Mega));
        Assert.That(
            Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", "0::/a\n"), ("/proc/self/mountinfo", Unified)),
            Is.EqualTo(1024 * Mega)
        );
        Assert.That(
            Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", "0::/a\n"), ("/sys/fs/cgroup/a/memory.max", "max\n")),
            Is.EqualTo(1024 * Mega)
        );
        Assert.That(
            Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", "0::/a\n"), ("/sys/fs/cgroup/a/memory.max", "99999999999999")),
            Is.EqualTo(1024 * Mega)
        );
    }

    [Test]
    public void Without_that_of_the_machine_it_is_not_known()
    {
        Assert.That(Find(), Is.Null);
        Assert.That(Find(("/proc/meminfo", "MemTotal: many kB\n")), Is.Null);
    }

    [TestCase("0::/\n", "/sys/fs/cgroup/memory.max", TestName = "In a container with its own namespace of cgroups")]
    [TestCase("0::/system.slice/gate.service\n", "/sys/fs/cgroup/system.slice/gate.service/memory.max", TestName = "A service")]
    [TestCase("0::/system.slice/gate.service\n", "/sys/fs/cgroup/system.slice/memory.max", TestName = "A limit above it")]
    [TestCase("0::/../../other\n", "/sys/fs/cgroup/memory.max", TestName = "Outside of the namespace")]
    public void Version_2(string cgroup, string limited)
    {
        foreach (string mounts in (string[])["", Unified])
        {
            Assert.That(
                Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", cgroup), ("/proc/self/mountinfo", mounts), (limited, "536870912\n")),
                Is.EqualTo(512 * Mega),
                mounts
            );
        }
    }

    [Test]
    public void The_smallest_of_all_counts() =>
        Assert.That(
            Find(
                ("/proc/meminfo", Memory),
                ("/proc/self/cgroup", "0::/a/b/c\n"),
                ("/proc/self/mountinfo", Unified),
                ("/sys/fs/cgroup/a/b/c/memory.max", "536870912\n"),
                ("/sys/fs/cgroup/a/b/memory.max", "268435456\n"),
                ("/sys/fs/cgroup/a/memory.max", "max\n"),
                ("/sys/fs/memory.max", "1024\n")
            ),
            Is.EqualTo(256 * Mega),
            "of the cgroups, not of what lies above their mount"
        );

    [TestCase("7:cpu,memory:/docker/abc\n0::/x\n", Old, "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", TestName = "Version 1")]
    [TestCase(
        "7:memory:/docker/abc\n",
        "",
        "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes",
        TestName = "Version 1 without mounts"
    )]
    [TestCase("7:memory:/docker/abc\n", "", "/sys/fs/cgroup/memory/memory.limit_in_bytes", TestName = "Version 1, a limit above it")]
    [TestCase(
        "7:memory:/docker/abc\n",
        "31 23 0:28 /docker/abc /my\\040groups rw - cgroup cgroup rw,memory\n",
        "/my groups/memory.limit_in_bytes",
        TestName = "Version 1, a container that sees only its own"
    )]
    public void Version_1(string cgroup, string mounts, string limited) =>
        Assert.That(
            Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", cgroup), ("/proc/self/mountinfo", mounts), (limited, "536870912\n")),
            Is.EqualTo(512 * Mega)
        );

    [Test]
    public void The_largest_number_of_version_1_is_no_limit() =>
        Assert.That(
            Find(
                ("/proc/meminfo", Memory),
                ("/proc/self/cgroup", "7:memory:/\n"),
                ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
            ),
            Is.EqualTo(1024 * Mega)
        );

    [TestCase("nonsense\n")]
    [TestCase("1:name=systemd:/a\n2:cpu:/a\n")]
    [TestCase("")]
    public void Other_lines_are_skipped(string cgroup) =>
        Assert.That(
            Find(("/proc/meminfo", Memory), ("/proc/self/cgroup", cgroup), ("/sys/fs/cgroup/a/memory.max", "1024")),
            Is.EqualTo(1024 * Mega)
        );

    [Test]
    public void That_of_this_machine_is_known() => Assert.That(MachineMemory.Bytes, Is.GreaterThan(64 * Mega));
}
