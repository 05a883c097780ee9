using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>
/// A storm of aborts from both sides: clients that leave in the middle, backends that end or reset in the middle, over HTTP/1.1 and HTTP/2,
/// with bodies of every framing. Each byte says which exchange it belongs to; none may stray, and what was cut may not look complete.
/// </summary>
[NonParallelizable]
[LongRunning]
internal sealed class AbortStormTests : GatewayTest
{
    private const int Clients = 8;
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task No_byte_strays_and_nothing_that_was_cut_looks_complete()
    {
        TimeSpan span = Effort.Span(native: 20, managed: 5);
        Random random = await Effort.SeededAsync();
        GatewayProcess gateway = await GatewayAsync();
        await gateway.Admin.PostAsync($"/backends/{Host}/start");
        await gateway.UntilStateAsync(Host, "ready");
        AbortStormClient[] clients =
        [
            .. Enumerable.Range(0, Clients).Select(_ => new AbortStormClient(gateway.Port, Host, new Random(random.Next()), _over.Task)),
        ];
        Task storm = Task.WhenAll(clients.Select(each => Task.Run(each.RunAsync)));
        await storm.StaysOpenAsync(span);
        _over.TrySetResult();
        await storm.InTimeAsync("end of the storm");

        await Figures.NoteAsync(
            $"{span.TotalSeconds} s of aborts: {clients.Sum(each => each.Asked)} exchanges, "
                + $"{clients.Sum(each => each.Complete)} complete, {clients.Sum(each => each.Bytes) / 1e6:F0} MB looked at"
        );
        Assert.That(clients.SelectMany(each => each.Failures), Is.Empty);
        Assert.That(clients.Sum(each => each.Complete), Is.GreaterThan(0));
        Assert.That(
            Control.Started("backend").SelectMany(each => each.Told).Where(each => each.StartsWith("stranger", StringComparison.Ordinal)),
            Is.Empty,
            "bytes that strayed into a request"
        );
        await gateway.UntilAsync("nothing is in flight", async () =>
            (await gateway.Admin.BackendAsync(Host)).GetProperty("in_flight").GetInt32() == 0
        );
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/status?code=200")).Status, Is.EqualTo(200));
        Assert.That(gateway.LogText, Does.Not.Contain("unexpected error").And.Not.Contain("bug"));
    }
}
