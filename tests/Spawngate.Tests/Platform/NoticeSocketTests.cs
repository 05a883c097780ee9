using System.Net.Sockets;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux")]
internal sealed class NoticeSocketTests
{
    private const int Nobody = 65534;

    private PlatformScene _scene = null!;
    private NoticeSocket _socket = null!;
    private Notices _notices = null!;

    [SetUp]
    public void SetUp()
    {
        _scene = new PlatformScene();
        _socket = NoticeSocket.Open()!;
        _notices = new Notices();
    }

    [TearDown]
    public void TearDown() => _scene.Dispose();

    /// <summary>Sends a notice as a program does.</summary>
    public static void Send(string address, string notice)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint($"\0{address[1..]}"));
        socket.Send(System.Text.Encoding.UTF8.GetBytes(notice));
    }

    [Test]
    public async Task Notices_are_read_line_by_line_also_those_that_came_early()
    {
        Send(_socket.Address, "MAINPID=1\nSTATUS=Loading \u001b[1mmodels\u001b[0m\u0007");
        Begin(Environment.ProcessId);
        Assert.That(await _notices.NextStatusAsync(), Is.EqualTo("Loading models\\x07"));
        Send(_socket.Address, "");
        Send(_socket.Address, "READY=0\nXREADY=1\nREADY=1 \nREADY");
        Send(_socket.Address, "READY=1\n" + new string('x', PlatformLimits.NoticeBytes));
        Send(_socket.Address, "STATUS=" + new string('ü', 1000) + "\n");
        Assert.That(await _notices.NextStatusAsync(), Is.EqualTo(new string('ü', PlatformLimits.NoticeStatusBytes / 2)));
        Assert.That(_notices.Ready, Is.Zero, "none of these said so");
        Send(_socket.Address, "READY=1");
        Send(_socket.Address, "READY=1\nSTATUS=up");
        await _notices.NextStatusAsync();
        Assert.That(_notices.Ready, Is.EqualTo(2));
    }

    [Test]
    public async Task It_is_closed_with_its_instance()
    {
        long counted = DescriptorBudget.Shared.Count(DescriptorUse.Child);
        Begin(Environment.ProcessId);
        Assert.That(DescriptorBudget.Shared.Count(DescriptorUse.Child), Is.EqualTo(counted + 1));
        await _socket.FinishAsync().WaitAsync(PlatformScene.Patience);
        Assert.That(DescriptorBudget.Shared.Count(DescriptorUse.Child), Is.EqualTo(counted));
        Assert.That(() => Send(_socket.Address, "READY=1"), Throws.InstanceOf<SocketException>());
    }

    [Test]
    public void Two_have_different_names()
    {
        NoticeSocket other = NoticeSocket.Open()!;
        Assert.That(other.Address, Is.Not.EqualTo(_socket.Address).And.StartsWith($"@{NoticeSocket.Prefix}"));
        other.Abandon();
    }

    [Test]
    public async Task Another_user_says_nothing_unless_the_leader_acts_as_that_user()
    {
        if (Libc.EffectiveUser() != 0)
        {
            Assert.Ignore("only root can be somebody else");
        }

        Begin(Environment.ProcessId);
        await RunPythonAsync("os.setuid(65534)\ns.send(b'READY=1\\nSTATUS=forged')");
        Send(_socket.Address, "STATUS=genuine");
        Assert.That(await _notices.NextStatusAsync(), Is.EqualTo("genuine"));
        Assert.That(_notices.Ready, Is.Zero);
        await _socket.FinishAsync().WaitAsync(PlatformScene.Patience);

        _socket = NoticeSocket.Open()!;
        PlatformScene.Child leader = _scene.Start(
            "python3",
            "-c",
            $"import os, time; os.setuid({Nobody}); print('up', flush=True); time.sleep(1000)"
        );
        await leader.Output.Next(static line => line == "up");
        Begin(leader.Process.Pid);
        await RunPythonAsync("os.setuid(65534)\ns.send(b'STATUS=as the leader')");
        Assert.That(await _notices.NextStatusAsync(), Is.EqualTo("as the leader"));
    }

    [Test]
    public async Task Descriptors_that_come_along_are_closed_which_a_sender_may_wait_for()
    {
        Begin(Environment.ProcessId);
        await RunPythonAsync(
            """
            s.send(b'READY=1')
            r, w = os.pipe()
            socket.send_fds(s, [b'BARRIER=1'], [w])
            os.close(w)
            os.read(r, 1)
            """
        );
        Assert.That(_notices.Ready, Is.EqualTo(1));
    }

    private void Begin(int leader) => _socket.Begin(leader, _scene.Drain, _notices);

    private async Task RunPythonAsync(string script)
    {
        string connect =
            "import os, socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n" + $"s.connect('\\0{_socket.Address[1..]}')\n";
        PlatformScene.Child child = _scene.Start("python3", "-c", connect + script);
        WaitStatus status = await child.End();
        Assert.That(status.ExitCode, Is.Zero, string.Join('\n', child.Errors.Lines));
    }

    private sealed class Notices : INoticeSink
    {
        private readonly System.Threading.Channels.Channel<string> _status = System.Threading.Channels.Channel.CreateBounded<string>(100);
        private int _ready;

        public int Ready => Volatile.Read(ref _ready);

        public void OnReady() => Interlocked.Increment(ref _ready);

        public void OnStatus(string status) => _status.Writer.TryWrite(status);

        public async Task<string> NextStatusAsync() => await _status.Reader.ReadAsync().AsTask().WaitAsync(PlatformScene.Patience);
    }
}
