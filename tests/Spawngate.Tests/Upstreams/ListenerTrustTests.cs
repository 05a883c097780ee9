using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;
using Spawngate.Upstreams;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>Who listens where a run is reached.</summary>
[Platform("Linux")]
[CancelAfter(30_000)]
internal sealed class ListenerTrustTests
{
    private const int Port = 8080; // 1F90
    private static readonly ListenerFinding Own = new(ListenerOwner.Instance, "");
    private static readonly ListenerFinding Strange = new(ListenerOwner.Stranger, "port 1 is held by pid 2 (x)");

    private static IEnumerable<TestCaseData> Reaches()
    {
        yield return new TestCaseData("127.0.0.1", new[] { "0100007F", "00000000" }, new long[] { 1 }).SetName(
            "That_very_address_is_nearer_than_all_addresses"
        );
        yield return new TestCaseData("127.0.0.1", new[] { "00000000", "00000000" }, new long[] { 1, 2 }).SetName(
            "All_that_share_a_port_may_get_a_connection"
        );
        yield return new TestCaseData("127.0.0.1", new[] { new string('0', 32), "00000000" }, new long[] { 2 }).SetName(
            "All_of_IPv4_is_nearer_than_all_of_both"
        );
        yield return new TestCaseData("127.0.0.1", new[] { new string('0', 32) }, new long[] { 1 }).SetName("All_of_both_takes_IPv4");
        yield return new TestCaseData("127.0.0.1", new[] { "0000000000000000FFFF00000100007F", "00000000" }, new long[] { 1 }).SetName(
            "An_address_in_IPv6_form_is_that_address"
        );
        yield return new TestCaseData("127.0.0.1", new[] { "00000000000000000000000001000000", "0200007F" }, Array.Empty<long>()).SetName(
            "Other_addresses_take_nothing"
        );
        yield return new TestCaseData(
            "::1",
            new[] { "00000000000000000000000001000000", new string('0', 32), "00000000" },
            new long[] { 1 }
        ).SetName("IPv6_is_taken_by_IPv6");
    }

    [TestCaseSource(nameof(Reaches))]
    public void The_sockets_that_get_a_connection_are_found(string address, string[] bound, long[] expected)
    {
        var found = new List<ListeningSocket>();
        var reach = new ListenerReach(IPAddress.Parse(address), found);
        for (int i = 0; i < bound.Length; i++)
        {
            ListenerTable.TakeLine(Line(bound[i], "1F90", "0A", i + 1), Port, ref reach);
            ListenerTable.TakeLine(Line("0100007F", "1F90", "01", 98), Port, ref reach);
            ListenerTable.TakeLine("  sl  local_address rem_address   st tx_queue"u8, Port, ref reach);
            ListenerTable.TakeLine(Line(bound[i], "1F91", "0A", 99), Port, ref reach);
        }

        Assert.That(found.Select(static socket => socket.Inode), Is.EqualTo(expected));
        Assert.That(found.Select(static socket => socket.Uid), Has.All.EqualTo(1000));
    }

    /// <summary>As gVisor lists them.</summary>
    [Test]
    public void One_that_listens_is_found_behind_all_that_do_not()
    {
        using var scene = new PlatformScene();
        string path = Path.Combine(scene.Folder, "tcp");
        IEnumerable<byte[]> connections = Enumerable
            .Range(1000, 2 * PlatformLimits.ListenerReadBytes / 150)
            .Select(static i => Line("0100007F", "1F90", "01", i));
        File.WriteAllLines(path, connections.Append(Line("0100007F", "1F90", "0A", 7)).Select(Encoding.ASCII.GetString));
        var found = new List<ListeningSocket>();
        var reach = new ListenerReach(IPAddress.Loopback, found);

        Assert.That(ListenerTable.TryRead(path, Port, ref reach), Is.True);

        Assert.That(found, Is.EqualTo(new[] { new ListeningSocket(7, 1000) }));
        Assert.That(InstanceListener.IsAvailable, Is.True);
    }

    [TestCase("127.0.0.1")]
    [TestCase("0.0.0.0")]
    [TestCase("::")]
    public void A_socket_that_listens_is_found_and_so_is_who_holds_it(string address)
    {
        using var listener = Listen(IPAddress.Parse(address));
        var found = new List<ListeningSocket>();

        Assert.That(ListenerTable.TryFind(new IPEndPoint(IPAddress.Loopback, PortOf(listener)), found), Is.True);

        Assert.That(found, Has.Count.EqualTo(1));
        Assert.That(found[0].Uid, Is.EqualTo(Libc.EffectiveUser()));
        Assert.That(SocketHolders.Holds(Environment.ProcessId, found[0]), Is.True);
        Assert.That(SocketHolders.Holds(Environment.ProcessId, found[0] with { Inode = 1 }), Is.False);
    }

    [Test]
    public void Nobody_is_found_where_nobody_listens()
    {
        using var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var found = new List<ListeningSocket>();
        Assert.That(ListenerTable.TryFind(new IPEndPoint(IPAddress.Loopback, PortOf(bound)), found), Is.True);
        Assert.That(found, Is.Empty);
    }

    [Test]
    public async Task What_this_process_listens_on_is_no_runs(CancellationToken cancel)
    {
        using var scene = new PlatformScene();
        var launcher = new ProcessLauncher(ChildEnvironment.Capture(), scene.Drain, new DroppedOutput(), TimeProvider.System);
        var config = new BackendConfig(new BackendTimings())
        {
            Route = new BackendRoute("app"),
            Settings = KindsInTests.Runs("/bin/sh"),
            Args = ["-c", "sleep 1000 & wait"],
        };
        LaunchResult launched = await launcher.LaunchAsync(
            new LaunchRequest(config, 1, 1, $"http://x/?token={new string('a', 2 * BackendLimits.ReadyTokenBytes)}"),
            cancel
        );
        using var listener = Listen(IPAddress.Loopback);
        int port = PortOf(listener);

        ListenerFinding strange = await launched.Workload!.FindListenerAsync(new IPEndPoint(IPAddress.Loopback, port));
        listener.Dispose();
        ListenerFinding nobody = await launched.Workload.FindListenerAsync(new IPEndPoint(IPAddress.Loopback, port));
        launched.Workload.Kill();
        await launched.Workload.Exited;

        Assert.That(strange.Owner, Is.EqualTo(ListenerOwner.Stranger));
        Assert.That(strange.Detail, Does.StartWith($"port {port} is held by pid {Environment.ProcessId} ("));
        Assert.That((nobody.Owner, nobody.IsGood), Is.EqualTo((ListenerOwner.Nobody, false)));
    }

    [Test]
    public async Task All_that_a_run_listens_on_is_found_and_nothing_of_others(CancellationToken cancel)
    {
        const string Script = """
            import socket, sys
            sockets = []
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "127.0.0.2")):
                sockets.append(socket.socket(family, socket.SOCK_STREAM))
                sockets[-1].bind((address, 0))
                sockets[-1].listen()
            with open(sys.argv[1] + "~", "w") as f: f.write(" ".join(str(s.getsockname()[1]) for s in sockets))
            import os, time
            os.rename(sys.argv[1] + "~", sys.argv[1])
            time.sleep(1000)
            """;
        Assume.That(File.Exists("/usr/bin/python3"), "needs python3");
        using var scene = new PlatformScene();
        using var stranger = Listen(IPAddress.Loopback);
        string file = Path.Combine(scene.Folder, "ports");
        var launcher = new ProcessLauncher(ChildEnvironment.Capture(), scene.Drain, new DroppedOutput(), TimeProvider.System);
        var config = new BackendConfig(new BackendTimings())
        {
            Route = new BackendRoute("app"),
            Settings = KindsInTests.Runs("/bin/sh"),
            Args = ["-c", "/usr/bin/python3 -c \"$0\" \"$1\"; :", Script, file],
        };
        LaunchResult launched = await launcher.LaunchAsync(
            new LaunchRequest(config, 1, 1, $"http://x/?token={new string('a', 2 * BackendLimits.ReadyTokenBytes)}"),
            cancel
        );
        Assert.That(() => File.Exists(file), Is.True.After(20_000, 5));
        int[] ports = [.. (await File.ReadAllTextAsync(file, cancel)).Split(' ').Select(int.Parse)];

        IReadOnlyList<IPEndPoint> found = await launched.Workload!.FindListenersAsync();
        launched.Workload.Kill();
        await launched.Workload.Exited;

        Assert.That(
            found,
            Is.EquivalentTo(
                new[]
                {
                    new IPEndPoint(IPAddress.Loopback, ports[0]),
                    new IPEndPoint(IPAddress.Loopback, ports[1]),
                    new IPEndPoint(IPAddress.Parse("127.0.0.2"), ports[2]),
                }
            )
        );
    }

    [Test]
    public async Task A_refusal_makes_it_unknown_again_also_when_it_comes_during_a_look()
    {
        var look = new TaskCompletionSource<ListenerFinding>();
        var told = new List<string>();
        var trust = new ListenerTrust(() => look.Task, told.Add);
        Assert.That(trust.IsKnown, Is.False);

        Task first = trust.LookAsync();
        trust.Doubt();
        look.SetResult(Own);
        await first;
        Assert.That(trust.IsKnown, Is.False, "the refusal was later than the look");

        await trust.LookAsync();
        Assert.That(trust.IsKnown, Is.True);
        trust.Doubt();
        look = new TaskCompletionSource<ListenerFinding>();
        look.SetResult(Strange);
        await trust.LookAsync();
        await trust.LookAsync();
        Assert.That((trust.IsKnown, trust.Stranger), Is.EqualTo((false, Strange.Detail)));
        Assert.That(told, Is.EqualTo(new[] { Strange.Detail }), "once for each stranger");
    }

    [Test]
    public async Task A_look_that_throws_finds_nobody()
    {
        var trust = new ListenerTrust(static () => throw new IOException("broken"), static _ => { });
        ListenerFinding finding = await trust.LookAsync();
        Assert.That((finding.Owner, trust.IsKnown), Is.EqualTo((ListenerOwner.Nobody, false)));
    }

    [Test]
    public async Task A_probe_sends_nothing_to_a_stranger(CancellationToken cancel)
    {
        using var server = new ProbeServer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        var findings = new Queue<ListenerFinding>([Strange, Strange, new ListenerFinding(ListenerOwner.Nobody, "nobody"), Own]);
        var trust = new ListenerTrust(
            () =>
            {
                Assert.That(server.Requests, Is.Empty);
                return Task.FromResult(findings.Dequeue());
            },
            static _ => { }
        );
        using var place = new ProbePlace(server.EndPoint, trust: trust);
        using var probe = new HealthProbe(place.Target(), TimeProvider.System);

        await probe.WaitUntilReadyAsync(static () => { }, cancel);

        Assert.That(findings, Is.Empty);
        Assert.That((server.Requests.Count, server.Connections), Is.EqualTo((1, 4)));
    }

    [Test]
    public async Task A_check_that_cannot_know_who_listens_says_nothing_about_the_run(CancellationToken cancel)
    {
        using var server = new ProbeServer();
        var findings = new Queue<ListenerFinding>([new ListenerFinding(ListenerOwner.Nobody, "not in this moment"), Strange]);
        var trust = new ListenerTrust(() => Task.FromResult(findings.Dequeue()), static _ => { });
        using var place = new ProbePlace(server.EndPoint, trust: trust);
        using var probe = new HealthProbe(place.Target(), TimeProvider.System);

        Assert.That(await probe.CheckAsync(10_000, cancel), Is.EqualTo(new ProbeResult(false, "not in this moment") { WasAsked = false }));
        Assert.That(await probe.CheckAsync(10_000, cancel), Is.EqualTo(new ProbeResult(false, Strange.Detail)));
    }

    [Test]
    public async Task Only_a_refusal_makes_a_check_doubt_who_listens(CancellationToken cancel)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        var endPoint = (IPEndPoint)listener.LocalEndPoint!;
        var trust = new ListenerTrust(static () => Task.FromResult(Own), static _ => { });
        await trust.LookAsync();
        using var place = new ProbePlace(endPoint, trust: trust);
        using var probe = new HealthProbe(place.Target(), TimeProvider.System);

        // A queue of one that is full: the kernel answers no more.
        var late = new ProbeResult(true, "");
        var fillers = new List<Socket>();
        while (late.Healthy)
        {
            fillers.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            _ = fillers[^1].ConnectAsync(endPoint, cancel);
            late = await probe.CheckAsync(50, cancel);
        }

        fillers.ForEach(static filler => filler.Dispose());
        Assert.That((late.Detail, trust.IsKnown), Is.EqualTo(("no connection in time", true)));
        listener.Dispose();
        Assert.That((await probe.CheckAsync(10_000, cancel)).Detail, Is.EqualTo("connection refused"));
        Assert.That(trust.IsKnown, Is.False);
    }

    [Test]
    public void A_callback_counts_only_once_the_run_listens_itself()
    {
        using var stage = new LifecycleStage();
        var waiter = stage.ToLaunching();
        stage.Launcher.Last.Succeed(find: static () => Task.FromResult(Strange));
        stage.Settle();
        Assert.That(stage.Probe.HasItsWord, Is.False);

        stage.Backend.ReportReady(null, true);
        stage.Settle();
        Assert.That((stage.Phase, stage.Probe.HasItsWord), Is.EqualTo((BackendPhase.Starting, true)), "the probe looks who listens");

        stage.Probe.Ready();
        stage.Settle();
        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Ready));
        Assert.That(LifecycleStage.Outcome(waiter), Is.EqualTo("Admitted"));
        Assert.That(stage.Backend.GetStatus().LastStart!.Signal, Is.EqualTo(ReadySignal.Callback));
    }

    [Test]
    public async Task Of_a_run_that_says_it_is_ready_only_who_listens_is_looked_at(CancellationToken cancel)
    {
        using var server = new ProbeServer("HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n");
        var findings = new Queue<ListenerFinding>([Strange, Strange, Own]);
        var told = new List<string>();
        using var place = new ProbePlace(server.EndPoint, trust: new ListenerTrust(() => Task.FromResult(findings.Dequeue()), told.Add));
        using var probe = new HealthProbe(place.Target(), TimeProvider.System);
        probe.TakeItsWord();

        ReadyFinding found = await probe.WaitUntilReadyAsync(static () => { }, cancel);

        Assert.That((found.ByItsWord, found.Place), Is.EqualTo((true, place.Pool)));
        Assert.That((findings.Count, server.Requests.Count, told.Count), Is.EqualTo((0, 0, 1)));
    }

    [Test]
    public void A_pool_in_doubt_has_no_connection_used_until_it_is_known_again()
    {
        using var clock = new Runtime.CoarseClock(new FakeTime());
        var trust = new ListenerTrust(static () => Task.FromResult(Own), static _ => { });
        var pool = new UpstreamPool(new IPEndPoint(IPAddress.Loopback, 1), 1, 1000, clock) { Trust = trust };
        Assert.That(pool.IsTrusted, Is.False);

        pool.Mistrust(refused: false);

        Assert.That(() => pool.IsTrusted, Is.True.After(10_000, 1));
        pool.Mistrust(refused: true);
        Assert.That(pool.IsTrusted, Is.False);
        Assert.That(new UpstreamPool(new IPEndPoint(IPAddress.Loopback, 1), 1, 1000, clock).IsTrusted, Is.True, "where nobody can tell");
    }

    private static byte[] Line(string address, string port, string state, int inode) =>
        Encoding.ASCII.GetBytes(
            $"   0: {address}:{port} {new string('0', address.Length)}:0000 {state} 00000000:00000000 00:00000000 00000000  "
                + $"1000        0 {inode} 1 0000000000000000 100 0 0 10 0"
        );

    private static Socket Listen(IPAddress address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            socket.DualMode = true;
        }

        socket.Bind(new IPEndPoint(address, 0));
        socket.Listen();
        return socket;
    }

    private static int PortOf(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;

    private sealed class DroppedOutput : Logging.IOutputSink
    {
        public void OnLine(string hostname, Logging.OutputStream stream, ReadOnlyMemory<byte> line) { }
    }
}
