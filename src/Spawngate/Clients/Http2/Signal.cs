using System.Threading.Tasks.Sources;

namespace Spawngate.Clients.Http2;

/// <summary>
/// Something that one task awaits and another sets, again and again, without allocation. Who sets it runs the awaiting task on.
/// </summary>
/// <remarks>One <see cref="Set"/> for each <see cref="Reset"/>; it may come before the wait.</remarks>
internal sealed class Signal : IValueTaskSource
{
    private ManualResetValueTaskSourceCore<bool> _core;

    /// <summary>Prepares for the next <see cref="Set"/>.</summary>
    public void Reset() => _core.Reset();

    /// <summary>Lets the waiting task go on, here and now.</summary>
    public void Set() => _core.SetResult(true);

    /// <summary>Waits for <see cref="Set"/>.</summary>
    public ValueTask WaitAsync() => new(this, _core.Version);

    /// <inheritdoc/>
    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
