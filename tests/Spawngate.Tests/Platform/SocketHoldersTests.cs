using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>
/// Which processes may hold a run's socket, also when little can be seen of them. Alone, because the limit of open files is the process's.
/// </summary>
[Platform("Linux")]
[NonParallelizable]
internal sealed class SocketHoldersTests
{
    private const int OpenFilesLimit = 7; // RLIMIT_NOFILE
    private const int Leader = 100;
    private const long Start = 5000;

    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public void Daemons_without_a_token_may_be_those_of_a_run_that_was_started_before()
    {
        int self = Environment.ProcessId;
        List<ProcessEntry> table =
        [
            new(1, 0, 1, 1, 0, false),
            new(self, 1, self, self, 1, false),
            new(Leader, self, Leader, Leader, Start, false),
            new(101, self, 101, 101, Start, false),
            new(102, 101, 102, 102, Start + 1, false),
            new(103, self, 103, 103, Start - 1, false),
            new(104, self, 104, 104, Start + 9, true),
            new(105, self, 105, 105, Start + 9, false),
            new(106, 1, 106, 106, Start + 9, false),
            new(107, 555, 107, 107, Start + 9, false),
        ];
        var snapshot = new ProcessSnapshot(table, [], [101, 103, 104]);

        Assert.That(snapshot.UnclaimedSince(Leader).Select(static entry => entry.Pid), Is.EqualTo(new[] { 101, 102 }));
        Assert.That(
            new[] { self, 102, 1, 106, 107, 999 }.Select(snapshot.IsBelowUs),
            Is.EqualTo(new[] { true, true, false, false, false, false })
        );
    }

    [Test]
    public async Task A_daemon_with_an_empty_environment_is_unclaimed_and_a_leader_is_not()
    {
        PlatformScene.Child child = _scene.Shell("(env -i setsid sh -c 'echo $$; exec sleep 1000' &); exec sleep 1000");
        int daemon = int.Parse(await child.Output.Next(static line => line.All(char.IsAsciiDigit)), CultureInfo.InvariantCulture);
        try
        {
            List<ProcessEntry> unclaimed = [];
            while (!unclaimed.Exists(entry => entry.Pid == daemon))
            {
                // Until its parent has ended.
                unclaimed = (await ProcessScans.Shared.NextAsync().WaitAsync(PlatformScene.Patience)).UnclaimedSince(child.Process.Pid);
            }

            Assert.That(unclaimed.Select(static entry => entry.Pid), Does.Not.Contain(child.Process.Pid));
        }
        finally
        {
            _ = Libc.Kill(daemon, Libc.SIGKILL);
        }
    }

    [TestCase(0, TestName = "A_table_that_cannot_be_opened_is_not_whole")]
    [TestCase(1, TestName = "A_table_whose_entries_cannot_be_opened_is_not_whole")]
    public void Without_descriptors_nothing_is_taken_for_seen(int free)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var found = new List<ListeningSocket>();
        Assert.That(ListenerTable.TryFind((IPEndPoint)listener.LocalEndPoint!, found), Is.True);
        var table = new List<ProcessEntry>();
        bool isWhole;
        HolderReading reading = HolderReading.Read;
        HashSet<long>? users = [];
        int errno = 0;
        ulong before = Limit(null);
        try
        {
            Limit((ulong)(LowestFree() + free));
            isWhole = ProcessTable.Read(table);
            if (free == 0)
            {
                reading = SocketHolders.Strike(Environment.ProcessId, found);
                users = SocketHolders.UsersOf(Environment.ProcessId);
                _ = ProcessTable.TokenOfChild(Environment.ProcessId, out errno);
            }
        }
        finally
        {
            Limit(before);
        }

        Assert.That(isWhole, Is.False);
        Assert.That(table, Is.Empty);
        if (free == 0)
        {
            Assert.That((reading, users, errno, found.Count), Is.EqualTo((HolderReading.Failed, (HashSet<long>?)null, Libc.EMFILE, 1)));
        }

        Assert.That(ProcessTable.Read(table), Is.True);
        Assert.That(SocketHolders.Strike(Environment.ProcessId, found), Is.EqualTo(HolderReading.Read));
        Assert.That(found, Is.Empty);
        Assert.That(SocketHolders.UsersOf(Environment.ProcessId), Does.Contain((long)Libc.EffectiveUser()));
    }

    [Test]
    public void Who_has_ended_is_gone()
    {
        List<ListeningSocket> wanted = [new(1, 0)];
        Assert.That(SocketHolders.Strike(int.MaxValue, wanted), Is.EqualTo(HolderReading.Gone));
    }

    private static int LowestFree()
    {
        int fd = Libc.Open("/dev/null", Libc.O_RDONLY | Libc.O_CLOEXEC);
        Descriptors.Close(fd);
        return fd;
    }

    /// <summary>Sets the soft limit of open files, if one is given; the one before.</summary>
    private static unsafe ulong Limit(ulong? soft)
    {
        ulong* limit = stackalloc ulong[2];
        Assert.That(Libc.LinuxPrlimit(0, OpenFilesLimit, null, limit), Is.Zero);
        ulong before = limit[0];
        limit[0] = soft ?? before;
        Assert.That(Libc.LinuxPrlimit(0, OpenFilesLimit, limit, null), Is.Zero);
        return before;
    }
}
