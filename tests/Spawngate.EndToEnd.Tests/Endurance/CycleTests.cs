using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>Starting and stopping again and again leaves nothing behind in the gateway.</summary>
[NonParallelizable]
internal sealed class CycleTests : GatewayTest
{
    private const int DescriptorsSpare = 3; // Connections of this test to the admin API come and go.
    private const int ThreadsSpare = 4; // The runtime's pool breathes.

    // The collector lets its youngest generation grow with the processor's last cache, here to some 25 MB in the first cycles; then it
    // stays there, as a long run shows.
    private const long GrowthBytesMax = 32 * 1024 * 1024;
    private const string Failing = "fails.test";

    [Test]
    public async Task Cycles_of_start_and_stop_leave_descriptors_threads_memory_and_zombies_as_they_were()
    {
        int cycles = Effort.Scale(@long: 1000, native: 100, managed: 15);
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Defaults("idle_timeout_secs = 1").TestBackend(Host).TestBackend(Failing, "--name=fails", "--exit-code=1")
        );
        await CyclesAsync(gateway, cycles / 5, 0);
        ProcessVitals before = ProcessVitals.Of(gateway.Pid);

        await CyclesAsync(gateway, cycles, cycles / 5);

        ProcessVitals after = ProcessVitals.Of(gateway.Pid);
        await Figures.NoteAsync($"before {cycles} cycles: {before}; after: {after}");
        Assert.That(after.Descriptors, Is.LessThanOrEqualTo(before.Descriptors + DescriptorsSpare));
        Assert.That(after.Threads, Is.LessThanOrEqualTo(before.Threads + ThreadsSpare));
        Assert.That(after.Zombies, Is.Zero);
        Assert.That(after.ResidentBytes - before.ResidentBytes, Is.LessThan(GrowthBytesMax));
        Assert.That(Scene.Children(), Is.Empty);
    }

    /// <summary>In turn: a stop that is asked for, a crash, an exit in the middle of a response, and in between starts that fail.</summary>
    private async Task CyclesAsync(GatewayProcess gateway, int count, int startsBefore)
    {
        for (int i = 0; i < count; i++)
        {
            RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
            Assert.That(response.Status, Is.EqualTo(200), $"cycle {i}: {response.Text}");
            BackendProcess backend = await Control.StartAsync(index: startsBefore + i);
            await EndAsync(gateway, backend, i);
            await backend.ExitedInTimeAsync();
            await gateway.UntilStateAsync(Host, "stopped");

            // Also forgets the failures, so that the next crash is not waited for.
            await gateway.Admin.PostAsync($"/backends/{Failing}/start");
            await gateway.UntilStateAsync(Failing, "stopped");
        }
    }

    private static async Task EndAsync(GatewayProcess gateway, BackendProcess backend, int cycle)
    {
        switch (cycle % 4)
        {
            case 1:
                // One crash is forgiven; the regular stops before and after it keep it the only one in a row.
                await backend.SendAsync("crash");
                break;
            case 3:
                using (RawClient client = await RawClient.ConnectAsync(gateway.Port))
                {
                    await client.SendAsync(RawClient.Head(Host, "/bytes?n=100000000"));
                    await client.ReadHeadAsync();
                    await gateway.Admin.PostAsync($"/backends/{Host}/stop");
                }

                break;
            default:
                await gateway.Admin.PostAsync($"/backends/{Host}/stop");
                break;
        }
    }
}
