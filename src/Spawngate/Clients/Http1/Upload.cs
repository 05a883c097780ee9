using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Clients.Http1;

/// <summary>Hears of the end of an <see cref="Upload"/>.</summary>
internal interface IUploadWatcher : IProgressWatch
{
    /// <summary>The pump has ended; runs before the upload says so itself.</summary>
    /// <param name="outcome">How.</param>
    /// <param name="unexpected">The failure of the gateway itself that ended it, else null.</param>
    void OnUploadEnded(PumpOutcome outcome, Exception? unexpected);
}

/// <summary>
/// The request body on its way from the client to the backend, beside the response. Belongs to the connection and is used again for each
/// request.
/// </summary>
/// <remarks>
/// <code>
///  Reset ──▶ nothing pending                                  (no body, or all of it went out with the head)
///    │
///    └─────▶ pending, held ── Begin ──▶ pending, running ─┬─▶ complete: not pending
///                                          Discard ───────┴─▶ ended otherwise: still pending, its rest is unread
/// </code>
/// </remarks>
internal sealed class Upload(IUploadWatcher watcher)
{
    private BodyPump? _pump;
    private Task<PumpOutcome>? _running;
    private volatile bool _pending;
    private volatile bool _awaitsContinue;
    private volatile bool _hasLength;

    /// <summary>True while body bytes are still to be taken from the client.</summary>
    public bool IsPending => _pending;

    /// <summary>True once <see cref="Begin"/> was called for this request.</summary>
    public bool IsBegun => _running is not null;

    /// <summary>True while the pump runs.</summary>
    public bool IsRunning => _running is { IsCompleted: false };

    /// <summary>
    /// True while it is the client whose bytes are missing, and nothing tells that it waits itself for a 100 that the backend owes.
    /// </summary>
    public bool AwaitsClient => IsRunning && !_awaitsContinue && _pump!.AwaitsSource;

    /// <summary>True when the client has said how long the body is.</summary>
    public bool HasLength => _hasLength;

    /// <summary>Bytes of the body that it has taken from the client.</summary>
    public long BodyBytes => _pump?.BodyBytes ?? 0;

    /// <summary>Its pump; free for other use when nothing runs.</summary>
    public BodyPump Pump => _pump ??= new BodyPump(watcher);

    /// <summary>Prepares for a request.</summary>
    /// <param name="pending">True when body bytes are still to be taken from the client.</param>
    /// <param name="expectsContinue">True when the client asked for a 100 before it sends them.</param>
    public void Reset(bool pending, bool expectsContinue)
    {
        _running = null;
        _pump?.Forget();
        _pending = pending;
        _awaitsContinue = expectsContinue;
    }

    /// <summary>The client was told to go on.</summary>
    public void OnContinue() => _awaitsContinue = false;

    /// <summary>The head went out: what is left of the body after the bytes that went with it.</summary>
    public void SetRest(BodyFraming framing, int sentWithHead) => _pending = !new BodyReader(framing, sentWithHead).IsComplete;

    /// <summary>Begins to pump. <see cref="IUploadWatcher.OnUploadEnded"/> tells of the end.</summary>
    public void Begin(SocketChannel client, BodyFraming framing, int sentWithHead, SocketChannel upstream)
    {
        _hasLength = framing.Kind == BodyKind.Length;
        Pump.Begin(client, new BodyReader(framing, sentWithHead), upstream, framing.Kind == BodyKind.Chunked);
        _running = RunAsync();
    }

    /// <summary>From now on the body is read and thrown away: its receiver does not want it any more.</summary>
    public void Discard() => _pump!.Discard();

    /// <summary>
    /// True when it ends within a moment. A body of which the last bytes are being sent has only not heard yet that the backend took them:
    /// it is not worth its connection.
    /// </summary>
    public async ValueTask<bool> EndsSoonAsync(TimeProvider time)
    {
        if (_pump!.IsSourceComplete)
        {
            await ((Task)_running!)
                .WaitAsync(TimeSpan.FromMilliseconds(ConnectionLimits.UploadEndMs), time, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return !IsRunning;
    }

    /// <summary>Waits for the end. True when all of the body has been read; also when there was nothing to read.</summary>
    public async ValueTask<bool> EndedAsync() =>
        _running is null ? !_pending : await _running.ConfigureAwait(false) == PumpOutcome.Complete;

    private async Task<PumpOutcome> RunAsync()
    {
        PumpOutcome outcome;
        Exception? unexpected = null;
        try
        {
            outcome = await _pump!.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            outcome = PumpOutcome.SourceCut;
            unexpected = e;
        }

        try
        {
            watcher.OnUploadEnded(outcome, unexpected);
        }
        catch (Exception fault)
        {
            // Never out of here: whoever waits for the end has a backend and a client's place to give back.
            CallbackGuard.OnFault(fault, nameof(Upload), watcher);
            return PumpOutcome.SourceCut;
        }

        if (outcome == PumpOutcome.Complete)
        {
            _pending = false;
        }

        return outcome;
    }
}
