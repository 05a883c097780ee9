using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Clients;
using Spawngate.Config;
using Spawngate.Forwarding;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Supervision;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Sockets that a service manager passed, what they are used for, and whether the proxy on them lives.</summary>
[Platform("Linux,MacOsX")]
internal sealed class PassedSocketTests
{
    private readonly List<Socket> _listeners = [];
    private readonly List<PassedSocket> _taken = [];

    [TearDown]
    public void TearDown()
    {
        _taken.ForEach(static socket => socket.Dispose());
        _listeners.ForEach(static socket => socket.Dispose());
        _taken.Clear();
        _listeners.Clear();
    }

    private static string? Variables(string name, int count, string names) =>
        name switch
        {
            "LISTEN_FDS" => $"{count}",
            "LISTEN_PID" => $"{Environment.ProcessId}",
            "LISTEN_FDNAMES" => names,
            _ => null,
        };

    /// <summary>A listening socket as a service manager would pass it: a copy of ours, which stays open.</summary>
    private PassedSocket Pass(string name = "")
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listeners.Add(listener);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(16);
        int copy = Libc.Dup((int)listener.Handle);
        PassedSocket taken = PassedSocket.TakeAll(variable => Variables(variable, 1, name), copy).Single();
        _taken.Add(taken);
        return taken;
    }

    private static int PortOf(PassedSocket socket) => ((IPEndPoint)socket.Address).Port;

    [Test]
    public void A_passed_socket_is_taken_with_its_name_and_closed_without_its_other_holder_noticing()
    {
        PassedSocket passed = Pass("web");
        Assert.That((passed.Name, passed.Address), Is.EqualTo(("web", _listeners[0].LocalEndPoint)));

        passed.Dispose();
        passed.Dispose();

        Assert.That(_listeners[0].GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection), Is.EqualTo(1));
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(_listeners[0].LocalEndPoint!);
        using Socket accepted = _listeners[0].Accept();
        Assert.That(accepted.LingerState!.Enabled, Is.False);
    }

    [TestCase("0")]
    [TestCase(null)]
    public void None_is_none(string? count) =>
        Assert.That(PassedSocket.TakeAll(name => name == "LISTEN_FDS" ? count : Variables(name, 0, "")), Is.Empty);

    [TestCase("many")]
    [TestCase("-1")]
    [TestCase("1025")]
    public void A_senseless_number_is_refused(string count) =>
        Assert.That(
            () => PassedSocket.TakeAll(name => name == "LISTEN_FDS" ? count : Variables(name, 0, "")),
            Throws.InstanceOf<CannotRunException>().With.Message.Contains($"\"{count}\"")
        );

    [Test]
    public void A_descriptor_that_is_no_socket_is_refused()
    {
        using FileStream file = File.OpenRead(typeof(PassedSocketTests).Assembly.Location);
        int copy = Libc.Dup((int)file.SafeFileHandle.DangerousGetHandle());

        Assert.That(
            () => PassedSocket.TakeAll(name => Variables(name, 1, "x"), copy),
            Throws.InstanceOf<CannotRunException>().With.Message.Contains($"descriptor {copy} (\"x\"")
        );
        Descriptors.Close(copy);
    }

    [Test]
    public void Names_decide_then_the_admin_port()
    {
        PassedSocket first = Pass("anything"),
            second = Pass("admin"),
            third = Pass();
        var server = new ServerConfig { Port = 80, AdminPort = PortOf(third) };

        SocketUse use = SocketUse.Decide([first, second, third], server);
        Assert.That((use.Admin, use.Proxy), Is.EqualTo((second, new[] { first, third })));

        use = SocketUse.Decide([first, third], server);
        Assert.That((use.Admin, use.Proxy), Is.EqualTo((third, new[] { first })));

        ServerConfig inForce = use.InForce(server);
        Assert.That((inForce.Bind, inForce.Port, inForce.AdminPort), Is.EqualTo((IPAddress.Loopback, PortOf(first), PortOf(third))));
    }

    [Test]
    public void A_socket_named_proxy_is_the_proxys_whatever_its_port()
    {
        PassedSocket socket = Pass("proxy");

        SocketUse use = SocketUse.Decide([socket], new ServerConfig { AdminPort = PortOf(socket) });

        Assert.That((use.Admin, use.Proxy), Is.EqualTo(((PassedSocket?)null, new[] { socket })));
    }

    [Test]
    public void Two_admin_sockets_are_refused() =>
        Assert.That(() => SocketUse.Decide([Pass("admin"), Pass("admin")], new ServerConfig()), Throws.InstanceOf<CannotRunException>());

    [Test]
    public void Without_sockets_everything_is_as_configured()
    {
        var server = new ServerConfig();
        var log = new RecordingLog();

        SocketUse use = SocketUse.Decide([], server);
        use.Report(server, log);

        Assert.That((use.Admin, use.Proxy.Count, use.InForce(server), log.Records.Count), Is.EqualTo(((PassedSocket?)null, 0, server, 0)));
    }

    [Test]
    public void Only_addresses_that_the_file_does_not_name_are_a_warning()
    {
        PassedSocket first = Pass(),
            second = Pass();
        var log = new RecordingLog();

        SocketUse
            .Decide([first, second], new ServerConfig { Bind = IPAddress.Loopback, Port = PortOf(second) })
            .Report(new ServerConfig { Bind = IPAddress.Loopback, Port = PortOf(second) }, log);
        Assert.That(log.Records.Select(record => record.Level), Is.EqualTo(new[] { LogLevel.Information, LogLevel.Information }));

        SocketUse.Decide([first], new ServerConfig()).Report(new ServerConfig(), log);
        Assert.That(log.Records[^1].Level, Is.EqualTo(LogLevel.Warning));
        Assert.That(log.Records[^1].Text, Does.Contain($"address=\"{first.Address}\"").And.Contain("configured=\"0.0.0.0:80\""));
    }

    [Test]
    public void What_a_service_manager_told_us_is_not_inherited()
    {
        byte[][] entries =
        [
            .. new[]
            {
                "NOTIFY_SOCKET=/run/x",
                "PATH=/bin",
                "WATCHDOG_USEC=1",
                "WATCHDOG_PID=2",
                "LISTEN_FDS=1",
                "LISTEN_PID=2",
                "LISTEN_FDNAMES=a",
                "LISTEN_PIDFDID=3",
                "FDSTORE=1",
                "NOTIFY_SOCKET_2=y",
            }.Select(Encoding.UTF8.GetBytes),
        ];

        string[] inherited = [.. ChildEnvironment.Of(entries).With([]).Select(Encoding.UTF8.GetString)];
        string[] own =
        [
            .. ChildEnvironment.Of(entries).With([new KeyValuePair<string, string>("LISTEN_FDS", "7")]).Select(Encoding.UTF8.GetString),
        ];

        Assert.That(inherited, Is.EqualTo(new[] { "PATH=/bin", "NOTIFY_SOCKET_2=y" }));
        Assert.That(own, Does.Contain("LISTEN_FDS=7"), "what a backend's own table sets is not withheld");
    }

    [Test]
    public async Task A_gateway_that_accepts_and_answers_lives()
    {
        using Proxy proxy = await Proxy.MakeAsync(Pass());
        proxy.Listener.Start();
        using var check = proxy.Check();

        Assert.That(await proxy.FindFaultAsync(check), Is.Null);
        Assert.That(proxy.Log.Records, Has.None.Matches<(LogLevel Level, string Text)>(record => record.Level > LogLevel.Debug));
    }

    [Test]
    public async Task A_gateway_that_does_not_accept_does_not_live()
    {
        using Proxy proxy = await Proxy.MakeAsync(Pass());
        using var check = proxy.Check();
        using var limit = new CancellationTokenSource();
        Task<string?> fault = check.FindFaultAsync(limit.Token);
        proxy.Time.AdvanceMs(RuntimeLimits.ClockTickMs);

        // The question waits in the queue, unanswered, until silence counts.
        Assert.That(_listeners[0].Poll(PlatformScene.Patience, SelectMode.SelectRead), Is.True);
        await limit.CancelAsync();

        Assert.That(await fault, Does.EndWith("does not answer"));
    }

    [Test]
    public async Task A_clock_that_stands_still_does_not_live()
    {
        using Proxy proxy = await Proxy.MakeAsync(Pass());
        proxy.Listener.Start();
        using var check = proxy.Check();
        using var limit = new CancellationTokenSource();
        Task<string?> fault = check.FindFaultAsync(limit.Token);
        await limit.CancelAsync();

        Assert.That(await fault, Is.EqualTo("the clock stands still"));
    }

    [Test]
    public async Task A_gateway_that_cannot_be_asked_is_not_declared_dead_unless_it_answered_before()
    {
        using Proxy proxy = await Proxy.MakeAsync(Pass());
        proxy.Listener.Start();
        using var never = proxy.Check();
        using var once = proxy.Check();
        Assert.That(await proxy.FindFaultAsync(once), Is.Null);
        _listeners[0].Shutdown(SocketShutdown.Both); // Nothing listens any more, and the gateway does not know.

        Assert.That(await proxy.FindFaultAsync(never), Is.Null);
        Assert.That(await proxy.FindFaultAsync(never), Is.Null);
        Assert.That(
            proxy.Log.Records.Where(record => record.Text.Contains("cannot be reached", StringComparison.Ordinal)).ToList(),
            Has.Count.EqualTo(1)
        );
        Assert.That(await proxy.FindFaultAsync(once), Is.Not.Null);
    }

    [Test]
    public async Task A_gateway_that_stops_is_not_asked()
    {
        using Proxy proxy = await Proxy.MakeAsync(Pass());
        proxy.Listener.Start();
        using var check = proxy.Check();
        await proxy.Listener.StopAsync();

        Assert.That(await proxy.FindFaultAsync(check), Is.Null);
        Assert.That(_listeners[0].Poll(0, SelectMode.SelectRead), Is.False, "nobody connected");
    }

    /// <summary>The proxy of a gateway without backends.</summary>
    private sealed class Proxy : IDisposable
    {
        private readonly ReadyBackends _backends;
        private readonly ClientConnections _connections;

        private Proxy(PassedSocket socket, ReadyBackends backends, FakeTime time)
        {
            _backends = backends;
            Time = time;
            _connections = new ClientConnections(backends.Clock);
            Listener = new ClientListener(
                new ForwardingContext(new ServerConfig(), backends.Set, time, backends.Clock, NullLogger.Instance),
                _connections,
                [socket]
            );
        }

        public FakeTime Time { get; }

        public RecordingLog Log { get; } = new();

        public ClientListener Listener { get; }

        public static async Task<Proxy> MakeAsync(PassedSocket socket)
        {
            var time = new FakeTime();
            return new Proxy(socket, await ReadyBackends.StartAsync(time, NullLogger.Instance, new ServerConfig()), time);
        }

        public LivenessCheck Check() => new(_backends.Clock, Listener, Log);

        public async Task<string?> FindFaultAsync(LivenessCheck check)
        {
            Task<string?> fault = check.FindFaultAsync(CancellationToken.None);
            Time.AdvanceMs(RuntimeLimits.ClockTickMs);
            return await fault.WaitAsync(PlatformScene.Patience);
        }

        public void Dispose()
        {
            _connections.AbortAll();
            _connections.Dispose();
            _backends.Dispose();
        }
    }
}
