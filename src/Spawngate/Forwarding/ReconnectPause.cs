namespace Spawngate.Forwarding;

/// <summary>The wait between two attempts to connect, which an abort ends.</summary>
internal sealed class ReconnectPause
{
    private readonly TaskCompletionSource _cut = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Passes after so long, or when it is cut.</summary>
    public async Task PassAsync(TimeSpan length, TimeProvider time) =>
        await _cut.Task.WaitAsync(length, time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Passes after so long, when it is cut, or when something has happened.</summary>
    public async Task PassAsync(TimeSpan length, TimeProvider time, Task happened) =>
        await ((Task)Task.WhenAny(_cut.Task, happened))
            .WaitAsync(length, time, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Ends it; from any thread.</summary>
    public void Cut() => _cut.TrySetResult();
}
