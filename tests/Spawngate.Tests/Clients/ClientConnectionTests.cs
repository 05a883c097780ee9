using Spawngate.Clients.Shared;
using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>A client connection before it is known what its client speaks: its time, its end, and what it gives up.</summary>
[TestFixture]
internal sealed class ClientConnectionTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string HalfAPreface = "PRI * HT";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly ServerConfig TenSeconds = new() { HeaderTimeoutSecs = 10 };

    [TestCase("P")]
    [TestCase(HalfAPreface)]
    public async Task Half_a_preface_is_cut_when_it_has_to_go(string sent)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(sent);
        await stage.DeadlineAsync(client, DeadlineKind.Head);

        stage.ConnectionOf(client).Shed();

        Assert.That(stage.ConnectionOf(client).IsEnding, "nobody picks it again");
        await client.ReadToResetAsync();
        await client.Served.WaitAsync(Patience);
    }

    [Test]
    public async Task Half_a_preface_of_a_proxy_is_not()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync(trusted: true);
        await client.SendAsync(HalfAPreface);
        await stage.DeadlineAsync(client, DeadlineKind.Head);

        stage.ConnectionOf(client).Shed();

        Assert.That((stage.ConnectionOf(client).IsEnding, client.Served.IsCompleted), Is.EqualTo((false, false)));
    }

    [Test]
    public async Task One_that_has_said_nothing_ends_in_order()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await stage.DeadlineAsync(client, DeadlineKind.KeepAlive);

        stage.ConnectionOf(client).Shed();

        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        await client.Served.WaitAsync(Patience);
    }

    /// <summary>Told by a survey from before the choice: what holds something now is the protocol's.</summary>
    [Test]
    public async Task One_whose_protocol_was_chosen_meanwhile_goes_on()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();

        stage.ConnectionOf(client).Shed();

        await backend.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    /// <summary>The time runs from the first byte that may belong to either protocol, and does not begin anew with the choice.</summary>
    [Test]
    public async Task The_time_for_a_head_goes_on_when_the_protocol_is_chosen()
    {
        await using var stage = await ForwardingStage.StartAsync(server: TenSeconds);
        var client = await stage.ConnectAsync();
        await client.SendAsync("P");
        await stage.DeadlineAsync(client, DeadlineKind.Head);
        stage.Time.AdvanceMs(9_000);
        await client.SendAsync("OST / HTTP/1.1\r\n");
        await Task.Run(() => SpinWait.SpinUntil(() => stage.ConnectionOf(client).IsChosen, Patience));
        Assert.That(stage.ConnectionOf(client).Awaited.Deadline, Is.EqualTo(DeadlineKind.Head));

        stage.Time.AdvanceMs(1_000 + (2 * RuntimeLimits.ClockTickMs));

        Assert.That((await client.ReadAsync()).StartLine, Does.StartWith("HTTP/1.1 408 "));
    }

    [Test]
    public async Task A_client_that_leaves_without_a_word_is_told_nothing()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        client.EndSending();
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        await client.Served.WaitAsync(Patience);
    }

    [Test]
    public async Task Half_a_preface_that_gets_no_further_ends_without_an_answer()
    {
        await using var stage = await ForwardingStage.StartAsync(server: TenSeconds);
        var client = await stage.ConnectAsync();
        await client.SendAsync(HalfAPreface);
        await stage.DeadlineAsync(client, DeadlineKind.Head);
        stage.Time.AdvanceMs(10_000 + (2 * RuntimeLimits.ClockTickMs));
        Assert.That(await client.ReadToResetOrEndAsync(), Is.Empty);
        await client.Served.WaitAsync(Patience);
    }
}
