using System.Net;
using System.Net.Sockets;
using Spawngate.Backends.Probing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>The health probe against real loopback sockets.</summary>
[CancelAfter(30_000)]
internal sealed class HealthProbeTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Test]
    public async Task Is_ready_at_the_first_2xx_and_sends_host_and_path(CancellationToken cancel)
    {
        using var server = new ProbeServer(Ok);
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        var listening = 0;
        await probe.WaitUntilReadyAsync(() => listening++, cancel);
        Assert.That(listening, Is.EqualTo(1));
        Assert.That(server.Requests[0], Does.StartWith("GET /health HTTP/1.1\r\nHost: app.example.com\r\n").And.EndsWith("\r\n\r\n"));
    }

    [Test]
    public async Task Reuses_its_connection(CancellationToken cancel)
    {
        using var server = new ProbeServer(Ok, Ok, Ok);
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That((await probe.CheckAsync(1000, cancel)).Healthy, Is.True);
        Assert.That((await probe.CheckAsync(1000, cancel)).Healthy, Is.True);
        Assert.That(server.Connections, Is.EqualTo(1));
    }

    [TestCase("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", true)]
    [TestCase("HTTP/1.0 200 OK\r\n\r\nbody", true)]
    [TestCase("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true)]
    [TestCase("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true)]
    [TestCase("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", false)]
    [TestCase("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", false)]
    [TestCase("HTTP/1.1 2000 OK\r\n\r\n", false)]
    [TestCase("SSH-2.0-OpenSSH\r\n\r\n", false)]
    public async Task Reads_answers_conservatively(string answer, bool healthy, CancellationToken cancel)
    {
        using var server = new ProbeServer(answer, Ok) { CloseAfterAnswer = true };
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        Assert.That((await probe.CheckAsync(2000, cancel)).Healthy, Is.EqualTo(healthy));
        Assert.That((await probe.CheckAsync(2000, cancel)).Healthy, Is.True);
    }

    [TestCase("\x15\x03\x01\0\x02\x02\n", "the backend speaks TLS on this port")]
    [TestCase("\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x40", "the backend speaks HTTP/2 on this port, not HTTP/1.1")]
    [TestCase("SSH-2.0-OpenSSH\r\n", "sent no HTTP response")]
    public async Task Another_protocol_is_called_by_its_name(string answer, string detail, CancellationToken cancel)
    {
        using var server = new ProbeServer(answer) { CloseAfterAnswer = true };
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        Assert.That((await probe.CheckAsync(10_000, cancel)).Detail, Is.EqualTo(detail));
    }

    [Test]
    public async Task A_non_2xx_is_asked_again_until_it_is_healthy(CancellationToken cancel)
    {
        using var server = new ProbeServer(
            "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n",
            Ok
        );
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That(server.Requests, Has.Count.EqualTo(3));
    }

    [Test]
    public async Task A_connection_that_the_backend_closed_meanwhile_does_not_fail_a_check(CancellationToken cancel)
    {
        using var server = new ProbeServer(Ok, Ok) { CloseAfterAnswer = true };
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        Assert.That((await probe.CheckAsync(1000, cancel)).Healthy, Is.True);
        Assert.That((await probe.CheckAsync(1000, cancel)).Healthy, Is.True);
        Assert.That(server.Connections, Is.EqualTo(2));
    }

    [Test]
    public async Task A_hanging_endpoint_fails_the_check_in_time(CancellationToken cancel)
    {
        using var server = new ProbeServer();
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        var result = await probe.CheckAsync(50, cancel);
        Assert.That(result, Is.EqualTo(new ProbeResult(false, "GET /health got no answer within 50 ms") { IsSilent = true }));
    }

    [Test]
    public async Task A_refused_connection_is_retried_quickly(CancellationToken cancel)
    {
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var endPoint = (IPEndPoint)reserved.LocalEndPoint!;
        using var place = new ProbePlace(endPoint);
        using var probe = Probe(place, retryMs: 60_000);
        Assert.That(await probe.CheckAsync(1000, cancel), Is.EqualTo(new ProbeResult(false, "connection refused") { IsRefused = true }));
        var ready = probe.WaitUntilReadyAsync(static () => { }, cancel);
        reserved.Dispose();
        using var server = new ProbeServer(endPoint, Ok);
        await ready;
        Assert.That(server.Requests, Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Without_a_path_accepting_is_enough(CancellationToken cancel)
    {
        using var server = new ProbeServer();
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place, path: "");
        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That((await probe.CheckAsync(1000, cancel)).Healthy, Is.True);
        Assert.That(server.Requests, Is.Empty);
    }

    /// <summary>Docker listens in the place of a container, and closes what it cannot forward.</summary>
    [TestCase("/health")]
    [TestCase("")]
    public async Task A_forwarder_with_nobody_behind_it_counts_as_refused(string path, CancellationToken cancel)
    {
        using var forwarder = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        forwarder.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        forwarder.Listen();
        using var place = new ProbePlace((IPEndPoint)forwarder.LocalEndPoint!, isForwarded: true);
        using var probe = new HealthProbe(place.Target(path, 5), TimeProvider.System);
        var listening = 0;
        var ready = probe.WaitUntilReadyAsync(() => listening++, cancel);
        for (var closed = 0; closed < 3; closed++)
        {
            (await forwarder.AcceptAsync(cancel)).Dispose();
        }

        using var accepted = await forwarder.AcceptAsync(cancel);
        Assert.That((listening, ready.IsCompleted), Is.EqualTo((0, false)));
        if (path.Length > 0)
        {
            await accepted.ReceiveAsync(new byte[1024].AsMemory(), cancel);
            await accepted.SendAsync(System.Text.Encoding.ASCII.GetBytes(Ok).AsMemory(), cancel);
        }

        await ready;
        Assert.That(listening, Is.EqualTo(1));
    }

    /// <summary>In time that stands still, so that nothing but the instance's own address can say that it listens.</summary>
    [Test]
    public async Task Behind_a_forwarder_the_run_itself_is_asked_whether_it_listens(CancellationToken cancel)
    {
        using var forwarder = new ProbeServer();
        using var instance = new ProbeServer();
        using var place = new ProbePlace(forwarder.EndPoint, isForwarded: true);
        var target = place.Target("", 60_000) with { Behind = instance.EndPoint };
        using var probe = new HealthProbe(target, new FakeTime());
        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        await instance.Accepted.WaitAsync(cancel);
    }

    [Test]
    public async Task A_run_that_refuses_behind_a_forwarder_leaves_the_word_to_it(CancellationToken cancel)
    {
        using var forwarder = new ProbeServer();
        using var nobody = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        nobody.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using var place = new ProbePlace(forwarder.EndPoint, isForwarded: true);
        var target = place.Target("", 60_000) with { Behind = (IPEndPoint)nobody.LocalEndPoint! };
        var time = new FakeTime();
        using var probe = new HealthProbe(target, time);
        var ready = probe.WaitUntilReadyAsync(static () => { }, cancel);
        await forwarder.Accepted.WaitAsync(cancel);
        while (!ready.IsCompleted)
        {
            time.AdvanceMs(1);
            await Task.Yield();
        }

        await ready;
        Assert.That(time.GetElapsedTime(0).TotalMilliseconds, Is.GreaterThanOrEqualTo(ProbeLimits.ForwardedMs));
    }

    [Test]
    public async Task Cancelling_ends_a_wait_at_once(CancellationToken cancel)
    {
        using var server = new ProbeServer();
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        using var mine = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var waiting = probe.WaitUntilReadyAsync(static () => { }, mine.Token);
        await server.Accepted.WaitAsync(cancel);
        await mine.CancelAsync();
        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void A_head_without_end_and_a_long_body_are_bounded()
    {
        var head = ProbeHead.Read("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"u8);
        Assert.That(head, Is.EqualTo(new ProbeHead(200, -1)));
        Assert.That(ProbeHead.Read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"u8).BodyLength, Is.EqualTo(-1));
        Assert.That(ProbeHead.Read("HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n"u8).BodyLength, Is.EqualTo(-1));
        Assert.That(ProbeHead.Read("HTTP/1.1 200 OK\r\nconnection: Keep-Alive\r\ncontent-length:  7 \r\n\r\n"u8).BodyLength, Is.EqualTo(7));
    }

    [TestCase("200 OK", true, "GET /health answered 200: watched by that path")]
    [TestCase("404 Not Found", true, "GET /health answered 404: it serves HTTP and has no health page there, so it is watched by its port")]
    [TestCase("401 Unauthorized", true, "")]
    [TestCase("302 Found", true, "")]
    [TestCase("405 Method Not Allowed", true, "")]
    [TestCase("500 Oh", false, "GET /health answered 500")]
    [TestCase("503 Wait", false, "")]
    public async Task Without_a_health_path_the_program_decides(string answer, bool ready, string words, CancellationToken cancel)
    {
        using var server = new ProbeServer($"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n", Ok);
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place, path: null);
        ReadyFinding found = await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That(server.Requests, Has.Count.EqualTo(ready ? 1 : 2));
        Assert.That(server.Requests[0], Does.StartWith("GET /health HTTP/1.1\r\n"));
        Assert.That(found.Words, ready ? Does.StartWith(words) : Does.StartWith("GET /health answered 200"));
    }

    [Test]
    public async Task A_program_with_a_health_page_is_held_to_it_and_one_without_is_not(CancellationToken cancel)
    {
        const string NotFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        using var with = new ProbeServer(Ok, NotFound);
        using var withPlace = new ProbePlace(with.EndPoint);
        using var withProbe = Probe(withPlace, path: null);
        await withProbe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That(await withProbe.CheckAsync(10_000, cancel), Is.EqualTo(new ProbeResult(false, "GET /health answered 404")));

        using var without = new ProbeServer(NotFound);
        using var withoutPlace = new ProbePlace(without.EndPoint);
        using var withoutProbe = Probe(withoutPlace, path: null);
        await withoutProbe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That((await withoutProbe.CheckAsync(10_000, cancel)).Healthy, Is.True, "it is not asked any more");
        Assert.That(without.Requests, Has.Count.EqualTo(1));
    }

    [TestCase("200-299", "302 Found", false)]
    [TestCase("200-299,302", "302 Found", true)]
    [TestCase("200-499", "401 No", true)]
    [TestCase("401", "200 OK", false)]
    public async Task With_a_health_path_the_statuses_of_the_file_count(
        string statuses,
        string answer,
        bool healthy,
        CancellationToken cancel
    )
    {
        using var server = new ProbeServer($"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        using var place = new ProbePlace(server.EndPoint);
        using var probe = new HealthProbe(place.Target("/up", statuses: statuses), TimeProvider.System);
        Assert.That((await probe.CheckAsync(10_000, cancel)).Healthy, Is.EqualTo(healthy));
        Assert.That(server.Requests[0], Does.StartWith("GET /up HTTP/1.1\r\n"));
    }

    /// <summary>A page that needs a login is no health page: who said itself that it is ready is watched by its port then.</summary>
    [TestCase("404 Not Found", true)]
    [TestCase("500 Oh", false)]
    public async Task Ready_by_its_own_word_it_is_held_to_a_path_only_if_that_is_one(string answer, bool healthy, CancellationToken cancel)
    {
        using var server = new ProbeServer($"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        probe.TakeItsWord();
        Assert.That((await probe.WaitUntilReadyAsync(static () => { }, cancel)).ByItsWord, Is.True);
        Assert.That((await probe.CheckAsync(10_000, cancel)).Healthy, Is.EqualTo(healthy));
        Assert.That((await probe.CheckAsync(50, cancel)).IsSilent, Is.EqualTo(!healthy), "the next asks again, or only connects");
    }

    [Test]
    public async Task The_connection_that_was_found_ready_is_left_for_the_request_that_waits(CancellationToken cancel)
    {
        using var server = new ProbeServer(Ok);
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        var rented = place.Pool.TryRent();
        Assert.That((rented is not null, place.Pool.OpenCount, server.Connections), Is.EqualTo((true, 1, 1)));
    }

    [Test]
    public async Task A_later_check_holds_no_connection_of_its_own_and_gives_one_of_the_pool_back(CancellationToken cancel)
    {
        using var server = new ProbeServer(Ok, Ok, Ok);
        using var place = new ProbePlace(server.EndPoint);
        using var probe = Probe(place);
        Assert.That((await probe.CheckAsync(10_000, cancel)).Healthy, Is.True);
        Assert.That(place.Pool.OpenCount, Is.Zero);
        Assert.That(server.Requests[0], Does.Contain("\r\nConnection: close\r\n"));

        await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That((await probe.CheckAsync(10_000, cancel)).Healthy, Is.True);
        Assert.That((place.Pool.OpenCount, server.Connections), Is.EqualTo((1, 2)));
        Assert.That(server.Requests[2], Does.Not.Contain("Connection:"));
    }

    [Test]
    public async Task A_server_on_the_other_loopback_address_is_found(CancellationToken cancel)
    {
        Assume.That(Socket.OSSupportsIPv6, "this machine has no IPv6");
        using var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)reserved.LocalEndPoint!).Port;
        using var server = new ProbeServer(new IPEndPoint(IPAddress.IPv6Loopback, port), Ok);
        using var place = new ProbePlace(new IPEndPoint(IPAddress.Loopback, port));
        using var probe = new HealthProbe(place.Target(others: place.Open(server.EndPoint)), TimeProvider.System);
        ReadyFinding found = await probe.WaitUntilReadyAsync(static () => { }, cancel);
        Assert.That(found.Place!.Endpoint, Is.EqualTo(server.EndPoint));
    }

    private static HealthProbe Probe(ProbePlace place, string? path = "/health", int retryMs = 5) =>
        new(place.Target(path, retryMs), TimeProvider.System);
}
