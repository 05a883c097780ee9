using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>A backend that breaks off, lies or hangs: the client learns the truth, and the next request is served.</summary>
internal sealed class UpstreamFaultTests : SharedGatewayTest
{
    [TestCase("before-head", "CONNECTION_FAILED", "BAD_BACKEND_RESPONSE")]
    [TestCase("in-head", "CONNECTION_FAILED", "BAD_BACKEND_RESPONSE")]
    [TestCase("reset", "CONNECTION_FAILED", "BAD_BACKEND_RESPONSE")]
    public async Task A_connection_that_ends_before_the_response_is_502(string at, params string[] codes)
    {
        RawResponse response = await RequestAsync($"/close?at={at}", "POST");

        Assert.That(response.Status, Is.EqualTo(502));
        Assert.That(codes, Does.Contain(response.Header("X-Proxy-Error")));
        await StillServesAsync();
    }

    [TestCase("after-head")]
    [TestCase("mid-body")]
    [TestCase("mid-chunk")]
    [TestCase("before-last-chunk")]
    [TestCase("reset-mid-body")]
    public async Task A_body_that_breaks_off_is_seen_as_incomplete_by_the_client(string at)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, $"/close?at={at}"));

        // If the break is noticed before anything was sent, an error is right too; a complete message never is.
        try
        {
            RawResponse response = await client.ReadResponseAsync();
            Assert.That(response.Status, Is.EqualTo(502), $"a complete response of {response.BodyLength} bytes");
        }
        catch (IncompleteMessageException)
        {
            Assert.That(await client.EndsAsync());
        }

        await StillServesAsync();
    }

    [TestCase("both-framings")]
    [TestCase("two-lengths")]
    [TestCase("negative-length")]
    [TestCase("odd-length")]
    [TestCase("garbage")]
    [TestCase("bad-status")]
    [TestCase("bad-version")]
    [TestCase("space-colon")]
    [TestCase("nul-in-header")]
    [TestCase("cr-in-header")]
    [TestCase("oversized-head")]
    [TestCase("unknown-coding")]
    [TestCase("unasked-101")]
    public async Task A_response_that_cannot_be_read_with_certainty_is_BAD_BACKEND_RESPONSE(string kind)
    {
        RawResponse response = await RequestAsync($"/wrong?kind={kind}");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")), response.Text);
        await StillServesAsync();
    }

    [TestCase("bad-chunk-size")]
    [TestCase("huge-chunk-size")]
    public async Task A_bad_chunk_of_the_backend_breaks_the_response_off(string kind)
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head(Host, $"/wrong?kind={kind}"));

        try
        {
            Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(502));
        }
        catch (IncompleteMessageException)
        {
            Assert.That(await client.EndsAsync());
        }

        await StillServesAsync();
    }

    [Test]
    public async Task Bytes_after_a_response_never_become_the_answer_to_another_request()
    {
        using RawClient client = await ConnectAsync();
        RawResponse first = await client.ExchangeAsync(Host, "/wrong?kind=extra-bytes");
        Assert.That(first.Text, Is.EqualTo("hello"));

        for (int i = 0; i < 20; i++)
        {
            RawResponse response = await RequestAsync("/status?code=200");
            Assert.That(response.Text, Is.EqualTo("status 200"));
        }
    }

    [Test]
    public async Task A_response_head_that_takes_too_long_is_504()
    {
        long asked = Stopwatch.GetTimestamp();
        RawResponse response = await RawClient.RequestAsync(Port, "impatient.test", "/slow?headMs=15000");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((504, "REQUEST_TIMEOUT")));
        Assert.That(Stopwatch.GetElapsedTime(asked).TotalSeconds, Strain.Within(asked, 0.9, 4));
    }

    [Test]
    public async Task A_response_that_stands_still_for_that_long_is_broken_off()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(RawClient.Head("impatient.test", "/slow?bodyMs=15000"));

        Assert.That(async () => await client.ReadResponseAsync(), Throws.InstanceOf<IncompleteMessageException>());
    }

    [Test]
    public async Task A_response_may_take_longer_than_that_as_long_as_it_makes_progress()
    {
        long asked = Stopwatch.GetTimestamp();
        RawResponse response = await RawClient.RequestAsync(Port, "impatient.test", "/bytes?n=12&chunk=1&delayMs=250");

        Assert.That(response.BodyLength, Is.EqualTo(12));
        Assert.That(Stopwatch.GetElapsedTime(asked).TotalSeconds, Is.GreaterThan(2));
    }

    private static async Task StillServesAsync()
    {
        for (int i = 0; i < 3; i++)
        {
            Assert.That((await RequestAsync("/status?code=200")).Text, Is.EqualTo("status 200"));
        }
    }
}

/// <summary>Pooled connections die without a word; requests do not.</summary>
[LongRunning]
internal sealed class PooledConnectionTests : GatewayTest
{
    [Test]
    public async Task Idle_connections_that_the_backend_closed_cost_no_request()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess backend = await Control.StartAsync();

        for (int round = 0; round < 20; round++)
        {
            RawResponse[] responses = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/status?code=200", "POST"))
            );
            Assert.That(responses.Select(each => each.Status), Has.All.EqualTo(200), $"round {round}");
            await backend.DoAsync("close-idle");
        }
    }

    [Test]
    public async Task A_connection_closed_after_each_response_without_notice_costs_no_request()
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);

        for (int i = 0; i < 100; i++)
        {
            Assert.That((await client.ExchangeAsync(Host, "/close?at=after-response")).Status, Is.EqualTo(200), $"request {i}");
        }
    }

    [TestCase("GET")]
    [TestCase("HEAD")]
    [TestCase("PUT")]
    [TestCase("DELETE")]
    public async Task A_request_whose_reused_connection_dies_without_a_byte_is_sent_again(string method)
    {
        GatewayProcess gateway = await GatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);

        for (int i = 0; i < 10; i++)
        {
            Assert.That((await client.ExchangeAsync(Host, "/close?at=next-request")).Status, Is.EqualTo(200));
            Assert.That((await client.ExchangeAsync(Host, "/status?code=200", method)).Status, Is.EqualTo(200), $"round {i}");
        }
    }

    [Test]
    public async Task A_client_that_leaves_during_a_response_leaves_nothing_in_flight()
    {
        GatewayProcess gateway = await GatewayAsync();
        using (RawClient client = await RawClient.ConnectAsync(gateway.Port))
        {
            await client.SendAsync(RawClient.Head(Host, "/bytes?n=100000000"));
            await client.ReadHeadAsync();
            Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32(), Is.EqualTo(1));
        }

        await gateway.UntilAsync("nothing is in flight", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0
        );
    }

    [Test]
    public async Task Connections_are_reused_up_to_the_limit()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("pool_max_idle_per_host = 2").TestBackend(Host));
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 50; i++)
        {
            await client.ExchangeAsync(Host, "/");
        }

        Assert.That(Established(await Control.StartAsync()), Is.LessThanOrEqualTo(3), "two pooled, and one of the health check");
    }

    [Test]
    public async Task Idle_connections_end_after_the_pool_timeout()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("pool_idle_timeout_secs = 1").Defaults("ready_health_check_interval_ms = 600000").TestBackend(Host)
        );
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RawClient.RequestAsync(gateway.Port, Host, "/slow?headMs=100")));
        BackendProcess backend = await Control.StartAsync();

        await gateway.UntilAsync("all pooled connections have ended", () => Task.FromResult(Established(backend) <= 1));
    }

    /// <summary>Connections that the backend's side sees as established.</summary>
    private static int Established(BackendProcess backend)
    {
        const string EstablishedState = "01";
        string port = $":{backend.Port:X4}";
        return File.ReadLines("/proc/net/tcp")
            .Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Count(fields => fields[1].EndsWith(port, StringComparison.Ordinal) && fields[3] == EstablishedState);
    }
}
