namespace Spawngate.Upstreams;

/// <summary>Whose the sockets are that get the connections to an instance.</summary>
internal enum ListenerOwner
{
    /// <summary>The instance's own.</summary>
    Instance,

    /// <summary>Nobody listens there in this moment, or it could not be found out in this moment.</summary>
    Nobody,

    /// <summary>Somebody else's.</summary>
    Stranger,

    /// <summary>
    /// They cannot be looked at, for a reason that nobody could have brought about who would gain by it: things hold as if it was not
    /// asked.
    /// </summary>
    Hidden,
}

/// <summary>Who listens where an instance is reached.</summary>
/// <param name="Owner">Whose it is.</param>
/// <param name="Detail">For people: <c>port 8000 is held by pid 1234 (python3)</c>.</param>
internal readonly record struct ListenerFinding(ListenerOwner Owner, string Detail)
{
    /// <summary>Whether requests may be sent there.</summary>
    public bool IsGood => Owner is ListenerOwner.Instance or ListenerOwner.Hidden;
}

/// <summary>
/// Whether those who get the connections to an instance are known to be the instance's own. Between the choice of a port and the moment in
/// which the instance listens on it, any process of the machine can take it and would get the cookies that are meant for the instance.
/// <code>
///   not known ──looked at: the instance's──▶ known ──a connect was refused──▶ not known
///       └─ looked at: nobody's, a stranger's ─▶ not known
/// </code>
/// While it is known a request pays one comparison for each new connection, and nothing on one that is reused.
/// </summary>
/// <param name="find">Looks.</param>
/// <param name="tell">Is told of a stranger, once for each.</param>
internal sealed class ListenerTrust(Func<Task<ListenerFinding>> find, Action<string> tell)
{
    private const int NotKnown = -1;

    private long _doubts;
    private long _knownAt = NotKnown;
    private int _isLooking;
    private string? _stranger;

    /// <summary>Whether it is known.</summary>
    public bool IsKnown => Volatile.Read(ref _knownAt) == Volatile.Read(ref _doubts);

    /// <summary>The stranger who was found last, until the instance itself was; null when there was none.</summary>
    public string? Stranger => Volatile.Read(ref _stranger);

    /// <summary>A connect was refused: whoever listens next is to be looked at.</summary>
    public void Doubt() => Interlocked.Increment(ref _doubts);

    /// <summary>Looks.</summary>
    public async Task<ListenerFinding> LookAsync()
    {
        long doubts = Volatile.Read(ref _doubts);
        ListenerFinding finding;
        try
        {
            finding = await find().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            finding = new ListenerFinding(ListenerOwner.Nobody, $"cannot find out who listens: {e.Message}");
        }

        if (finding.IsGood)
        {
            Volatile.Write(ref _knownAt, doubts); // A refusal since makes this an old number.
            Volatile.Write(ref _stranger, null);
        }
        else if (finding.Owner == ListenerOwner.Stranger)
        {
            Doubt(); // Whatever was known before.
            if (Interlocked.Exchange(ref _stranger, finding.Detail) != finding.Detail)
            {
                tell(finding.Detail);
            }
        }

        return finding;
    }

    /// <summary>Has it looked at beside the caller, unless it is being looked at.</summary>
    public void LookSoon()
    {
        if (Interlocked.Exchange(ref _isLooking, 1) == 0)
        {
            _ = Task.Run(async () =>
            {
                try
                {
                    await LookAsync().ConfigureAwait(false);
                }
                finally
                {
                    Volatile.Write(ref _isLooking, 0);
                }
            });
        }
    }
}
