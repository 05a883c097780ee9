using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Transport;

namespace Spawngate.Clients.Http1;

/// <summary>
/// How a client connection comes to its end around an answer: behind it, while the request's body still comes, or within it.
/// </summary>
/// <remarks>
/// An answer that is cut must not look whole (RFC 9112 section 8), and complete answers before it must arrive. A reset destroys what its
/// receiver has not taken.
/// <code>
///  the cut answer                  the connection ends by
///  the first of the connection     a reset: the plainest sign
///  a later one, chunked, length    the end of our side: its framing shows the cut
///  a later one, until close        a reset, once all earlier answers were acknowledged, or none of them for a while
///  the client takes no more        a reset
/// </code>
/// </remarks>
internal sealed class ConnectionEnd(
    ForwardingContext context,
    SocketChannel client,
    Exchange exchange,
    Upload upload,
    ConnectionWatch watch
)
{
    private long _sentBefore;

    /// <summary>A final answer is going to be written: what was sent up to here belongs to earlier ones.</summary>
    public void BeginAnswer() => _sentBefore = client.SentTotal;

    /// <summary>
    /// Ends our side within an answer, as far as that can be done at once, and then the request's body. <see cref="ResetAsync"/> or a
    /// linger follows.
    /// </summary>
    /// <param name="clientFailed">True when it is the client that takes no more.</param>
    /// <param name="byClose">True when the end of the connection is the end of the answer.</param>
    public async ValueTask CutAsync(bool clientFailed, bool byClose)
    {
        if (clientFailed || _sentBefore == 0)
        {
            client.Abort(reset: true);
        }
        else if (!byClose)
        {
            client.ShutdownSend();
        }

        await FinishUploadAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Resets the connection when the client's kernel has taken all that was sent before this answer, or takes nothing of it for a while.
    /// </summary>
    public ValueTask ResetAsync() => ResetWhenTakenAsync(client.SentTotal - _sentBefore, ConnectionLimits.LingerMs);

    /// <summary>
    /// Resets the connection of a client that has to give up what it holds, when it has had a moment for its answer: nothing more is read,
    /// since what it sends is what has to go.
    /// </summary>
    public async Task ShedAsync()
    {
        client.ShutdownSend();
        await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.ShedLingerMs), context.Time, CancellationToken.None)
            .ConfigureAwait(false);
        await ResetWhenTakenAsync(0, ConnectionLimits.LingerMs).ConfigureAwait(false);
        await upload.EndedAsync().ConfigureAwait(false);
    }

    /// <summary>The send queue ends with what was sent of an answer that need not arrive.</summary>
    private async ValueTask ResetWhenTakenAsync(long needless, int limitMs)
    {
        int left = int.MaxValue;
        for (int waitedMs = 0; waitedMs < limitMs && !client.IsClosed; waitedMs += ConnectionLimits.AcknowledgedLookMs)
        {
            int? unacknowledged = client.Unacknowledged;
            if (unacknowledged <= needless)
            {
                break;
            }

            waitedMs = unacknowledged < left ? 0 : waitedMs; // Where it cannot be told, all of the time passes.
            left = unacknowledged ?? left;
            await Task.Delay(TimeSpan.FromMilliseconds(ConnectionLimits.AcknowledgedLookMs), context.Time, CancellationToken.None)
                .ConfigureAwait(false);
        }

        client.Abort(reset: true);
    }

    /// <summary>
    /// After the response: waits for the rest of the request body. One that the backend answered without reading is read and thrown away
    /// for a moment, so that the client gets to see its answer. True when all of it has been read.
    /// </summary>
    public async ValueTask<bool> FinishUploadAsync()
    {
        if (upload.IsRunning && !await upload.EndsSoonAsync(context.Time).ConfigureAwait(false))
        {
            upload.Discard();
            exchange.CutUpstream();
            watch.Restart(DeadlineKind.Linger, ConnectionLimits.LingerMs);
        }

        return await upload.EndedAsync().ConfigureAwait(false);
    }
}
