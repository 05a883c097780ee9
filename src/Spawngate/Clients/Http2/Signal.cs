using System.Threading.Tasks.Sources;

namespace Spawngate.Clients.Http2;

/// <summary>
/// Something that one task awaits and another sets, again and again, without allocation. Who sets it runs the awaiting task on.
/// </summary>
/// <typeparam name="T">What the setter has to say.</typeparam>
/// <remarks>One <see cref="Set"/> for each <see cref="Reset"/>; it may come before the wait.</remarks>
internal sealed class Signal<T> : IValueTaskSource<T>
{
    private ManualResetValueTaskSourceCore<T> _core;

    /// <summary>Prepares for the next <see cref="Set"/>.</summary>
    public void Reset() => _core.Reset();

    /// <summary>Lets the waiting task go on, here and now, with that result.</summary>
    public void Set(T result) => _core.SetResult(result);

    /// <summary>Waits for <see cref="Set"/>.</summary>
    public ValueTask<T> WaitAsync() => new(this, _core.Version);

    /// <inheritdoc/>
    T IValueTaskSource<T>.GetResult(short token) => _core.GetResult(token);

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource<T>.GetStatus(short token) => _core.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource<T>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
