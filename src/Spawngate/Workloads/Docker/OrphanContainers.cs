using System.Globalization;
using Docker.DotNet.Models;
using Spawngate.Workloads.Processes;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// The containers of a gateway that was killed: asked to end, all at once, each with the grace period that its label tells, and removed.
/// Those of a gateway that was started since have another label. A create that was under way at the death is still done by the engine, so
/// it is looked again until nothing was found for a while.
/// </summary>
/// <param name="engine">Where the engine listens, with the value of <see cref="ContainerLabels.Process"/> as the owner.</param>
/// <param name="time">The time.</param>
internal sealed class OrphanContainers(GuardedResource engine, TimeProvider time)
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private int _removed;

    /// <summary>Ends them.</summary>
    public async Task<OrphansEnded> EndAsync()
    {
        string outcome = await EndAllAsync().ConfigureAwait(false);
        return new OrphansEnded(Volatile.Read(ref _removed), outcome);
    }

    private async Task<string> EndAllAsync()
    {
        if (EngineAddress.OfLine(engine.Address) is not { } place)
        {
            return "What was told is no address of an engine";
        }

        using var client = new EngineClient(place, time);
        if (await client.ConnectAsync(CancellationToken.None).ConfigureAwait(false) is { } error)
        {
            return $"Containers are left for the next start of the gateway: {error.Message}";
        }

        List<Task> ending = [];
        for (var quiet = 0; quiet < DockerLimits.OrphanQuietLooks || ending.Exists(static task => !task.IsCompleted); )
        {
            var reply = await client.ListAsync(ContainerLabels.Process, engine.Owner, CancellationToken.None).ConfigureAwait(false);
            if (reply.Error is { } lost)
            {
                return $"Containers are left for the next start of the gateway: {lost}";
            }

            var found = reply.Value!.Where(container => _asked.Add(container.ID)).ToList();
            ending.AddRange(found.Select(container => EndAsync(client, container)));
            quiet = found.Count == 0 ? quiet + 1 : 0;
            await Task.Delay(TimeSpan.FromMilliseconds(DockerLimits.OrphanLookMs), time, CancellationToken.None).ConfigureAwait(false);
        }

        return "The gateway's containers have been removed";
    }

    private async Task EndAsync(EngineClient client, ContainerListResponse container)
    {
        if (await OwnContainers.DoubtAsync(client, container, CancellationToken.None).ConfigureAwait(false) is not null)
        {
            return;
        }

        var isNumber = long.TryParse(
            ContainerLabels.Find(container.Labels, ContainerLabels.Grace),
            NumberStyles.None,
            CultureInfo.InvariantCulture,
            out var graceSecs
        );
        await client.StopAsync(container.ID, isNumber ? graceSecs : 0).ConfigureAwait(false);
        if (await client.RemoveAsync(container.ID).ConfigureAwait(false) is null or { IsNotFound: true })
        {
            Interlocked.Increment(ref _removed);
        }
    }
}
