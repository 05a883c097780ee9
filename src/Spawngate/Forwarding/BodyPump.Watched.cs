using System.Runtime.CompilerServices;

namespace Spawngate.Forwarding;

/// <content>One direction of a WebSocket whose frames are told apart.</content>
internal sealed partial class BodyPump
{
    /// <summary>
    /// Moves one direction of a tunnel like <see cref="RunAsync"/>, and shows it to a watch before it is sent on. It stays out of the
    /// kernel's pipes, where nobody could look at it.
    /// </summary>
    /// <param name="watch">The watch.</param>
    /// <param name="fromBackend">True for the direction from the backend to the client.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<PumpOutcome> RunWatchedAsync(WebSocketWatch watch, bool fromBackend)
    {
        Filled = Source.IsFull;
        Show(watch, fromBackend, Source.ReceivedLength);
        while (true)
        {
            if (Source.ReceivedLength > 0 && !await SendOnAsync().ConfigureAwait(false))
            {
                return PumpOutcome.SinkFailed;
            }

            if (fromBackend && watch.TakesOver(hasEnded: false))
            {
                return await SendOnAsync().ConfigureAwait(false) ? PumpOutcome.Complete : PumpOutcome.SinkFailed;
            }

            await TakeTurnAsync(0).ConfigureAwait(false);
            GrowBuffer();
            BeginWait();
            int received = await Source.ReceiveAsync().ConfigureAwait(false);
            EndWait();
            if (received > 0)
            {
                TurnBytes += received;
                NoteReceived(received);
                Show(watch, fromBackend, received);
                continue;
            }

            if (received < 0)
            {
                return PumpOutcome.SourceCut;
            }

            return !fromBackend || !watch.TakesOver(hasEnded: true) || await SendOnAsync().ConfigureAwait(false)
                ? PumpOutcome.Complete
                : PumpOutcome.SinkFailed;
        }
    }

    private void Show(WebSocketWatch watch, bool fromBackend, int received)
    {
        var bytes = Source.Received[^received..];
        if (fromBackend)
        {
            watch.OnBackendBytes(bytes);
        }
        else
        {
            watch.OnClientBytes(bytes);
        }
    }

    /// <summary>Sends on what is here. False when the sink takes no more.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SendOnAsync()
    {
        int count = Source.ReceivedLength;
        if (count == 0)
        {
            return true;
        }

        Reader.Skip(count);
        int sent = await Sink.SendReceivedAsync(Source, 0, count).ConfigureAwait(false);
        Source.Consume(count);
        OnProgress();
        return sent >= 0;
    }
}
