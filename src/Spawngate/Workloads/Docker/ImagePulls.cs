using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Pulls images, each once at a time however many starts wait for it. A pull goes on when the start that began it has given up: images
/// larger than a start timeout would never arrive otherwise, and the next start finds it done, or under way.
/// </summary>
internal sealed class ImagePulls(EngineClient client, RegistryLogins logins, ILogger log, TimeProvider time, CancellationToken stopping)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Task<string?>> _pulls = new(StringComparer.Ordinal);

    /// <summary>Pulls an image, or waits for the pull under way.</summary>
    /// <param name="image">The reference.</param>
    /// <param name="backend">Who needs it, for the log.</param>
    /// <param name="cancel">Ends the wait, not the pull.</param>
    /// <returns>Why it cannot be had; null when it is there.</returns>
    public Task<string?> PullAsync(string image, string backend, CancellationToken cancel)
    {
        lock (_gate)
        {
            if (!_pulls.TryGetValue(image, out var pull))
            {
                pull = Task.Run(() => RunAsync(image, backend), CancellationToken.None);
                _pulls.Add(image, pull);
            }

            return pull.WaitAsync(cancel);
        }
    }

    private async Task<string?> RunAsync(string image, string backend)
    {
        var began = time.GetTimestamp();
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(DockerLimits.PullMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stopping);
        try
        {
            DockerLog.Pulling(log, backend, image);
            var error = await FollowAsync(image, either.Token).ConfigureAwait(false);
            if (error is null)
            {
                DockerLog.Pulled(log, image, (long)time.GetElapsedTime(began).TotalMilliseconds);
            }

            return error;
        }
        catch (OperationCanceledException)
        {
            return stopping.IsCancellationRequested
                ? "the gateway stops"
                : $"image {image} cannot be pulled: it took longer than {DockerLimits.PullMs / 60_000} minutes";
        }
        finally
        {
            lock (_gate)
            {
                _pulls.Remove(image);
            }
        }
    }

    private async Task<string?> FollowAsync(string image, CancellationToken cancel)
    {
        var name = ImageName.Parse(image);
        var progress = new PullProgress(image, log, time);
        var error = await client.PullAsync(name, logins.Find(name.Registry), progress.Take, cancel).ConfigureAwait(false);
        return error is null ? null
            : error.Fault == EngineFault.Refused ? PullFault.Describe(image, error.Message)
            : $"image {image} cannot be pulled: {error}";
    }
}

/// <summary>How far a pull is, told every few seconds.</summary>
internal sealed class PullProgress(string image, ILogger log, TimeProvider time)
{
    private readonly Dictionary<string, long> _bytes = new(StringComparer.Ordinal);
    private readonly HashSet<string> _done = new(StringComparer.Ordinal);
    private long _toldAt = time.GetTimestamp();

    /// <summary>Takes a message of the pull's stream.</summary>
    public void Take(JSONMessage message)
    {
        if (message.ID is { } layer && (_bytes.ContainsKey(layer) || _bytes.Count < DockerLimits.PullLayersMax))
        {
            _bytes[layer] = message.Status == "Downloading" ? message.Progress?.Current ?? 0 : _bytes.GetValueOrDefault(layer);
            if (message.Status is "Pull complete" or "Already exists")
            {
                _done.Add(layer);
            }
        }

        if (time.GetElapsedTime(_toldAt).TotalMilliseconds >= DockerLimits.PullLogMs)
        {
            _toldAt = time.GetTimestamp();
            DockerLog.PullProgress(log, image, _done.Count, _bytes.Count, _bytes.Values.Sum(), message.Status ?? "");
        }
    }
}
