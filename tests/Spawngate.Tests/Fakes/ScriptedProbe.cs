using Spawngate.Backends.Probing;

namespace Spawngate.Tests.Fakes;

/// <summary>A health probe that answers when the test says so.</summary>
internal sealed class ScriptedProbe(ProbeTarget target) : IHealthProbe
{
    private TaskCompletionSource<ReadyFinding>? _ready;
    private TaskCompletionSource<ProbeResult>? _check;
    private Action? _listening;

    public ProbeTarget Target { get; } = target;

    public string? LastDetail { get; set; }

    public bool IsDisposed { get; private set; }

    public bool AwaitsReady => _ready is { Task.IsCompleted: false };

    public bool AwaitsCheck => _check is { Task.IsCompleted: false };

    public int Checks { get; private set; }

    public int LastTimeoutMs { get; private set; }

    /// <summary>Whether the instance has said that it is ready.</summary>
    public bool HasItsWord { get; private set; }

    public async Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel)
    {
        _listening = listening;
        _ready = new TaskCompletionSource<ReadyFinding>();
        await using var registration = cancel.Register(() => _ready.TrySetCanceled(cancel));
        return await _ready.Task.ConfigureAwait(false);
    }

    public void TakeItsWord() => HasItsWord = true;

    public async Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel)
    {
        Checks++;
        LastTimeoutMs = timeoutMs;
        _check = new TaskCompletionSource<ProbeResult>();
        await using var registration = cancel.Register(() => _check.TrySetCanceled(cancel));
        return await _check.Task.ConfigureAwait(false);
    }

    public void Listen() => _listening!();

    public void Ready() => _ready!.SetResult(new ReadyFinding(null, "GET /health answered 200") { ByItsWord = HasItsWord });

    public void Answer(bool healthy) => Answer(new ProbeResult(healthy, healthy ? "status 200" : "status 500"));

    public void Answer(ProbeResult result) => _check!.SetResult(result);

    /// <summary>The check could not be made at all.</summary>
    public void CannotAsk() => _check!.SetResult(new ProbeResult(false, "no file descriptor is left") { WasAsked = false });

    public void Dispose() => IsDisposed = true;
}
