using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>What nobody uses stops; what somebody uses does not.</summary>
[LongRunning]
internal sealed class IdleStopTests : GatewayTest
{
    private static readonly TimeSpan LongerThanIdle = TimeSpan.FromSeconds(2.5);

    [Test]
    public async Task An_idle_backend_stops_within_a_second_of_its_timeout_and_the_next_request_starts_another()
    {
        GatewayProcess gateway = await IdleGatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        long used = Stopwatch.GetTimestamp();
        BackendProcess first = await Control.StartAsync();

        await first.ToldAsync("sigterm");
        TimeSpan idle = Stopwatch.GetElapsedTime(used);
        await first.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");
        Assert.That(Scene.Children(), Is.Empty);
        RawResponse again = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(idle.TotalSeconds, Strain.Within(used, 0.95, 2.3), "seconds from the last use to SIGTERM, with a timeout of 1");
        Assert.That(again.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(first.Pid));
        Assert.That(Control.Started(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_zero_timeout_means_never()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 0").TestBackend(Host));
        await RawClient.RequestAsync(gateway.Port, Host, "/");

        BackendProcess backend = await Control.StartAsync();

        Assert.That(await backend.Exited.StaysOpenAsync(LongerThanIdle));
    }

    [Test]
    public async Task A_request_in_flight_prevents_the_stop_and_the_clock_starts_at_its_end()
    {
        GatewayProcess gateway = await IdleGatewayAsync();
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        Assert.That(await backend.ToldAsync("sigterm").StaysOpenAsync(LongerThanIdle), "stopped while a request was in flight");
        await backend.DoAsync("release a");
        Assert.That((await held).Text, Is.EqualTo("held"));
        long ended = Stopwatch.GetTimestamp();
        await backend.ToldAsync("sigterm");

        Assert.That(Stopwatch.GetElapsedTime(ended).TotalSeconds, Strain.Within(ended, 0.95, 2.3));
    }

    [Test]
    public async Task A_response_still_being_sent_prevents_the_stop()
    {
        GatewayProcess gateway = await IdleGatewayAsync();
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/hold?key=a&at=body");
        BackendProcess backend = await Control.StartAsync();
        await backend.ToldAsync("hold a");

        Assert.That(await backend.ToldAsync("sigterm").StaysOpenAsync(LongerThanIdle), "stopped in the middle of a response");
        await backend.DoAsync("release a");

        Assert.That((await held).Text, Is.EqualTo("held"));
    }

    [Test]
    public async Task A_download_that_the_client_takes_slowly_prevents_the_stop()
    {
        const int Length = 32 * 1024 * 1024;
        GatewayProcess gateway = await IdleGatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, $"/bytes?n={Length}"));
        RawResponse response = await client.ReadHeadAsync();
        BackendProcess backend = await Control.StartAsync();

        Assert.That(await backend.ToldAsync("sigterm").StaysOpenAsync(LongerThanIdle), "stopped while the client was still reading");
        await client.ReadBodyAsync(response);

        Assert.That(response.Sha256, Is.EqualTo(TestBackend.Pattern.Sha256(Length)));
    }

    [Test]
    public async Task Use_moves_the_stop_and_health_checks_do_not()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 1", "ready_health_check_interval_ms = 100").TestBackend(Host)
        );
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/");
        BackendProcess backend = await Control.StartAsync();
        Task<string> stop = backend.ToldAsync("sigterm");

        for (int i = 0; i < 5; i++)
        {
            Assert.That(await stop.StaysOpenAsync(TimeSpan.FromMilliseconds(500)), "stopped half a second after use");
            await client.ExchangeAsync(Host, "/");
        }

        long used = Stopwatch.GetTimestamp();
        await stop;
        Assert.That(Stopwatch.GetElapsedTime(used).TotalSeconds, Strain.Within(used, 0.95, 2.3));
    }

    [Test]
    public async Task A_request_that_meets_an_idle_stop_waits_for_the_exit_and_is_answered_by_a_new_process()
    {
        GatewayProcess gateway = await IdleGatewayAsync("--exit-delay-ms=700");
        await RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess first = await Control.StartAsync();
        await first.ToldAsync("sigterm");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(response.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(first.Pid));
        Assert.That(first.Exited.IsCompleted, "the two processes overlapped");
    }

    [Test]
    public async Task An_open_idle_client_connection_does_not_keep_a_backend()
    {
        GatewayProcess gateway = await IdleGatewayAsync();
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/");
        BackendProcess first = await Control.StartAsync();
        await first.ExitedInTimeAsync();

        RawResponse again = await client.ExchangeAsync(Host, "/");

        Assert.That(again.Json.GetProperty("pid").GetInt32(), Is.Not.EqualTo(first.Pid));
    }

    private Task<GatewayProcess> IdleGatewayAsync(params string[] args) =>
        Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 1").TestBackend(Host, args));
}
