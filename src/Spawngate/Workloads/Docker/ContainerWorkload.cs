using System.Globalization;

namespace Spawngate.Workloads.Docker;

/// <summary>Which container an instance is.</summary>
/// <param name="Id">Its whole id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Image">The image reference it was created from.</param>
internal sealed record ContainerIdentity(string Id, string Name, string Image)
{
    private const int ShownDigits = 12;

    /// <summary>An id as Docker shows it.</summary>
    public static string Shorten(string id) => id.Length > ShownDigits ? id[..ShownDigits] : id;

    /// <inheritdoc/>
    public override string ToString() => $"container {Shorten(Id)}, {Name}, image {Image}";
}

/// <summary>
/// One container of ours, from its creation to its removal.
/// <code>
///   Created ──start──▶ Running ──die event, found dead, killed, engine lost──▶ Ended ──▶ removed beside what follows
///      └────────────── launch failed or cancelled ───────────────────────────────────────▶ removed
/// </code>
/// </summary>
internal sealed class ContainerWorkload : IWorkload
{
    private readonly DockerEngine _engine;
    private readonly TaskCompletionSource<ExitReport> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _healthChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ended;
    private volatile bool _started;
    private volatile bool _outOfMemory;

    /// <summary>Makes the instance of a container that was just created.</summary>
    public ContainerWorkload(
        DockerEngine engine,
        string runId,
        string id,
        string backend,
        ContainerIdentity identity,
        ContainerOutput output
    )
    {
        _engine = engine;
        RunId = runId;
        Id = id;
        Backend = backend;
        Container = identity;
        Output = output;
    }

    /// <summary>Value of its <see cref="ContainerLabels.Run"/>.</summary>
    public string RunId { get; }

    /// <summary>Its whole id.</summary>
    public string Id { get; }

    /// <summary>The backend it serves.</summary>
    public string Backend { get; }

    /// <summary>The container.</summary>
    public ContainerIdentity Container { get; }

    /// <summary>What it writes.</summary>
    public ContainerOutput Output { get; }

    /// <summary>Whether the engine has said that it started it.</summary>
    public bool IsStarted => _started;

    /// <summary>Whether it is known to have ended.</summary>
    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    /// <inheritdoc/>
    public string Description => Container.ToString();

    /// <inheritdoc/>
    public IReadOnlyList<KeyValuePair<string, string>> Facts =>
        [new(DockerKind.ContainerIdField, Container.Id), new(DockerKind.ContainerNameField, Container.Name)];

    /// <inheritdoc/>
    public int? Pid => null;

    /// <inheritdoc/>
    public Task<ExitReport> Exited => _exited.Task;

    /// <inheritdoc/>
    public bool TellsHealth { get; init; }

    /// <inheritdoc/>
    public Task HealthChanged => Volatile.Read(ref _healthChanged).Task;

    /// <inheritdoc/>
    public async Task<HealthFinding> FindHealthAsync(CancellationToken cancel)
    {
        var reply = await _engine.Client.InspectAsync(Id, cancel).ConfigureAwait(false);
        return reply.Value is { } details ? ContainerHealth.Of(details.State?.Health) : new HealthFinding(null, reply.Error!.ToString());
    }

    /// <summary>The image's check has come to another result.</summary>
    public void MarkHealthChanged() =>
        Interlocked
            .Exchange(ref _healthChanged, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))
            .TrySetResult();

    /// <summary>The engine has started it.</summary>
    public void MarkStarted() => _started = true;

    /// <summary>The kernel has ended something in it for want of memory; its end, if this was its end, follows.</summary>
    public void MarkOutOfMemory() => _outOfMemory = true;

    /// <inheritdoc/>
    public void Terminate(long graceMs) => _ = TerminateAsync((graceMs + 999) / 1000);

    /// <inheritdoc/>
    public void Kill() => _ = KillAsync();

    /// <summary>It has ended with a status.</summary>
    public void EndWith(int status) => _ = EndAsync(Describe(status, _outOfMemory), status, DockerLimits.ContainerOutputEndMs);

    /// <summary>It has ended, or is out of reach for ever.</summary>
    public void EndUnknown(string description) => _ = EndAsync(description, null, DockerLimits.ContainerOutputLostMs);

    /// <summary>What an exit status says to people.</summary>
    internal static string Describe(int status, bool outOfMemory)
    {
        var signal = (status - 128) switch
        {
            1 => " (SIGHUP)",
            2 => " (SIGINT)",
            6 => " (SIGABRT)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            15 => " (SIGTERM)",
            _ => "",
        };
        var memory = outOfMemory ? ", out of memory" : "";
        return string.Create(CultureInfo.InvariantCulture, $"exited with status {status}{signal}{memory}");
    }

    private async Task TerminateAsync(long graceSecs)
    {
        if (!HasEnded && await _engine.Client.StopAsync(Id, graceSecs).ConfigureAwait(false) is { } error)
        {
            OnFailed(error);
        }
    }

    private async Task KillAsync()
    {
        if (HasEnded)
        {
            return;
        }

        // Removing a container kills it, but the event that it died of a kill comes sooner this way, and says so.
        var error = await _engine.Client.KillAsync(Id).ConfigureAwait(false);
        if (error is { IsConflict: false })
        {
            OnFailed(error);
        }

        if (await _engine.RemoveAsync(this).ConfigureAwait(false))
        {
            EndUnknown("was killed");
        }
    }

    private void OnFailed(EngineError error)
    {
        if (error.IsNotFound)
        {
            EndUnknown("was removed by somebody else");
        }
        else if (!HasEnded)
        {
            DockerLog.CallFailed(_engine.Log, Backend, Container.Name, error.ToString());
        }
    }

    private async Task EndAsync(string description, int? status, int outputMs)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
        {
            return;
        }

        var lines = await Output.FinishAsync(TimeSpan.FromMilliseconds(outputMs)).ConfigureAwait(false);
        // Before the end is known, so that whoever starts the next one finds the removal to wait for.
        _ = _engine.RemoveAsync(this);
        _exited.TrySetResult(new ExitReport(description, status, lines));
    }
}
