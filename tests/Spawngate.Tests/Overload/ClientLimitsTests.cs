using System.Net;
using System.Text;
using Spawngate.Config;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Hard limits of a client address, and who is taken for the client.</summary>
internal sealed class ClientLimitsTests
{
    private const string Host = "app.example.com";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    private WireEnd? _backend;

    [SetUp]
    public void SetUp() => _backend = null;

    [TestCase(true, "198.51.100.1", "198.51.100.1")]
    [TestCase(true, "203.0.113.9, 198.51.100.1, 10.0.0.3", "198.51.100.1", Description = "proxies of ours at the end are passed over")]
    [TestCase(true, "10.0.0.4, 10.0.0.3", "10.0.0.4", Description = "all are ours: the first is as far as it goes")]
    [TestCase(true, "unknown", "192.0.2.7")]
    [TestCase(true, "203.0.113.9, unknown, 10.0.0.3", "10.0.0.3", Description = "what is left of something unreadable proves nothing")]
    [TestCase(true, null, "192.0.2.7")]
    [TestCase(false, "198.51.100.1", "192.0.2.7", Description = "anybody can write it")]
    public void The_client_is_whom_a_trusted_peer_names(bool isTrusted, string? forwardedFor, string client)
    {
        var limits = new ClientLimits(new ServerConfig { TrustedProxies = [IPNetwork.Parse("10.0.0.0/8")] }, new FakeTime());
        byte[] head = Encoding.ASCII.GetBytes(
            $"GET / HTTP/1.1\r\nHost: a\r\n{(forwardedFor is null ? "" : $"X-Forwarded-For: {forwardedFor}\r\n")}\r\n"
        );
        var request = new RequestHead();
        Assert.That(RequestHeadParser.Parse(request, head, new HeadLimits(8192, 32768, 100)), Is.EqualTo(HeadStatus.Complete));
        var peer = limits.Of(IPAddress.Parse("192.0.2.7"), 1);
        Assert.That(limits.ClientOf(request, head, peer, isTrusted, 1).Text, Is.EqualTo(client));
    }

    [Test]
    public async Task Requests_past_the_rate_get_429_and_the_bucket_fills_again()
    {
        await using var stage = await ForwardingStage.StartAsync(server: new ServerConfig { RequestRatePerAddress = 2 });
        var client = await stage.ConnectAsync();
        Assert.That(await StatusOfAsync(stage, client), Is.EqualTo(200));
        Assert.That(await StatusOfAsync(stage, client), Is.EqualTo(200));
        var refused = await RefusedAsync(client);
        Assert.That(
            (refused.Status, refused["X-Proxy-Error"], refused["Retry-After"], refused["Connection"]),
            Is.EqualTo((429, "TOO_MANY_REQUESTS", "1", (string?)null))
        );
        stage.Time.AdvanceMs(500);
        Assert.That(await StatusOfAsync(stage, client), Is.EqualTo(200));
        Assert.That(stage.Context.ClientLimits.LimitedRequests, Is.EqualTo(1));
    }

    [Test]
    public async Task Requests_in_flight_are_limited_and_counted_out_again()
    {
        await using var stage = await ForwardingStage.StartAsync(server: new ServerConfig { MaxRequestsPerAddress = 1 });
        var first = await stage.ConnectAsync();
        await first.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        var second = await stage.ConnectAsync();
        Assert.That((await RefusedAsync(second)).Status, Is.EqualTo(429));
        await backend.SendAsync(Ok);
        Assert.That((await first.ReadAsync()).Status, Is.EqualTo(200));
        var source = stage.Context.ClientLimits.Of(IPAddress.Parse("192.0.2.7"), 1);
        Assert.That(() => source.Requests, Is.Zero.After(10_000, 10));
        await second.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n\r\n");
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await second.ReadAsync()).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task Clients_behind_a_trusted_proxy_are_limited_each_for_itself()
    {
        await using var stage = await ForwardingStage.StartAsync(server: new ServerConfig { RequestRatePerAddress = 1 });
        var proxy = await stage.ConnectAsync(trusted: true);
        Assert.That(await StatusOfAsync(stage, proxy, "X-Forwarded-For: 198.51.100.1\r\n"), Is.EqualTo(200));
        Assert.That(await StatusOfAsync(stage, proxy, "X-Forwarded-For: 198.51.100.2\r\n"), Is.EqualTo(200));
        Assert.That((await RefusedAsync(proxy, "X-Forwarded-For: 198.51.100.1\r\n")).Status, Is.EqualTo(429));
    }

    [Test]
    public void A_client_that_a_proxy_names_is_remembered_while_its_requests_last()
    {
        var limits = new ClientLimits(new ServerConfig(), new FakeTime());
        var proxy = limits.Of(IPAddress.Parse("10.0.0.1"), 1);
        var named = limits.Of(IPAddress.Parse("198.51.100.1"), 1);
        Assert.That((limits.Enter(named, proxy, isTrusted: true, out bool isCounted), isCounted), Is.EqualTo((ClientVerdict.Served, true)));
        limits.Addresses.Sweep(1 + (10 * OverloadLimits.AddressSweepMs));
        Assert.That(limits.Of(IPAddress.Parse("198.51.100.1"), 1), Is.SameAs(named));
        named.RemoveRequest();
        limits.Addresses.Sweep(1 + (30 * OverloadLimits.AddressSweepMs));
        Assert.That(limits.Of(IPAddress.Parse("198.51.100.1"), 1), Is.Not.SameAs(named));
        Assert.That((limits.Enter(proxy, proxy, isTrusted: true, out isCounted), isCounted), Is.EqualTo((ClientVerdict.Served, false)));
    }

    [Test]
    public void Connections_past_the_limit_are_not_let_in()
    {
        var limits = new ClientLimits(new ServerConfig { MaxConnectionsPerAddress = 2 }, new FakeTime());
        var source = limits.Of(IPAddress.Parse("192.0.2.7"), 1);
        Assert.That(
            (limits.TryConnect(source, false), limits.TryConnect(source, false), limits.TryConnect(source, false)),
            Is.EqualTo((true, true, false))
        );
        Assert.That((source.Connections, limits.LimitedConnections), Is.EqualTo((2, 1)));
        source.RemoveConnection();
        Assert.That(limits.TryConnect(source, false), Is.True);
        Assert.That(limits.TryConnect(source, isTrusted: true), Is.True, "it may name others");
        Assert.That(limits.Enter(source, source, isTrusted: true, out _), Is.EqualTo(ClientVerdict.TooMany), "it named nobody");
        Assert.That(
            limits.Enter(limits.Of(IPAddress.Parse("198.51.100.1"), 1), source, isTrusted: true, out _),
            Is.EqualTo(ClientVerdict.Served)
        );
    }

    [TestCase("25%", 8000L * 1024 * 1024, 2000L * 1024 * 1024)]
    [TestCase("100%", 8000L * 1024 * 1024, 8000L * 1024 * 1024)]
    [TestCase("1%", 8L * 1024 * 1024, 16L * 1024 * 1024, Description = "never less than what works")]
    [TestCase("64m", 8L * 1024 * 1024, 64L * 1024 * 1024)]
    [TestCase("1.5g", 0, 1536L * 1024 * 1024)]
    public void A_memory_limit_is_a_share_or_a_size(string text, long memory, long bound) =>
        Assert.That(MemoryLimit.Parse(text)?.Of(memory), Is.EqualTo(bound));

    [TestCase("25%", 8000, 6000, 2000)]
    [TestCase("100%", 8000, 6000, 3000)]
    [TestCase("100%", 8000, 8000, 4000)]
    [TestCase("4000m", 8000, 6000, 3000)]
    [TestCase("4000m", 8000, 0, 4000, Description = "not known")]
    [TestCase("1%", 40, 30, 15, Description = "less than works well, but more would not work at all")]
    public void It_is_no_more_than_half_of_what_the_heap_may_have(string text, long memoryMiB, long heapMiB, long boundMiB) =>
        Assert.That(MemoryLimit.Parse(text)?.Of(memoryMiB << 20, heapMiB << 20), Is.EqualTo(boundMiB << 20));

    [TestCase("0%")]
    [TestCase("101%")]
    [TestCase("-1%")]
    [TestCase("%")]
    [TestCase("2.5%")]
    [TestCase("15m")]
    [TestCase("0")]
    [TestCase("")]
    [TestCase("much")]
    public void Anything_else_is_no_memory_limit(string text) => Assert.That(MemoryLimit.Parse(text), Is.Null);

    private async Task<int> StatusOfAsync(ForwardingStage stage, WireEnd client, string fields = "")
    {
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n{fields}\r\n");
        var backend = _backend ??= await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        return (await client.ReadAsync()).Status;
    }

    private static async Task<StrictMessage> RefusedAsync(WireEnd client, string fields = "")
    {
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n{fields}\r\n");
        return await client.ReadAsync();
    }
}
