namespace Spawngate.Workloads.Docker;

/// <summary>
/// Keeps the event stream of one engine open, from the first need of the engine to the end of the gateway, so that no end of a container is
/// missed: whenever a stream begins, what happened before it is read off a list.
/// <code>
///   connecting ──stream open──▶ connected: sweep beside the events ──stream ended──┐
///       ▲   │ failed                                                               │
///       │   ▼                                                                      │
///       └─ waiting (all instances lost after a while; cut short by a start) ◀── at once ┘
/// </code>
/// </summary>
internal sealed class EngineWatch(DockerEngine engine, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _stop = new();
    private TaskCompletionSource<EngineError?> _attempt = NewAttempt();
    private TaskCompletionSource _hurry = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? _running;
    private Task _sweep = Task.CompletedTask;
    private bool _isConnected;
    private bool _wasConnected;

    /// <summary>
    /// Waits until the stream is open and left-overs are removed. An engine that was there before gets a moment to come back, as at its
    /// restart; the failure of one that never was is told at once.
    /// </summary>
    /// <returns>Why there is no connection.</returns>
    public async Task<EngineError?> ConnectedAsync(CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        while (true)
        {
            Task<EngineError?> attempt;
            lock (_gate)
            {
                _running ??= Task.Run(RunAsync, CancellationToken.None);
                if (_isConnected)
                {
                    break;
                }

                attempt = _attempt.Task;
                _hurry.TrySetResult();
            }

            if (await attempt.WaitAsync(cancel).ConfigureAwait(false) is not { } error)
            {
                break;
            }

            if (!_wasConnected || !error.IsLoss || time.GetElapsedTime(began).TotalMilliseconds >= DockerLimits.EngineReturnMs)
            {
                return error;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(DockerLimits.EngineRetryMs), time, cancel).ConfigureAwait(false);
        }

        await _sweep.WaitAsync(cancel).ConfigureAwait(false);
        return null;
    }

    /// <summary>Closes the stream.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        Task? running;
        lock (_gate)
        {
            running = _running;
            _attempt.TrySetResult(new EngineError(EngineFault.Unreachable, "connect", 0, "the gateway stops"));
        }

        await (running ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _sweep.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static TaskCompletionSource<EngineError?> NewAttempt() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task RunAsync()
    {
        var cancel = _stop.Token;
        var failures = 0;
        long lostAt = 0;
        while (!cancel.IsCancellationRequested)
        {
            var error = await FollowAsync(cancel).ConfigureAwait(false);
            if (_isConnected)
            {
                OnEnded(error, cancel);
                failures = 0;
                lostAt = time.GetTimestamp();
                continue;
            }

            var lostForMs = lostAt == 0 ? 0 : time.GetElapsedTime(lostAt).TotalMilliseconds;
            if (lostForMs >= (error.Fault == EngineFault.Unreachable ? DockerLimits.EngineGoneMs : DockerLimits.EngineSilentMs))
            {
                engine.LoseRuns(error);
            }

            await PauseAsync(failures++, error, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Opens the stream and follows it to its end.</summary>
    private async Task<EngineError> FollowAsync(CancellationToken cancel)
    {
        try
        {
            return await engine.Client.ConnectAsync(cancel).ConfigureAwait(false)
                ?? await engine
                    .Client.FollowEventsAsync(
                        ContainerLabels.Process,
                        engine.Identity.Process,
                        () => OnOpened(cancel),
                        engine.OnEvent,
                        cancel
                    )
                    .ConfigureAwait(false)
                ?? new EngineError(EngineFault.Broken, "GET /events", 0, "the event stream has ended");
        }
        catch (OperationCanceledException)
        {
            return new EngineError(EngineFault.Unreachable, "connect", 0, "the gateway stops");
        }
    }

    private void OnOpened(CancellationToken cancel)
    {
        lock (_gate)
        {
            _isConnected = true;
            _wasConnected = true;
            _sweep = engine.SweepAsync(cancel);
            _attempt.TrySetResult(null);
            _attempt = NewAttempt();
        }

        DockerLog.Connected(engine.Log, engine.Client.Address.Text, engine.Client.ApiVersion!.ToString());
    }

    private void OnEnded(EngineError error, CancellationToken cancel)
    {
        lock (_gate)
        {
            _isConnected = false;
        }

        if (!cancel.IsCancellationRequested)
        {
            DockerLog.Lost(engine.Log, engine.Client.Address.Text, error.ToString());
        }
    }

    /// <summary>Waits longer with each failure, unless somebody needs the engine now.</summary>
    private async Task PauseAsync(int failures, EngineError error, CancellationToken cancel)
    {
        Task hurry;
        lock (_gate)
        {
            _attempt.TrySetResult(error);
            _attempt = NewAttempt();
            _hurry = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            hurry = _hurry.Task;
        }

        var pauseMs = Math.Min(
            DockerLimits.EnginePauseMs,
            DockerLimits.EngineRetryMs << Math.Min(failures, DockerLimits.EngineDoublingsMax)
        );
        var pause = Task.Delay(TimeSpan.FromMilliseconds(pauseMs), time, cancel);
        await Task.WhenAny(hurry, pause).ConfigureAwait(false);
    }
}
