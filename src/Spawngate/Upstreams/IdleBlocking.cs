namespace Spawngate.Upstreams;

/// <summary>
/// Finds out whether idle connections block the backend: a server with one thread, or few, that each serve one connection until it is
/// closed, does not get to a new one while it waits for the next request of another. On the tick, and from one connection to the next only
/// once it is known.
/// </summary>
/// <remarks>
/// <code>
///               a new connection had no byte of an answer for a moment, beside an idle one:       it was answered right
///               the idle ones are closed                                                          after that
///   Watching ───────────────────────────────────────────────────────────────────────▶ Trying ───────────────────────▶ Blocked
///     ▲  │                                                                              │ not so: again after a pause    │
///     │  │ so many were served at once that this matters no more ──▶ Proven             │                                │
///     │  └──────────────────────────────────────────────────────────────────────────────┘                                │
///     └──────── more are served at once than there were when it was found blocked ◀──────────────────────────────────────┘
/// </code>
/// A connection is being served when it has had bytes, and the backend has not ended it. That so many are at once proves that idle ones
/// up to that number block nobody, whatever else made a backend slow.
/// </remarks>
internal sealed class IdleBlocking
{
    private readonly Lock _gate = new();
    private readonly List<UpstreamConnection> _tried = [];
    private int _servedMost;
    private int _servedAtTry;
    private int _blockedAt;
    private long _triedMs;
    private long _pauseUntilMs;

    /// <summary>True while it is to be assumed that an idle connection keeps others from being served.</summary>
    public bool IsBlocked => Volatile.Read(ref _blockedAt) != 0;

    /// <summary>True while it is to be seen whether it helped that idle ones were closed.</summary>
    public bool IsTrying => Volatile.Read(ref _triedMs) != 0;

    /// <summary>True once so many connections were served at once that nothing is looked at any more.</summary>
    public bool IsProven => Volatile.Read(ref _servedMost) >= UpstreamLimits.ServedAtOnceEnough;

    /// <summary>
    /// Looks at all open connections; the kernel is asked only where there is something to find. True when idle ones are to be closed.
    /// </summary>
    public bool OnTick(UpstreamConnection?[] connections, long nowMs)
    {
        lock (_gate)
        {
            List<UpstreamConnection>? waiting = null;
            int open = 0;
            int served = 0;
            bool isIdle = false;
            foreach (var connection in connections)
            {
                if (connection is null || connection.Channel.IsClosed)
                {
                    continue;
                }

                open++;
                isIdle |= connection.IsIdle && nowMs - connection.IdleSinceMs >= UpstreamLimits.BlockedLookMs;
                if (connection.WasServed)
                {
                    served++;
                }
                else if (
                    nowMs - connection.CreatedMs >= UpstreamLimits.BlockedLookMs
                    && !(waiting?.Count >= UpstreamLimits.BlockedTriedMax)
                )
                {
                    (waiting ??= []).Add(connection);
                }
            }

            if (served > _servedMost)
            {
                served = connections.Count(static each => each is { WasServed: true, Channel.IsClosed: false } && IsServed(each));
                _servedMost = Math.Max(_servedMost, served);
            }

            bool found = JudgeTry(nowMs);
            bool mayTry = isIdle && open > _servedMost && nowMs >= _pauseUntilMs && _tried.Count == 0;
            if (waiting is null || !(found || mayTry))
            {
                return found;
            }

            waiting.RemoveAll(IsServed);
            if (waiting.Count == 0)
            {
                return found;
            }

            if (!found)
            {
                _tried.AddRange(waiting);
                _triedMs = nowMs;
                _servedAtTry = served;
            }

            return true;
        }
    }

    /// <summary>
    /// A connection was answered to the end although the backend seemed blocked. True when more are served beside it than could be if it
    /// were.
    /// </summary>
    public bool IsRefuted(UpstreamConnection answered, UpstreamConnection?[] connections)
    {
        lock (_gate)
        {
            int served = 1;
            int looks = UpstreamLimits.RefutingLooksMax;
            foreach (var connection in connections)
            {
                if (connection is null || ReferenceEquals(connection, answered) || connection.Channel.IsClosed)
                {
                    continue;
                }

                served += IsServed(connection) ? 1 : 0;
                if (served > _blockedAt)
                {
                    _blockedAt = 0;
                    _servedMost = Math.Max(_servedMost, served);
                    return true;
                }

                if (--looks == 0)
                {
                    break;
                }
            }

            return false;
        }
    }

    /// <summary>What became of those for which idle ones were closed. True when it is found just now that these were in the way.</summary>
    private bool JudgeTry(long nowMs)
    {
        if (_tried.Count == 0)
        {
            return false;
        }

        if (nowMs - _triedMs <= UpstreamLimits.BlockedLookMs && _tried.Exists(static each => each.WasServed || IsServed(each)))
        {
            EndTry();
            _blockedAt = Math.Max(1, _servedAtTry);
            return true;
        }

        if (nowMs - _triedMs >= UpstreamLimits.BlockedLookMs)
        {
            EndTry();
            _pauseUntilMs = nowMs + UpstreamLimits.BlockedPauseMs;
        }

        return false;
    }

    private void EndTry()
    {
        _tried.Clear();
        Volatile.Write(ref _triedMs, 0);
    }

    /// <summary>Whether a connection is being served now: it has had bytes, and its other side has not ended.</summary>
    private static bool IsServed(UpstreamConnection connection)
    {
        if (!connection.Channel.TryAskPeer(out var info) || info.BytesReceived == 0)
        {
            return false;
        }

        connection.NoteServed();
        return info is { HasEnded: false, IsGone: false };
    }
}
