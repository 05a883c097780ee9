using Spawngate.Backends.Probing;

namespace Spawngate.Tests.Fakes;

/// <summary>A health probe that answers when the test says so.</summary>
internal sealed class ScriptedProbe(ProbeTarget target) : IHealthProbe
{
    private TaskCompletionSource? _ready;
    private TaskCompletionSource<ProbeResult>? _check;
    private Action? _listening;

    public ProbeTarget Target { get; } = target;

    public string? LastDetail { get; set; }

    public bool IsDisposed { get; private set; }

    public bool AwaitsReady => _ready is { Task.IsCompleted: false };

    public bool AwaitsCheck => _check is { Task.IsCompleted: false };

    public int Checks { get; private set; }

    public int LastTimeoutMs { get; private set; }

    public async Task WaitUntilReadyAsync(Action listening, CancellationToken cancel)
    {
        _listening = listening;
        _ready = new TaskCompletionSource();
        await using var registration = cancel.Register(() => _ready.TrySetCanceled(cancel));
        await _ready.Task.ConfigureAwait(false);
    }

    public async Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel)
    {
        Checks++;
        LastTimeoutMs = timeoutMs;
        _check = new TaskCompletionSource<ProbeResult>();
        await using var registration = cancel.Register(() => _check.TrySetCanceled(cancel));
        return await _check.Task.ConfigureAwait(false);
    }

    public void Listen() => _listening!();

    public void Ready() => _ready!.SetResult();

    public void Answer(bool healthy) => _check!.SetResult(new ProbeResult(healthy, healthy ? "status 200" : "status 500"));

    /// <summary>The check could not be made at all.</summary>
    public void CannotAsk() => _check!.SetResult(new ProbeResult(false, "no file descriptor is left") { WasAsked = false });

    public void Dispose() => IsDisposed = true;
}
