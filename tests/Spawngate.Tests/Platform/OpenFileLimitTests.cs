using Spawngate.Overload;
using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>The limit of open files: raised here, and given back to children. Alone, because the limit is the process's.</summary>
[NonParallelizable]
internal sealed class OpenFileLimitTests
{
    private const int Resource = 7;
    private const ulong Low = 3000;

    private (ulong Soft, ulong Hard) _before;

    [SetUp]
    public void Lower()
    {
        _before = Read(0);
        Assume.That(_before.Hard, Is.GreaterThan(Low + 100));
        Write(Low, _before.Hard);
    }

    [TearDown]
    public void Restore() => Write(_before.Soft, _before.Hard);

    [Test]
    public void It_is_raised_to_the_hard_limit()
    {
        var limit = new OpenFileLimit();
        Assert.That(limit.Soft, Is.EqualTo((long)Low));
        limit.Raise();
        Assert.That(Read(0).Soft, Is.EqualTo(Math.Min(_before.Hard, PlatformLimits.DescriptorsMax)));
        Assert.That(limit.Soft, Is.EqualTo((long)Read(0).Soft));
    }

    [TestCase(10L, TestName = "A child is made with the limit that we were started with")]
    [TestCase((long)Low, TestName = "A child gets the limit that we were started with when it would disturb us to lower ours")]
    public async Task Children_get_it_back(long open)
    {
        var limit = new OpenFileLimit();
        limit.Raise(Low + 100);
        long lowering = limit.BeginSpawn(open);
        Assert.That(lowering != 0, Is.EqualTo(open < (long)Low / 2));
        long inner = limit.BeginSpawn(open);
        var child = ChildProcess.Start(new ChildCommand("sleep", ["1000"], ChildEnvironment.Capture().With([]), null), out string? error);
        Assert.That(child, Is.Not.Null, error);
        try
        {
            limit.EndSpawn(inner, 0);
            limit.EndSpawn(lowering, child!.Pid);
            Assert.That(Read(child.Pid).Soft, Is.EqualTo(Low));
            Assert.That(Read(child.Pid).Hard, Is.EqualTo(_before.Hard), "it may raise it itself");
            Assert.That(Read(0).Soft, Is.EqualTo(Low + 100), "ours is as it was");
        }
        finally
        {
            child!.Kill();
            await child.Ended;
            Descriptors.Close(child.StdoutFd);
            Descriptors.Close(child.StderrFd);
        }
    }

    [Test]
    public async Task It_is_raised_in_the_middle_of_a_long_spawn_when_many_files_are_open()
    {
        var limit = new OpenFileLimit();
        limit.Raise(Low + 100);
        long first = limit.BeginSpawn(10);
        long second = limit.BeginSpawn(10);
        limit.RaiseIfShort(((long)Low / 2) - 1);
        Assert.That(Read(0).Soft, Is.EqualTo(Low), "half of it is free");
        limit.RaiseIfShort((long)Low / 2);
        Assert.That((Read(0).Soft, limit.IsLowered), Is.EqualTo((Low + 100, false)));
        var child = ChildProcess.Start(new ChildCommand("sleep", ["1000"], ChildEnvironment.Capture().With([]), null), out string? error);
        Assert.That(child, Is.Not.Null, error);
        try
        {
            limit.EndSpawn(first, child!.Pid);
            Assert.That(Read(child.Pid).Soft, Is.EqualTo(Low));

            // One that began before does not end one that began later.
            long third = limit.BeginSpawn(10);
            limit.EndSpawn(second, 0);
            Assert.That((Read(0).Soft, limit.IsLowered), Is.EqualTo((Low, true)));
            Assert.That(limit.BeginSpawn((long)Low), Is.Zero);
            Assert.That((Read(0).Soft, limit.IsLowered), Is.EqualTo((Low + 100, false)), "the next spawn sees it too");
            limit.EndSpawn(third, 0);
            Assert.That(Read(0).Soft, Is.EqualTo(Low + 100));
        }
        finally
        {
            child!.Kill();
            await child.Ended;
            Descriptors.Close(child.StdoutFd);
            Descriptors.Close(child.StderrFd);
        }
    }

    [Test]
    public void Whoever_counts_a_descriptor_raises_it()
    {
        var limit = new OpenFileLimit();
        limit.Raise(Low + 100);
        var budget = new DescriptorBudget(limit.Soft, 10, 1) { InForce = limit };
        long lowering = limit.BeginSpawn(budget.InUse);
        budget.Take(DescriptorUse.Client, ((int)Low / 2) - (int)budget.InUse - 1);
        Assert.That(Read(0).Soft, Is.EqualTo(Low), "half of it is free");
        budget.Release(DescriptorUse.Client);
        Assert.That(budget.TryTake(DescriptorUse.Upstream, 2));
        Assert.That(Read(0).Soft, Is.EqualTo(Low + 100));
        limit.EndSpawn(lowering, 0);
    }

    private static unsafe (ulong Soft, ulong Hard) Read(int pid)
    {
        ulong* limit = stackalloc ulong[2];
        Assert.That(Libc.LinuxPrlimit(pid, Resource, null, limit), Is.Zero);
        return (limit[0], limit[1]);
    }

    private static unsafe void Write(ulong soft, ulong hard)
    {
        ulong* limit = stackalloc ulong[] { soft, hard };
        Assert.That(Libc.LinuxPrlimit(0, Resource, limit, null), Is.Zero);
    }
}
