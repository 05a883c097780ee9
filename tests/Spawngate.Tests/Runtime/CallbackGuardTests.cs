using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>
/// What throws in a callback ends what it belongs to, and nothing else: each place that makes callbacks is given one that throws.
/// </summary>
[TestFixture]
[NonParallelizable]
internal sealed class CallbackGuardTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string Answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private RecordingLog _log = null!;

    [SetUp]
    public void Record() => CallbackGuard.Log = _log = new RecordingLog();

    [TearDown]
    public void Forget() => CallbackGuard.Log = NullLogger.Instance;

    [Test]
    [Platform("Linux")]
    [EventLoops]
    public async Task A_loop_outlives_what_was_posted_deferred_or_goes_on_in_turn()
    {
        var loop = EventLoop.Next();
        var owner = new Owner();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        loop.Post(owner);
        loop.Post(
            new Item(() =>
            {
                loop.Defer(owner);
                EventLoop.NextTurn().GetAwaiter().OnCompleted(Throw);
                // The last of all: turns are taken in order, behind what was deferred.
                EventLoop.NextTurn().GetAwaiter().OnCompleted(done.SetResult);
            })
        );

        await done.Task.WaitAsync(Patience);
        Assert.That(owner.Faults, Is.EqualTo(2));
        Assert.That(Faults(), Has.Length.EqualTo(3));
    }

    [Test]
    [Platform("Linux")]
    public async Task An_event_that_throws_ends_its_connection()
    {
        var (mine, peer) = await ConnectedAsync(new ThrowingWatcher());
        using var other = peer;
        using var channel = mine;
        Assert.That(mine.Arm(), Is.True);
        await peer.SendAsync("x"u8.ToArray());

        // It was cut, and not just left: the peer hears of it.
        Assert.That(async () => await peer.ReceiveAsync(new byte[1]).WaitAsync(Patience), Throws.InstanceOf<SocketException>());
        var (next, nextPeer) = await ConnectedAsync(null);
        using var nextChannel = next;
        using var nextOther = nextPeer;
        await nextPeer.SendAsync("y"u8.ToArray());
        Assert.That(await next.ReceiveAsync().AsTask().WaitAsync(Patience), Is.EqualTo(1), "others are served");
        Assert.That(Faults(), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task What_goes_on_after_a_send_or_a_receive_ends_its_owner()
    {
        var (mine, peer) = await ConnectedAsync(null);
        using var channel = mine;
        using var other = peer;
        var owner = new Owner();
        var continuation = new SocketContinuation(_ => Throw(), owner);
        Assert.That(continuation.TryGetResult(mine.ReceiveAsync(), out _), Is.False);
        await peer.SendAsync("x"u8.ToArray());

        await owner.Faulted.WaitAsync(Patience);
        Assert.That(Faults(), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_tick_that_throws_does_not_keep_the_others_from_theirs()
    {
        var time = new FaultyTime();
        using var clock = new CoarseClock(time);
        int before = 0;
        int after = 0;
        clock.Tick += () => before++;
        clock.Tick += Throw;
        clock.Tick += () => after++;
        time.AdvanceMs(2 * RuntimeLimits.ClockTickMs);
        Assert.That((before, after, Faults().Length), Is.EqualTo((2, 2, 2)));

        clock.Tick -= Throw;
        time.Fails = true;
        time.AdvanceMs(RuntimeLimits.ClockTickMs);
        time.Fails = false;
        time.AdvanceMs(RuntimeLimits.ClockTickMs);
        Assert.That((before, after, Faults().Length), Is.EqualTo((3, 3, 3)), "the clock itself");
    }

    /// <summary>On the tick of a connection, too, which throws because its time does.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public async Task A_fault_within_a_request_ends_its_connection_and_leaves_nothing(bool http2)
    {
        var time = new FaultyTime();
        using var gateway = await LoopbackGateway.StartAsync(time, Answer);
        var client = http2 ? new Http2LoopbackClient(gateway.Client, LoopbackGateway.Host) : null;
        Action exchange = client is null ? () => gateway.Exchange(Encoding.ASCII.GetBytes(Get)) : client.Exchange;
        exchange();
        time.Fails = true;
        Assert.That(() => exchange(), Throws.Exception);

        await gateway.Served.WaitAsync(Patience);
        time.Fails = false;
        Assert.That(gateway.OpenConnections, Is.Zero);
    }

    [Test]
    public void A_lifecycle_whose_bug_cannot_even_be_logged_goes_on()
    {
        var handled = new List<LifecycleInput>();
        var mailbox = new LifecycleMailbox(
            message =>
            {
                handled.Add(message.Input);
                Throw();
            },
            static _ => { },
            static (_, _) => Throw()
        );
        mailbox.Post(new LifecycleMessage(LifecycleInput.Wake));
        mailbox.Post(new LifecycleMessage(LifecycleInput.Due));
        mailbox.Execute();
        Assert.That(handled, Is.EqualTo(new[] { LifecycleInput.Wake, LifecycleInput.Due }));
        Assert.That(Faults(), Has.Length.EqualTo(2));
    }

    [Test]
    [Platform("Linux,MacOsX")]
    public async Task Output_that_nobody_can_take_is_thrown_away_and_the_others_are_read()
    {
        using var scene = new PlatformScene();
        var child = ChildProcess.Start(new ChildCommand("/bin/sh", ["-c", "seq 1 100000"], PlatformScene.Environment(), null), out _)!;
        var broken = scene.Drain.Add(child.StdoutFd, new ThrowingSink());
        var errors = scene.Drain.Add(child.StderrFd, new ThrowingSink());
        Assert.That((await child.Ended.WaitAsync(Patience)).ExitCode, Is.Zero, "it did not suffer");
        await Task.WhenAll(broken.FinishAsync(), errors.FinishAsync()).WaitAsync(Patience);

        var next = scene.Shell("echo one");
        await next.End();
        Assert.That(next.Output.Lines, Is.EqualTo(new[] { "one" }));
        Assert.That(Faults(), Has.Length.EqualTo(1), "said once");
    }

    [Test]
    [Platform("Linux,MacOsX")]
    public async Task The_reaper_outlives_who_listens_to_it()
    {
        Reaper.Shared.OrphanReaped += Throw;
        try
        {
            using var scene = new PlatformScene();
            for (int i = 0; i < 3; i++)
            {
                // What the shell leaves behind becomes ours, and ends.
                var child = scene.Shell("(sleep 0.01 &) ; echo one");
                Assert.That((await child.End()).ExitCode, Is.Zero);
            }
        }
        finally
        {
            Reaper.Shared.OrphanReaped -= Throw;
        }

        static void Throw(int pid) => throw new InvalidOperationException("injected");
    }

    [Test]
    public void The_log_outlives_a_stream_that_throws_anything()
    {
        using var written = new MemoryStream();
        var stream = new ThrowingStream(written);
        using (var writer = new LogWriter(stream, TimeProvider.System))
        {
            writer.Write("lost\n"u8, isOutput: false);
            Assert.That(stream.Threw.Wait(Patience), Is.True);
            writer.Write("kept\n"u8, isOutput: false);
        }

        Assert.That(Encoding.ASCII.GetString(written.ToArray()), Is.EqualTo("kept\n"));
    }

    [TestCase(TransportLimits.BufferBytesMax + 1)]
    [TestCase((1 << 30) + 1)]
    public void A_buffer_that_is_too_large_is_out_of_memory(int size) =>
        Assert.That(() => BufferPool.Rent(size), Throws.InstanceOf<OutOfMemoryException>());

    [Test]
    public void What_ends_a_fault_throws_nothing_itself()
    {
        CallbackGuard.Log = new ThrowingLog();
        Assert.That(
            () => CallbackGuard.OnFault(new InvalidOperationException("injected"), "a test", new Owner { Throws = true }),
            Throws.Nothing
        );
    }

    [Test]
    public void A_stall_is_time_without_a_byte_of_a_send_that_waits()
    {
        var stall = default(SendStall);
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 100, limitMs: 1000), Is.False);
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 1099, limitMs: 1000), Is.False);
        Assert.That(stall.IsOver(isSending: true, hasMoved: true, nowMs: 1100, limitMs: 1000), Is.False, "it took something");
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 2099, limitMs: 1000), Is.False);
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 2100, limitMs: 1000), Is.True);
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 9999, limitMs: 0), Is.False, "no limit");
        Assert.That(stall.IsOver(isSending: false, hasMoved: false, nowMs: 2200, limitMs: 1000), Is.False);
        Assert.That(stall.IsOver(isSending: true, hasMoved: false, nowMs: 3300, limitMs: 1000), Is.False, "another send");
    }

    private static void Throw() => throw new InvalidOperationException("injected");

    private string[] Faults() =>
        [
            .. _log
                .Records.Where(record => record.Level == LogLevel.Error && record.Text.Contains("injected", StringComparison.Ordinal))
                .Select(record => record.Text),
        ];

    private static async Task<(SocketChannel Mine, Socket Peer)> ConnectedAsync(IReceiveWatcher? watcher)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await peer.ConnectAsync(listener.LocalEndPoint!);
        return (new SocketChannel(AdoptedSocket.Of(await listener.AcceptAsync()), watcher), peer);
    }

    private sealed class Item(Action run) : IThreadPoolWorkItem
    {
        public void Execute() => run();
    }

    /// <summary>Throws whenever it is run, and counts how often it was ended for that.</summary>
    private sealed class Owner : IThreadPoolWorkItem, ICallbackOwner
    {
        private readonly TaskCompletionSource _faulted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _faults;

        public bool Throws { get; init; }

        public int Faults => Volatile.Read(ref _faults);

        public Task Faulted => _faulted.Task;

        public void Execute() => Throw();

        public void OnCallbackFault()
        {
            Interlocked.Increment(ref _faults);
            _faulted.TrySetResult();
            if (Throws)
            {
                Throw();
            }
        }
    }

    private sealed class ThrowingWatcher : IReceiveWatcher
    {
        public void OnReceiveUnobserved() => Throw();
    }

    private sealed class ThrowingSink : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line) => Throw();
    }

    private sealed class ThrowingLog : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Throw();
    }

    /// <summary>Throws once, what no stream should.</summary>
    private sealed class ThrowingStream(MemoryStream target) : Stream
    {
        public ManualResetEventSlim Threw { get; } = new();

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => target.Length;

        public override long Position
        {
            get => target.Position;
            set => target.Position = value;
        }

        public override void Flush() => target.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (!Threw.IsSet)
            {
                Threw.Set();
                throw new InvalidOperationException("injected");
            }

            target.Write(buffer, offset, count);
        }
    }
}
