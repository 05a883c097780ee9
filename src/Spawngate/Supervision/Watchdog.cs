namespace Spawngate.Supervision;

/// <summary>
/// Tells the service manager's watchdog at half of its time that the gateway lives, each time after having made sure. What does not live is
/// not vouched for: the service manager then ends it and starts another.
/// </summary>
internal sealed class Watchdog : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Supervisor _supervisor;
    private readonly Func<CancellationToken, Task<string?>> _findFault;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly Task _watching;

    /// <summary>Begins, if the service manager has a watchdog.</summary>
    /// <param name="supervisor">Whom to tell.</param>
    /// <param name="findFault">Null when the gateway lives, else what does not; gives up with its token.</param>
    /// <param name="log">Log of category <c>spawngate.supervisor</c>.</param>
    /// <param name="time">The time.</param>
    public Watchdog(Supervisor supervisor, Func<CancellationToken, Task<string?>> findFault, ILogger log, TimeProvider time)
    {
        _supervisor = supervisor;
        _findFault = findFault;
        _log = log;
        _time = time;
        _watching = supervisor.WatchdogTimeout is { } timeout ? WatchAsync(timeout) : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task WatchAsync(TimeSpan timeout)
    {
        SupervisionLog.Watched(_log, (long)timeout.TotalMilliseconds);
        var half = TimeSpan.FromMilliseconds(Math.Max(1, timeout.TotalMilliseconds / 2));
        using var timer = new PeriodicTimer(half, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                using var silence = new CancellationTokenSource(half, _time);
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, _stop.Token);
                string? fault = await _findFault(limit.Token).ConfigureAwait(false);
                _stop.Token.ThrowIfCancellationRequested();
                if (fault is null)
                {
                    await _supervisor.AliveAsync().ConfigureAwait(false);
                }
                else
                {
                    SupervisionLog.NotAlive(_log, fault);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway has stopped.
        }
    }
}
