namespace Spawngate.Clients.Shared;

/// <summary>What happens when a deadline passes.</summary>
internal enum DeadlineKind : byte
{
    /// <summary>No deadline.</summary>
    None,

    /// <summary>An idle connection has been kept long enough: it is closed.</summary>
    KeepAlive,

    /// <summary>The head of a request takes too long: 408.</summary>
    Head,

    /// <summary>The backend's response head takes too long: 504.</summary>
    Response,

    /// <summary>Bodies or a flush make no progress: the connection is cut.</summary>
    Progress,

    /// <summary>What a client still sends after its answer is thrown away only for so long.</summary>
    Linger,
}

/// <summary>
/// The one deadline of a connection as a word of time and kind, so that no request arms a timer: the coarse tick of all connections
/// looks at it. Setting and firing are exchanges of the whole word; exactly one of them wins.
/// </summary>
/// <remarks>
/// <code>
///   63 ................ 3   2 .. 0
///   due, coarse ms          kind        0 = none,  -1 = fired
/// </code>
/// </remarks>
internal struct DeadlineWord
{
    private const long FiredMark = -1;

    private long _word;

    /// <summary>True once it has fired; it stays so, and the connection must end.</summary>
    public readonly bool HasFired => Volatile.Read(in _word) == FiredMark;

    /// <summary>The kind that is armed.</summary>
    public readonly DeadlineKind Kind => Volatile.Read(in _word) is var word and > 0 ? (DeadlineKind)(word & 7) : DeadlineKind.None;

    /// <summary>Replaces the deadline. False when the previous one has fired already.</summary>
    public bool Set(DeadlineKind kind, long dueMs)
    {
        long word = kind == DeadlineKind.None ? 0 : (dueMs << 3) | (long)kind;
        if (Interlocked.Exchange(ref _word, word) != FiredMark)
        {
            return true;
        }

        Volatile.Write(ref _word, FiredMark);
        return false;
    }

    /// <summary>Goes on with another's deadline, which has none then. Exactly one of them fires.</summary>
    public void TakeOver(ref DeadlineWord other) => Volatile.Write(ref _word, Interlocked.Exchange(ref other._word, 0));

    /// <summary>Puts a deadline of a transfer off; any other, and one that is changed in this very moment, stays as it is.</summary>
    public void PutOff(long dueMs)
    {
        long word = Volatile.Read(ref _word);
        if (word > 0 && (DeadlineKind)(word & 7) is DeadlineKind.Response or DeadlineKind.Progress)
        {
            Interlocked.CompareExchange(ref _word, (dueMs << 3) | (word & 7), word);
        }
    }

    /// <summary>
    /// Sets a deadline even though the previous one has fired and has been dealt with: for the last acts of a connection.
    /// </summary>
    public void Restart(DeadlineKind kind, long dueMs) => Interlocked.Exchange(ref _word, (dueMs << 3) | (long)kind);

    /// <summary>Fires if it is due; true for the one caller that made it fire.</summary>
    public bool TryFire(long nowMs, out DeadlineKind kind)
    {
        long word = Volatile.Read(ref _word);
        kind = (DeadlineKind)(word & 7);
        return word > 0 && nowMs >= word >> 3 && Interlocked.CompareExchange(ref _word, FiredMark, word) == word;
    }

    /// <summary>Fires now if it is of that kind.</summary>
    public bool TryFireNow(DeadlineKind wanted)
    {
        long word = Volatile.Read(ref _word);
        return word > 0 && (DeadlineKind)(word & 7) == wanted && Interlocked.CompareExchange(ref _word, FiredMark, word) == word;
    }
}
