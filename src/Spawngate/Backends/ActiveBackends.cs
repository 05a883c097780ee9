using Spawngate.Runtime;

namespace Spawngate.Backends;

/// <summary>
/// The lifecycles that are not stopped. One tick for all of them compares one number each; only those whose earliest
/// deadline has passed get a message. Stopped backends are not in here and cost nothing.
/// </summary>
internal sealed class ActiveBackends : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<BackendLifecycle> _active = [];
    private readonly CoarseClock _clock;

    /// <summary>Starts to listen to the tick of <paramref name="clock"/>.</summary>
    public ActiveBackends(CoarseClock clock)
    {
        _clock = clock;
        _clock.Tick += OnTick;
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _active.Count;
            }
        }
    }

    /// <summary>Adds a lifecycle that leaves Stopped.</summary>
    public void Add(BackendLifecycle lifecycle)
    {
        lock (_gate)
        {
            if (lifecycle.ActiveIndex < 0)
            {
                lifecycle.ActiveIndex = _active.Count;
                _active.Add(lifecycle);
            }
        }
    }

    /// <summary>Removes a lifecycle that is Stopped: the last one takes its place.</summary>
    public void Remove(BackendLifecycle lifecycle)
    {
        lock (_gate)
        {
            var index = lifecycle.ActiveIndex;
            if (index < 0)
            {
                return;
            }

            var last = _active[^1];
            _active[index] = last;
            last.ActiveIndex = index;
            _active.RemoveAt(_active.Count - 1);
            lifecycle.ActiveIndex = -1;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _clock.Tick -= OnTick;

    private void OnTick()
    {
        var nowMs = _clock.NowMs;
        lock (_gate)
        {
            foreach (var lifecycle in _active)
            {
                try
                {
                    lifecycle.PostIfDue(nowMs);
                }
                catch (Exception fault)
                {
                    CallbackGuard.OnFault(fault, nameof(ActiveBackends), owner: null);
                    lifecycle.RemainDue(nowMs);
                }
            }
        }
    }
}
