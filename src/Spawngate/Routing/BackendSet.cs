using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Workloads;

namespace Spawngate.Routing;

/// <summary>What a reload changed.</summary>
/// <param name="Added">Backends that are new.</param>
/// <param name="Removed">Backends that are gone: they drain and stop.</param>
/// <param name="Updated">Backends with changed settings.</param>
internal readonly record struct ReloadCounts(int Added, int Removed, int Updated);

/// <summary>
/// Owns the backends of a gateway: makes them from the configuration, applies reloads, and ends them all. Requests only read
/// <see cref="Table"/>, once each.
/// </summary>
internal sealed class BackendSet
{
    private readonly BackendEnvironment _env;
    private readonly Lock _gate = new();
    private readonly List<Backend> _ending = [];
    private Dictionary<string, Backend> _byName = new(StringComparer.Ordinal);
    private IReadOnlyList<Backend> _all = [];
    private BackendTable _table = BackendTable.Empty;
    private int _reloads;
    private bool _closed;

    /// <summary>Makes the backends of <paramref name="config"/>, all stopped.</summary>
    public BackendSet(BackendEnvironment env, GatewayConfig config)
    {
        _env = env;
        Sessions = new SessionSet(env);
        env.Histories.Members = () => All.Concat(Sessions.Backends).Select(static backend => backend.KnownHistory).OfType<EventHistory>();
        Apply(config);
    }

    /// <summary>The current table.</summary>
    public BackendTable Table => Volatile.Read(ref _table);

    /// <summary>All backends in the order of the file.</summary>
    public IReadOnlyList<Backend> All => Volatile.Read(ref _all);

    /// <summary>The backends that calls have made: they live once, and beside the file.</summary>
    public SessionSet Sessions { get; }

    /// <summary>What is counted of the gateway as a whole.</summary>
    public GatewayTraffic Traffic => _env.Traffic;

    /// <summary>The backend for the value of a Host header or :authority; null when there is none.</summary>
    public Backend? Find(ReadOnlySpan<byte> host) => Table.Find(host);

    /// <summary>
    /// The backend of that name, which is its host unless the file gives it another, a wildcard only under its own; or the session of that
    /// host.
    /// </summary>
    public Backend? FindByName(string name)
    {
        var key = name.ToLowerInvariant().TrimEnd('.');
        lock (_gate)
        {
            if (_byName.TryGetValue(key, out var backend))
            {
                return backend;
            }
        }

        return Sessions.FindHost(key);
    }

    /// <summary>
    /// Applies a valid configuration: new backends are routable when this returns, removed ones drain and stop, the rest go on.
    /// </summary>
    /// <param name="config">The configuration.</param>
    /// <param name="onRemoved">Called with the name of each removed backend.</param>
    public ReloadCounts Apply(GatewayConfig config, Action<string>? onRemoved = null)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return default;
            }

            _env.Ports.SetFixed(config.Backends.Select(static settings => settings.FixedPort));
            Sessions.Apply(config.Sessions);
            _ending.RemoveAll(static backend => backend.Ended.IsCompleted);
            var removed = RemoveMissing(config, onRemoved);
            var ending = new EndingBackends(_ending);
            var (added, updated) = (0, 0);
            var hasMoved = false;
            var all = new Backend[config.Backends.Count];
            for (var i = 0; i < all.Length; i++)
            {
                var settings = config.Backends[i];
                if (!_byName.TryGetValue(settings.Name, out var backend))
                {
                    backend = new Backend(_env, settings, ending.PredecessorsOf(settings));
                    added++;
                }
                else if (!backend.Config.HasSameSettings(settings))
                {
                    hasMoved |= backend.Config.Route != settings.Route;
                    backend.Reconfigure(settings);
                    updated++;
                }

                all[i] = backend;
            }

            if (added + removed > 0 || hasMoved || _reloads == 1)
            {
                _byName = all.ToDictionary(static backend => backend.Name, StringComparer.Ordinal);
                Volatile.Write(ref _table, new BackendTable(all, Sessions.Index));
            }

            Volatile.Write(ref _all, all);
            return new ReloadCounts(added, removed, updated);
        }
    }

    /// <summary>
    /// Drains and stops all backends in parallel, removed ones included, and completes when the last has ended: each takes at most its
    /// drain timeout, grace period and <see cref="WorkloadLimits.KillWaitMs"/>. No backend starts again.
    /// </summary>
    public Task StopAllAsync() => CloseAllAsync(LifecycleInput.GatewayStop);

    /// <summary>
    /// How long <see cref="StopAllAsync"/> takes at most, in milliseconds: what runs at this moment, and what is already ending.
    /// </summary>
    public long StopMsMax()
    {
        lock (_gate)
        {
            return _all.Concat(_ending)
                .Concat(Sessions.Backends)
                .Where(static backend => backend.Word.Phase != BackendPhase.Stopped)
                .Select(static backend =>
                    (backend.Config.DrainTimeoutSecs + (long)backend.Config.ShutdownGracePeriodSecs) * 1000 + WorkloadLimits.KillWaitMs
                )
                .DefaultIfEmpty()
                .Max();
        }
    }

    /// <summary>Cuts what is in flight and kills everything at once; completes when the last has ended.</summary>
    public Task KillAllAsync() => CloseAllAsync(LifecycleInput.KillNow);

    private Task CloseAllAsync(LifecycleInput input)
    {
        lock (_gate)
        {
            _closed = true;
            var ending = new List<Task>(_all.Count + _ending.Count);
            foreach (var backend in _all.Concat(_ending))
            {
                backend.Close(input);
                ending.Add(backend.Ended);
            }

            ending.AddRange(Sessions.Close(input));
            return Task.WhenAll(ending);
        }
    }

    private int RemoveMissing(GatewayConfig config, Action<string>? onRemoved)
    {
        _reloads++;
        foreach (var settings in config.Backends)
        {
            if (_byName.TryGetValue(settings.Name, out var kept))
            {
                kept.SeenInReload = _reloads;
            }
        }

        var removed = 0;
        foreach (var backend in _all)
        {
            if (backend.SeenInReload != _reloads)
            {
                Remove(backend);
                onRemoved?.Invoke(backend.Name);
                removed++;
            }
        }

        return removed;
    }

    private void Remove(Backend backend)
    {
        backend.Close(LifecycleInput.Remove);
        if (!backend.Ended.IsCompleted)
        {
            _ending.Add(backend);
        }
    }
}
