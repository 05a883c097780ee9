namespace Spawngate.Backends;

/// <summary>The removed backends that have to end before a backend may start, because both could not run side by side.</summary>
internal sealed class StartBarrier(IReadOnlyList<Backend> backends)
{
    private IReadOnlyList<Backend> _backends = backends;

    /// <summary>
    /// Whether one of them still runs; <paramref name="ended"/> is then called when it has ended, and the question is to be asked again.
    /// </summary>
    public bool MustWait(Action ended)
    {
        foreach (var backend in _backends)
        {
            if (backend.Lifecycle.End.Notify(ended))
            {
                return true;
            }
        }

        _backends = []; // Nothing of them is needed any more.
        return false;
    }
}
