using System.Net.Sockets;
using System.Text;
using Spawngate.Supervision;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Notices to a service manager, and its watchdog.</summary>
[Platform("Linux,MacOsX")]
internal sealed class SupervisorTests
{
    private string _path = "";
    private Socket _receiver = null!;
    private RecordingLog _log = null!;

    [SetUp]
    public void SetUp()
    {
        _path = Path.Combine(Path.GetTempPath(), $"spawngate-notify-{Guid.NewGuid():N}");
        _receiver = Bind();
        _log = new RecordingLog();
    }

    [TearDown]
    public void TearDown()
    {
        _receiver.Dispose();
        File.Delete(_path);
    }

    private Socket Bind()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_path));
        return socket;
    }

    private Supervisor Make(TimeProvider? time = null, params (string Name, string Value)[] variables)
    {
        var all = variables.Append(("NOTIFY_SOCKET", _path)).ToDictionary(pair => pair.Item1, pair => pair.Item2);
        return Supervisor.FromEnvironment(all.GetValueOrDefault, _log, time ?? TimeProvider.System);
    }

    private string[] Received()
    {
        var all = new List<string>();
        byte[] buffer = new byte[4096];
        while (_receiver.Poll(0, SelectMode.SelectRead))
        {
            all.Add(Encoding.UTF8.GetString(buffer, 0, _receiver.Receive(buffer)).Split('\n')[0]);
        }

        return [.. all];
    }

    [Test]
    public async Task Every_notice_is_sent_in_its_stage_only()
    {
        using var supervisor = Make();
        await supervisor.ReloadingAsync();
        await supervisor.ReloadedAsync("early");
        Assert.That(Received(), Is.Empty, "not ready yet");

        await supervisor.ReadyAsync("a");
        await supervisor.ReadyAsync("again");
        await supervisor.ReloadedAsync("no reload");
        Assert.That(Received(), Is.EqualTo(new[] { "READY=1" }));

        await supervisor.ReloadingAsync();
        await supervisor.ReloadedAsync("b");
        await supervisor.ReloadingAsync();
        await supervisor.StoppingAsync("c", TimeSpan.FromSeconds(1));
        await supervisor.ReloadedAsync("too late");
        await supervisor.ReloadingAsync();
        await supervisor.ReadyAsync("too late");
        Assert.That(Received(), Is.EqualTo(new[] { "RELOADING=1", "READY=1", "RELOADING=1", "STOPPING=1" }));
    }

    [Test]
    public async Task A_stop_before_it_was_ready_is_told()
    {
        using var supervisor = Make();
        await supervisor.StoppingAsync("a", TimeSpan.FromSeconds(1));
        await supervisor.ReadyAsync("b");

        Assert.That(Received(), Is.EqualTo(new[] { "STOPPING=1" }));
    }

    [Test]
    public async Task A_receiver_that_was_started_anew_is_found_again()
    {
        using var supervisor = Make();
        await supervisor.ReadyAsync("a");
        _receiver.Dispose();
        File.Delete(_path);
        _receiver = Bind();

        await supervisor.AliveAsync();

        Assert.That(Received(), Is.EqualTo(new[] { "WATCHDOG=1" }));
        Assert.That(_log.Records, Is.Empty);
    }

    [Test]
    public async Task A_lost_notice_is_reported_once()
    {
        using var supervisor = Make();
        _receiver.Dispose();
        File.Delete(_path);

        await supervisor.ReadyAsync("a");
        await supervisor.AliveAsync();
        await supervisor.AliveAsync();

        Assert.That(_log.Records, Has.Count.EqualTo(1));
        Assert.That(_log.Records[0].Text, Does.Contain("was lost"));
    }

    [Test]
    public async Task A_receiver_that_is_behind_gets_everything_once_it_reads()
    {
        using var supervisor = Make();
        const int Notices = 100; // More than a datagram socket queues.

        Task[] sent = [.. Enumerable.Range(0, Notices).Select(_ => supervisor.AliveAsync())];
        Assert.That(sent.Count(task => !task.IsCompleted), Is.Positive, "the queue is full");
        int received = 0;
        byte[] buffer = new byte[64];
        while (received < Notices)
        {
            await _receiver.ReceiveAsync(buffer).WaitAsync(PlatformScene.Patience);
            received++;
        }

        await Task.WhenAll(sent).WaitAsync(PlatformScene.Patience);
        Assert.That(_log.Records, Is.Empty);
    }

    [Test]
    public async Task Without_a_service_manager_nobody_is_told()
    {
        using var supervisor = Supervisor.FromEnvironment(_ => null, _log, TimeProvider.System);
        await supervisor.ReadyAsync("a");
        await supervisor.StoppingAsync("b", TimeSpan.Zero);

        Assert.That((supervisor.WatchdogTimeout, _log.Records.Count), Is.EqualTo(((TimeSpan?)null, 0)));
    }

    [TestCase("30000000", null, 30_000)]
    [TestCase("1", null, 0.001)]
    [TestCase("0", null, null)]
    [TestCase("-5", null, null)]
    [TestCase("soon", null, null)]
    [TestCase("99999999999999999999", null, null)]
    [TestCase(null, null, null)]
    [TestCase("30000000", "1", null)]
    [TestCase("30000000", "own", 30_000)]
    public void The_watchdog_time_is_read_if_it_is_ours(string? usec, string? pid, double? expectedMs)
    {
        var variables = new List<(string, string)>();
        if (usec is not null)
        {
            variables.Add(("WATCHDOG_USEC", usec));
        }

        if (pid is not null)
        {
            variables.Add(("WATCHDOG_PID", pid == "own" ? $"{Environment.ProcessId}" : pid));
        }

        using var supervisor = Make(null, [.. variables]);

        Assert.That(supervisor.WatchdogTimeout?.TotalMilliseconds, Is.EqualTo(expectedMs));
    }

    [Test]
    public async Task The_watchdog_vouches_at_half_of_its_time_for_what_lives_only()
    {
        var time = new FakeTime();
        using var supervisor = Make(time, ("WATCHDOG_USEC", "30000000"));
        var asked = new SemaphoreSlim(0);
        TaskCompletionSource<string?>? answer = null;
        await using var watchdog = new Watchdog(
            supervisor,
            limit =>
            {
                answer = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
                limit.Register(() => answer.TrySetResult("silence"));
                asked.Release();
                return answer.Task;
            },
            _log,
            time
        );

        time.AdvanceMs(14_999);
        Assert.That(asked.CurrentCount, Is.Zero);
        time.AdvanceMs(1);
        await asked.WaitAsync().WaitAsync(PlatformScene.Patience);
        Assert.That(Received(), Is.Empty, "nothing is said before it was looked");
        answer!.SetResult(null);
        await ReceiveAsync("WATCHDOG=1");

        time.AdvanceMs(15_000);
        await asked.WaitAsync().WaitAsync(PlatformScene.Patience);
        time.AdvanceMs(15_000); // Silence until the next look is due.
        await asked.WaitAsync().WaitAsync(PlatformScene.Patience);
        Assert.That(Received(), Is.Empty, "it is not vouched for");
        Assert.That(_log.Records.Select(record => record.Text), Has.One.Contains("fault=\"silence\""));
        answer.SetResult(null);
        await ReceiveAsync("WATCHDOG=1");
    }

    private async Task ReceiveAsync(string expected)
    {
        byte[] buffer = new byte[64];
        int length = await _receiver.ReceiveAsync(buffer).WaitAsync(PlatformScene.Patience);
        Assert.That(Encoding.UTF8.GetString(buffer, 0, length), Is.EqualTo(expected));
    }
}
