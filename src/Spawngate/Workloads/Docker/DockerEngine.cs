using System.Collections.Concurrent;
using System.Globalization;
using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// One engine and our containers on it. Whoever creates a container has registered its instance before: what we have created by
/// <see cref="OwnContainers"/> and is not registered is left over, and is removed.
/// </summary>
internal sealed class DockerEngine
{
    /// <summary>The event that the HEALTHCHECK of an image has come to another result, which stands behind it.</summary>
    public const string HealthChanged = "health_status";

    private const string ExitCode = "exitCode";

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, bool> _runs;
    private readonly Dictionary<string, ContainerWorkload?> _instances = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Name, Task<bool> Task)> _removals = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly EngineWatch _watch;
    private readonly TimeProvider _time;
    private readonly HashSet<string> _warned = new(StringComparer.Ordinal);
    private int _unremoved;
    private volatile bool _lacksInit;

    /// <summary>Makes it; nothing is connected yet.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="identity">By what our containers are known.</param>
    /// <param name="log">Its log.</param>
    /// <param name="logins">For pulls.</param>
    /// <param name="time">The time.</param>
    /// <param name="runs">The runs of all engines of this gateway, of which two may be the same one at two addresses.</param>
    public DockerEngine(
        EngineAddress address,
        GatewayIdentity identity,
        ILogger log,
        RegistryLogins logins,
        TimeProvider time,
        ConcurrentDictionary<string, bool> runs
    )
    {
        _runs = runs;
        Client = new EngineClient(address, time);
        Identity = identity;
        Log = log;
        Pulls = new ImagePulls(Client, logins, log, time, _stop.Token);
        _time = time;
        _watch = new EngineWatch(this, time);
    }

    /// <summary>The calls.</summary>
    public EngineClient Client { get; }

    /// <summary>By what our containers are known.</summary>
    public GatewayIdentity Identity { get; }

    /// <summary>Log of category <c>spawngate.docker</c>.</summary>
    public ILogger Log { get; }

    /// <summary>Pulls of images.</summary>
    public ImagePulls Pulls { get; }

    /// <summary>Whether it has no init of its own to put into containers.</summary>
    public bool LacksInit
    {
        get => _lacksInit;
        set => _lacksInit = value;
    }

    /// <summary>Whether a warning is due: the first time that it is asked for this one.</summary>
    public bool MayWarn(string warning)
    {
        lock (_gate)
        {
            return _warned.Count < DockerLimits.VolumeWarningsMax && _warned.Add(warning);
        }
    }

    /// <summary>Waits until the engine answers, its events are followed, and left-overs are removed.</summary>
    /// <returns>Why it cannot be used.</returns>
    public Task<EngineError?> ConnectedAsync(CancellationToken cancel) => _watch.ConnectedAsync(cancel);

    /// <summary>A container is about to be created with this <see cref="ContainerLabels.Run"/>.</summary>
    public void Expect(string runId)
    {
        lock (_gate)
        {
            _instances[runId] = null;
            _runs[runId] = true;
        }
    }

    /// <summary>It was created, and is about to be started.</summary>
    public void Register(ContainerWorkload workload)
    {
        lock (_gate)
        {
            _instances[workload.RunId] = workload;
            _runs[workload.RunId] = true;
        }
    }

    /// <summary>There is no such container, or it is removed.</summary>
    public void Forget(string runId)
    {
        lock (_gate)
        {
            _instances.Remove(runId);
            _runs.TryRemove(runId, out _);
        }
    }

    /// <summary>The instance whose container has that id; null when it is none of ours, or has ended.</summary>
    public ContainerWorkload? LiveWorkloadOf(string id)
    {
        lock (_gate)
        {
            return _instances.Values.FirstOrDefault(workload => workload is { HasEnded: false } && workload.Id == id);
        }
    }

    /// <summary>Removes the container of an instance; however often it is asked, once. True when it is gone.</summary>
    public Task<bool> RemoveAsync(ContainerWorkload workload)
    {
        lock (_gate)
        {
            if (!_removals.TryGetValue(workload.RunId, out var removal))
            {
                removal = (workload.Container.Name, Task.Run(() => RemoveRunAsync(workload), CancellationToken.None));
                _removals.Add(workload.RunId, removal);
            }

            return removal.Task;
        }
    }

    /// <summary>Waits until no removal of a container of that name is under way; of any name, when it is null.</summary>
    public Task RemovalsAsync(string? name)
    {
        lock (_gate)
        {
            List<Task> tasks = [];
            foreach (var (active, task) in _removals.Values)
            {
                if (name is null || active == name)
                {
                    tasks.Add(task);
                }
            }

            return Task.WhenAll(tasks);
        }
    }

    /// <summary>Removes a container that is ours by its labels, but none of our instances. True when it is gone.</summary>
    public Task<bool> RemoveLeftOverAsync(string id, string backend, string name)
    {
        DockerLog.RemovingLeftOver(Log, backend, name);
        return TryRemoveAsync(id, backend, name);
    }

    /// <summary>The answer to a create was lost: if the container exists all the same, now or a little later, it is removed.</summary>
    public void Abandon(string runId, string backend) => _ = AbandonAsync(runId, backend);

    /// <summary>An event of the engine's stream.</summary>
    public void OnEvent(Message message)
    {
        if (message.Actor?.ID is not { } id || LiveWorkloadOf(id) is not { } workload)
        {
            return;
        }

        if (message.Action?.StartsWith(HealthChanged, StringComparison.Ordinal) == true)
        {
            workload.MarkHealthChanged();
        }
        else if (message.Action == "oom")
        {
            workload.MarkOutOfMemory();
        }
        else if (message.Action == "die")
        {
            var isNumber = int.TryParse(
                ContainerLabels.Find(message.Actor.Attributes, ExitCode),
                NumberStyles.AllowLeadingSign,
                CultureInfo.InvariantCulture,
                out var status
            );
            End(workload, isNumber ? status : null);
        }
    }

    /// <summary>The engine does not come back: what it ran is out of reach, and removed when it is there again.</summary>
    public void LoseRuns(EngineError error)
    {
        foreach (var workload in StartedRuns())
        {
            workload.EndUnknown($"was lost with its engine ({error.Message})");
        }
    }

    /// <summary>Reads off a list what no event told: ends what has ended meanwhile, and removes what is left over.</summary>
    public async Task SweepAsync(CancellationToken cancel)
    {
        // Before the list: a container started after it is not on it.
        var started = StartedRuns();
        EngineReply<ContainerListResponse[]> reply;
        try
        {
            reply = await Client.ListAsync(ContainerLabels.Instance, Identity.Instance, cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        if (reply.Value is not { } list)
        {
            DockerLog.CallFailed(Log, "", "", reply.Error!.ToString());
            return;
        }

        Interlocked.Exchange(ref _unremoved, 0);
        var byId = list.ToDictionary(static container => container.ID, StringComparer.Ordinal);
        var checks = started.Select(workload => CheckAsync(workload, byId.GetValueOrDefault(workload.Id), cancel));
        await Task.WhenAll(checks).ConfigureAwait(false);
        foreach (var few in list.Where(IsLeftOver).Chunk(DockerLimits.EngineRemovalsAtOnce))
        {
            await Task.WhenAll(few.Select(left => RemoveIfOursAsync(left, cancel))).ConfigureAwait(false);
        }
    }

    /// <summary>Ends everything that goes on beside the instances, which have ended, and waits for removals for a bounded time.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        var removals = RemovalsAsync(null);
        await Task.WhenAny(removals, Task.Delay(TimeSpan.FromMilliseconds(DockerLimits.EngineStopMs), _time, CancellationToken.None))
            .ConfigureAwait(false);
        await _watch.StopAsync().ConfigureAwait(false);
        int left;
        lock (_gate)
        {
            left = _instances.Count + Volatile.Read(ref _unremoved);
        }

        if (left > 0)
        {
            DockerLog.LeftBehind(Log, Client.Address.Text, left);
        }

        Client.Dispose();
    }

    private static string NameOf(ContainerListResponse container) => container.Names is [var name, ..] ? name.TrimStart('/') : container.ID;

    private static string? LabelOf(ContainerListResponse container, string label) => ContainerLabels.Find(container.Labels, label);

    private static void End(ContainerWorkload workload, int? status)
    {
        if (status is { } known)
        {
            workload.EndWith(known);
        }
        else
        {
            workload.EndUnknown("has ended");
        }
    }

    private List<ContainerWorkload> StartedRuns()
    {
        lock (_gate)
        {
            return
            [
                .. _instances.Values.OfType<ContainerWorkload>().Where(static workload => workload is { IsStarted: true, HasEnded: false }),
            ];
        }
    }

    private async Task RemoveIfOursAsync(ContainerListResponse left, CancellationToken cancel)
    {
        string? doubt;
        try
        {
            doubt = await OwnContainers.DoubtAsync(Client, left, cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        if (doubt is null)
        {
            await RemoveLeftOverAsync(left.ID, LabelOf(left, ContainerLabels.Host) ?? "", NameOf(left)).ConfigureAwait(false);
        }
        else
        {
            DockerLog.NotOurs(Log, NameOf(left), doubt);
        }
    }

    private bool IsLeftOver(ContainerListResponse container)
    {
        // The engine was asked for the label, but what is not ours is not to be touched on anybody's word.
        if (LabelOf(container, ContainerLabels.Instance) != Identity.Instance)
        {
            return false;
        }

        return LabelOf(container, ContainerLabels.Run) is not { } runId || !_runs.ContainsKey(runId);
    }

    private async Task CheckAsync(ContainerWorkload workload, ContainerListResponse? listed, CancellationToken cancel)
    {
        if (listed is null)
        {
            workload.EndUnknown("was removed by somebody else");
        }
        else if (listed.State is "exited" or "dead")
        {
            try
            {
                var details = await Client.InspectAsync(workload.Id, cancel).ConfigureAwait(false);
                End(workload, (int?)details.Value?.State?.ExitCode);
            }
            catch (OperationCanceledException)
            {
                workload.EndUnknown("has ended");
            }
        }
        else
        {
            workload.MarkHealthChanged(); // Its event may have been missed.
            await workload.Output.ResumeAsync(Client, workload.Id, Log).ConfigureAwait(false);
        }
    }

    private async Task<bool> RemoveRunAsync(ContainerWorkload workload)
    {
        var isGone = await TryRemoveAsync(workload.Id, workload.Backend, workload.Container.Name).ConfigureAwait(false);
        lock (_gate)
        {
            _instances.Remove(workload.RunId);
            _runs.TryRemove(workload.RunId, out _);
            _removals.Remove(workload.RunId);
        }

        return isGone;
    }

    /// <summary>Removes a container. What an engine that cannot be reached keeps is found when it is there again.</summary>
    private async Task<bool> TryRemoveAsync(string id, string backend, string name)
    {
        EngineError? error = null;
        for (var attempt = 0; attempt < DockerLimits.EngineRemoveAttemptsMax; attempt++)
        {
            error = await Client.RemoveAsync(id).ConfigureAwait(false);
            if (error is { IsConflict: true })
            {
                error = await Client.AwaitRemovalAsync(id).ConfigureAwait(false);
            }

            if (error is null or { IsNotFound: true })
            {
                DockerLog.Removed(Log, backend, name);
                return true;
            }

            if (error.IsLoss)
            {
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(DockerLimits.EngineRemovePauseMs), _time, CancellationToken.None)
                .ConfigureAwait(false);
        }

        Interlocked.Increment(ref _unremoved);
        DockerLog.CannotRemove(Log, backend, name, error!.ToString());
        return false;
    }

    private async Task AbandonAsync(string runId, string backend)
    {
        for (var attempt = 0; attempt < DockerLimits.EngineRemoveAttemptsMax; attempt++)
        {
            var reply = await Client.ListAsync(ContainerLabels.Run, runId, CancellationToken.None).ConfigureAwait(false);
            foreach (var container in reply.Value ?? [])
            {
                await TryRemoveAsync(container.ID, backend, NameOf(container)).ConfigureAwait(false);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(DockerLimits.EngineRemovePauseMs), _time, CancellationToken.None)
                .ConfigureAwait(false);
        }

        Forget(runId);
    }
}
