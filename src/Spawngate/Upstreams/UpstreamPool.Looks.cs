using Spawngate.Transport;

namespace Spawngate.Upstreams;

/// <content>What is looked at off the way of requests: whether the instance is alive, and whether it accepts again.</content>
internal sealed partial class UpstreamPool
{
    private Task? _accepting;
    private int _waitingForAccept;

    /// <summary>
    /// Whether bytes have come over a connection that is in use within so many milliseconds, or it has taken more than a little since this
    /// was last asked: a small message fits into the kernel's buffer, also of one that hangs. It asks the kernel about each, for the rare
    /// moment in which a check got no answer.
    /// </summary>
    public bool HasPassedWithin(long ms)
    {
        UpstreamConnection?[] all;
        lock (_gate)
        {
            all = [.. _slots];
        }

        bool hasPassed = false;
        foreach (var connection in all)
        {
            if (connection is { IsInUse: true, Channel.IsClosed: false })
            {
                long sent = connection.Channel.SentTotal;
                hasPassed |= connection.Channel.TryAskPeer(out var info) && info.HasReceived && info.SilentMs <= ms;
                hasPassed |= connection.SentNoted is { } noted && sent - noted >= UpstreamLimits.SignOfLifeBytes;
                connection.SentNoted = sent;
            }
        }

        return hasPassed;
    }

    /// <summary>
    /// Completes when somebody accepts again where a connection was refused, or when no request is to go there any more. All who wait share
    /// one look every few milliseconds.
    /// </summary>
    public Task WhenAcceptingAsync()
    {
        lock (_gate)
        {
            _waitingForAccept++;
            return _accepting ??= Task.Run(PollAsync);
        }
    }

    /// <summary>Who called <see cref="WhenAcceptingAsync"/> waits no more: the last one ends the looks. Call it once for each.</summary>
    public void EndWaitForAccept()
    {
        lock (_gate)
        {
            _waitingForAccept--;
        }
    }

    private bool IsAcceptAwaited
    {
        get
        {
            lock (_gate)
            {
                if (_waitingForAccept > 0 && !_retired)
                {
                    return true;
                }

                _accepting = null; // Whoever comes now begins anew.
                return false;
            }
        }
    }

    private async Task PollAsync()
    {
        try
        {
            for (int looks = 0; IsAcceptAwaited; looks++)
            {
                if (await AcceptsAsync().ConfigureAwait(false))
                {
                    EndAccepting();
                    return;
                }

                await Task.Delay(looks < UpstreamLimits.AcceptPollsEager ? 1 : UpstreamLimits.AcceptPollMs).ConfigureAwait(false);
            }
        }
        catch
        {
            EndAccepting(); // Or all who wait later would be told of this fault.
            throw;
        }
    }

    /// <summary>Whoever has to wait from now on begins anew. By the look that is the current one, and once.</summary>
    private void EndAccepting()
    {
        lock (_gate)
        {
            _accepting = null;
        }
    }

    /// <summary>Whether the instance accepts a connection; it is left in the pool for one of those who wait.</summary>
    private async ValueTask<bool> AcceptsAsync()
    {
        if (TryCreate(fromReserve: true) is not { } connection)
        {
            return false;
        }

        int result;
        using (var late = new CancellationTokenSource(UpstreamLimits.AcceptConnectMs))
        using (late.Token.UnsafeRegister(static channel => ((SocketChannel)channel!).Abort(reset: false), connection.Channel))
        {
            result = await connection.Channel.ConnectAsync(Endpoint).ConfigureAwait(false);
        }

        bool accepts =
            result >= 0 && !connection.Channel.IsSelfConnected && (IsTrusted || (await Trust!.LookAsync().ConfigureAwait(false)).IsGood);
        if (accepts)
        {
            Return(connection);
        }
        else
        {
            Discard(connection);
        }

        return accepts;
    }
}
