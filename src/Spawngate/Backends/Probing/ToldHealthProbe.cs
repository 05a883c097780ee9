using Spawngate.Workloads;

namespace Spawngate.Backends.Probing;

/// <summary>
/// Health as the kind of the instance tells it (<see cref="IWorkload.FindHealthAsync"/>), such as the engine that runs the HEALTHCHECK of
/// an image. It is asked at each change that it tells of, and now and then besides: for what the check says meanwhile, and should a
/// change have been missed.
/// </summary>
/// <param name="workload">The instance.</param>
/// <param name="time">The time.</param>
internal sealed class ToldHealthProbe(IWorkload workload, TimeProvider time) : IHealthProbe
{
    private volatile string? _lastDetail;

    /// <inheritdoc/>
    public string? LastDetail => _lastDetail;

    /// <inheritdoc/>
    public async Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            // Taken before it is asked, so that no change falls in between.
            var changed = workload.HealthChanged;
            var finding = await workload.FindHealthAsync(cancel).ConfigureAwait(false);
            _lastDetail = finding.Detail;
            if (finding.IsHealthy == true)
            {
                listening();
                return new ReadyFinding(null, finding.Detail);
            }

            var pause = Task.Delay(TimeSpan.FromMilliseconds(ProbeLimits.ToldHealthMs), time, cancel);
            await Task.WhenAny(changed, pause).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        HealthFinding finding;
        try
        {
            finding = await workload.FindHealthAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            finding = new HealthFinding(null, $"no answer within {timeoutMs} ms");
        }

        _lastDetail = finding.Detail;
        // That nobody knows says nothing about the instance.
        return new ProbeResult(finding.IsHealthy != false, finding.Detail) { WasAsked = finding.IsHealthy is not null };
    }

    /// <summary>No effect: an instance whose kind tells its health is never asked who listens.</summary>
    public void TakeItsWord() { }

    /// <inheritdoc/>
    public void Dispose() { }
}
