using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class ChildOutputTests
{
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_line_that_does_not_end_appears_after_a_moment(bool poll)
    {
        using OutputDrain drain = poll ? new OutputDrain(new PollReadiness(), TimeProvider.System) : new OutputDrain();
        var lines = new LineCollector();
        ChildProcess child = ChildProcess.Start(
            new ChildCommand("/bin/sh", ["-c", "echo first; printf ...; exec sleep 1000"], PlatformScene.Environment(), null),
            out _
        )!;
        OutputPipe stdout = drain.Add(child.StdoutFd, lines);
        OutputPipe stderr = drain.Add(child.StderrFd, new LineCollector());
        await lines.Next(static line => line == "...");
        Assert.That(lines.Lines, Is.EqualTo(["first", "..."]));
        child.Kill();
        await Task.WhenAll(stdout.FinishAsync(), stderr.FinishAsync()).WaitAsync(PlatformScene.Patience);
        Assert.That(lines.Lines, Has.Length.EqualTo(2));
    }

    [Test]
    public async Task A_child_that_writes_200_MB_is_not_blocked_slows_nobody_and_costs_no_memory()
    {
        const long Lines = 2_000_000;
        PlatformScene.Child other = _scene.Start("cat", "/dev/null");
        await other.End();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var counter = new Counter();
        ChildProcess chatty = ChildProcess.Start(
            new ChildCommand("/bin/sh", ["-c", $"yes '{new string('x', 99)}' | head -n {Lines}"], PlatformScene.Environment(), null),
            out _
        )!;
        OutputPipe pipe = _scene.Drain.Add(chatty.StdoutFd, counter);
        OutputPipe errors = _scene.Drain.Add(chatty.StderrFd, counter);

        // While that floods, others are read as they write.
        for (int round = 0; round < 20; round++)
        {
            PlatformScene.Child quiet = _scene.Shell("echo one; echo two >&2");
            Assert.That((await quiet.End()).ExitCode, Is.Zero);
            Assert.That(quiet.Output.Lines, Is.EqualTo(["one"]));
            Assert.That(quiet.Errors.Lines, Is.EqualTo(["two"]));
        }

        Assert.That((await chatty.Ended.WaitAsync(PlatformScene.Patience)).ExitCode, Is.Zero);
        await Task.WhenAll(pipe.FinishAsync(), errors.FinishAsync()).WaitAsync(PlatformScene.Patience);
        Assert.That(counter.Lines, Is.EqualTo(Lines));
        Assert.That(counter.Bytes, Is.EqualTo(Lines * 99));
        Assert.That(GC.GetTotalMemory(forceFullCollection: true) - before, Is.LessThan(2_000_000));
    }

    [Test]
    public async Task Two_hundred_pipes_at_once_lose_nothing([Values] bool poll)
    {
        using OutputDrain drain = poll ? new OutputDrain(new PollReadiness(), TimeProvider.System) : new OutputDrain();
        var tasks = new List<Task>();
        var counters = new List<Counter>();
        for (int number = 0; number < 100; number++)
        {
            ChildProcess child = ChildProcess.Start(
                new ChildCommand("/bin/sh", ["-c", "seq 1 2000; seq 1 100 >&2"], PlatformScene.Environment(), null),
                out _
            )!;
            var output = new Counter();
            var errors = new Counter();
            counters.Add(output);
            counters.Add(errors);
            OutputPipe stdout = drain.Add(child.StdoutFd, output);
            OutputPipe stderr = drain.Add(child.StderrFd, errors);
            tasks.Add(EndAsync(child, stdout, stderr));
        }

        await Task.WhenAll(tasks).WaitAsync(PlatformScene.Patience);
        Assert.That(counters.Where(static (_, index) => index % 2 == 0).Select(static counter => counter.Lines), Is.All.EqualTo(2000));
        Assert.That(counters.Where(static (_, index) => index % 2 == 1).Select(static counter => counter.Lines), Is.All.EqualTo(100));

        static async Task EndAsync(ChildProcess child, OutputPipe stdout, OutputPipe stderr)
        {
            await child.Ended;
            await Task.WhenAll(stdout.FinishAsync(), stderr.FinishAsync());
        }
    }

    [Test]
    public async Task A_closed_stream_of_a_living_child_is_let_go()
    {
        PlatformScene.Child child = _scene.Shell("echo a; exec >&-; read forever; echo up >&2; sleep 1000");
        await child.OutPipe.Closed.WaitAsync(PlatformScene.Patience);
        await child.Errors.Next(static line => line == "up");
        child.Process.Kill();
        await child.End();
        Assert.That(child.Output.Lines, Is.EqualTo(["a"]));
    }

    [Test]
    public async Task Disposal_closes_the_pipes_of_living_children()
    {
        var drain = new OutputDrain();
        ChildProcess child = ChildProcess.Start(new ChildCommand("yes", [], PlatformScene.Environment(), null), out _)!;
        OutputPipe stdout = drain.Add(child.StdoutFd, new Counter());
        OutputPipe stderr = drain.Add(child.StderrFd, new Counter());
        drain.Dispose();
        await Task.WhenAll(stdout.Closed, stderr.Closed).WaitAsync(PlatformScene.Patience);
        Assert.That((await child.Ended.WaitAsync(PlatformScene.Patience)).Describe(), Is.EqualTo("killed by signal 13 (SIGPIPE)"));
        await drain.Add(Dangling(), new Counter()).Closed.WaitAsync(PlatformScene.Patience);

        static int Dangling()
        {
            Descriptors.OpenPipe(out int readEnd, out int writeEnd);
            Descriptors.Close(writeEnd);
            return readEnd;
        }
    }

    private sealed class Counter : Logging.ILineSink
    {
        public long Lines { get; private set; }

        public long Bytes { get; private set; }

        public void OnLine(ReadOnlyMemory<byte> line)
        {
            Lines++;
            Bytes += line.Length;
        }
    }
}
