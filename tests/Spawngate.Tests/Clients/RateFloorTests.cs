using Spawngate.Clients;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Clients that make progress, but hardly any.</summary>
internal sealed class RateFloorTests
{
    private const string Post = "POST / HTTP/1.1\r\nHost: app.example.com\r\n";
    private const int StepMs = 20_000;

    [TestCase(100, 0, true)]
    [TestCase(100, 5999, true)]
    [TestCase(100, 6000, false)]
    [TestCase(700, 0, false, Description = "now and then it does not hold anything up")]
    public void Too_little_in_a_whole_window_is_below(int stepMs, int bytes, bool isBelow)
    {
        var rate = new RateFloor();
        bool below = false;
        int step = 0;
        for (long now = 1; now <= 1 + ForwardingLimits.RateWindowMs + stepMs; now += stepMs)
        {
            below |= rate.IsBelow(
                stepMs == 100 ? step++ % 10 != 0 : step++ % 10 > 1,
                now > ForwardingLimits.RateWindowMs / 2 ? bytes : 0,
                now
            );
        }

        Assert.That(below, Is.EqualTo(isBelow));
    }

    [Test]
    public void A_count_that_begins_anew_is_not_below()
    {
        var rate = new RateFloor();
        Assert.That(rate.IsBelow(true, 500_000_000, 1), Is.False);
        Assert.That(rate.IsBelow(true, 1, 1 + ForwardingLimits.RateWindowMs), Is.False);
        Assert.That(rate.IsBelow(true, 2, 1 + (2 * ForwardingLimits.RateWindowMs)), Is.True);
    }

    [Test]
    public async Task A_body_of_known_length_that_comes_byte_by_byte_is_408()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Post + "Content-Length: 100000\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        for (int i = 0; i < ForwardingLimits.RateWindowMs / StepMs; i++)
        {
            await client.SendAsync("x");
            Assert.That(await backend.ReadTextAsync(1), Is.EqualTo("x"));
            await stage.DeadlineAsync(client, DeadlineKind.Response, forBody: true);
            stage.Time.AdvanceMs(StepMs);
        }

        // Well within the time of silence after the last byte.
        stage.Time.AdvanceMs(1000);
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["X-Proxy-Error"]), Is.EqualTo((408, "CLIENT_TIMEOUT")));
    }

    [Test]
    public async Task A_body_without_a_length_may_be_as_slow_as_it_likes()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Post + "Transfer-Encoding: chunked\r\n\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        for (int i = 0; i < 10; i++)
        {
            await client.SendAsync("1\r\nx\r\n");
            Assert.That(await backend.ReadTextAsync("1\r\nx\r\n".Length), Is.EqualTo("1\r\nx\r\n"));
            stage.Time.AdvanceMs(StepMs);
        }

        await client.SendAsync("0\r\n\r\n");
        await backend.ReadTextAsync("0\r\n\r\n".Length);
        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }
}
