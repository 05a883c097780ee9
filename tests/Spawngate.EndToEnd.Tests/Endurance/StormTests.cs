using System.Globalization;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Requests that arrive in the very moment in which backends stop for idleness: none is lost, and no backend runs twice.</summary>
internal sealed class StormTests : GatewayTest
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Test]
    public async Task A_storm_around_the_idle_timeout_loses_no_request_and_starts_no_backend_twice()
    {
        int backends = Effort.Scale(@long: 20, native: 20, managed: 5);
        TimeSpan span = Effort.Span(native: 40, managed: 15);
        Random random = await Effort.SeededAsync();
        GatewayProcess gateway = await Scene.GatewayAsync(Config(backends));
        StormClient[] clients =
        [
            .. Enumerable.Range(0, backends).Select(i => new StormClient(gateway.Port, HostOf(i), new Random(random.Next()), _over.Task)),
        ];

        Task storm = Task.WhenAll(clients.Select(each => each.RunAsync()));
        Assert.That(await storm.StaysOpenAsync(span), "a client broke off");
        _over.SetResult();
        await storm.InTimeAsync("end of the storm", TimeSpan.FromSeconds(40));

        for (int i = 0; i < backends; i++)
        {
            await gateway.UntilStateAsync(HostOf(i), "stopped");
        }

        int starts = Enumerable.Range(0, backends).Sum(i => Directory.GetFiles(Starts(i)).Length);
        int answered = clients.Sum(each => each.Answered);
        await Figures.NoteAsync(
            $"storm of {span.TotalSeconds} s, {backends} backends: {clients.Sum(each => each.Asked)} requests, {answered} "
                + $"answered, {starts} starts"
        );
        Assert.That(clients.SelectMany(each => each.Failures), Is.Empty);
        Assert.That(answered, Is.EqualTo(clients.Sum(each => each.Asked)));
        Assert.That(Overlaps(backends), Is.Empty, "two processes of a backend at once");
        Assert.That(await ServedAsync(backends), Is.EqualTo(answered), "requests as the backends counted them");
        for (int i = 0; i < backends; i++)
        {
            await AssertBooksAsync(gateway, i);
        }
    }

    private static string HostOf(int i) => $"b{i}.test";

    private string Starts(int i) => Path.Combine(Scene.Folder, $"starts{i}");

    private ConfigFile Config(int backends)
    {
        ConfigFile config = new ConfigFile()
            .Server("keep_alive_timeout_secs = 3600")
            .Defaults("idle_timeout_secs = 1", "ready_health_check_interval_ms = 300");
        for (int i = 0; i < backends; i++)
        {
            Scene.NewFolder($"starts{i}");
            Scene.NewFolder($"exits{i}");
            string[] args =
            [
                $"--name=b{i}",
                $"--start-log={Starts(i)}",
                $"--exit-log={Path.Combine(Scene.Folder, $"exits{i}")}",
                $"--alone={Scene.NewFolder($"alone{i}")}",
            ];
            config.TestBackendWith(
                HostOf(i),
                i % 4 == 1 ? [$"port = {Ports.Free()}"] : [],
                i % 4 == 2 ? [.. args, "--exit-delay-ms=120"] : args
            );
        }

        return config;
    }

    private List<string> Overlaps(int backends) =>
        [.. Enumerable.Range(0, backends).SelectMany(i => Directory.GetFiles(Path.Combine(Scene.Folder, $"alone{i}"), "overlap-*"))];

    /// <summary>Each process says at SIGTERM what it has served.</summary>
    private async Task<int> ServedAsync(int backends)
    {
        int sum = 0;
        foreach (BackendProcess process in Enumerable.Range(0, backends).SelectMany(i => Control.Started($"b{i}")))
        {
            string[] words = (await process.ToldAsync("sigterm")).Split(' ', '=');
            Assert.That(words[^1], Is.EqualTo("0"), "requests in flight at SIGTERM");
            sum += int.Parse(words[2], CultureInfo.InvariantCulture);
        }

        return sum;
    }

    /// <summary>As many starts as the gateway says, each ended once, and no lease left.</summary>
    private async Task AssertBooksAsync(GatewayProcess gateway, int i)
    {
        JsonElement report = await gateway.Admin.BackendAsync(HostOf(i));
        int starts = Directory.GetFiles(Starts(i)).Length;
        Assert.That(starts, Is.EqualTo(report.GetProperty("generation").GetInt32()), $"starts of {HostOf(i)}");
        Assert.That(Directory.GetFiles(Path.Combine(Scene.Folder, $"exits{i}")), Has.Length.EqualTo(starts), $"stops of {HostOf(i)}");
        Assert.That((report.GetProperty("in_flight").GetInt32(), report.GetProperty("waiting").GetInt32()), Is.EqualTo((0, 0)), HostOf(i));
        Assert.That(report.GetProperty("failures_in_a_row").GetInt32(), Is.Zero, HostOf(i));
    }
}
