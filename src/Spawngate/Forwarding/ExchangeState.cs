namespace Spawngate.Forwarding;

/// <summary>
/// How far an exchange is. Those in which something is awaited come first; see <see cref="Exchange"/> for what leads from one to another.
/// </summary>
internal enum ExchangeState : byte
{
    /// <summary>The backend is not ready, or has no room: held until it is.</summary>
    Waiting,

    /// <summary>A new connection to the backend is being made.</summary>
    Connecting,

    /// <summary>The head goes out.</summary>
    Sending,

    /// <summary>The head of the answer is awaited.</summary>
    AwaitingHead,

    /// <summary>An interim response (1xx) lies at the front of the upstream's bytes, and is passed on to the client.</summary>
    RelayingInterim,

    /// <summary>The final response's head is there: it and its body are passed on.</summary>
    Relaying,

    /// <summary>Protocols were switched: bytes are passed on both ways.</summary>
    Tunnelling,

    /// <summary>No response will come: <see cref="Exchange.Error"/> says why.</summary>
    Failed,

    /// <summary>There is no request.</summary>
    Idle,
}

/// <summary>Which state may follow which.</summary>
internal static class ExchangeTransitions
{
    private static readonly int[] Next = MakeTable();

    /// <summary>Whether a state may follow another.</summary>
    public static bool Allows(ExchangeState from, ExchangeState to) => (Next[(int)from] & (1 << (int)to)) != 0;

    private static int[] MakeTable()
    {
        var next = new int[(int)ExchangeState.Idle + 1];
        Add(ExchangeState.Idle, ExchangeState.Waiting, ExchangeState.Connecting, ExchangeState.Sending, ExchangeState.Failed);
        Add(ExchangeState.Waiting, ExchangeState.Waiting, ExchangeState.Connecting, ExchangeState.Sending, ExchangeState.Failed);
        Add(ExchangeState.Connecting, ExchangeState.Sending, ExchangeState.Waiting, ExchangeState.Failed);
        Add(ExchangeState.Sending, ExchangeState.AwaitingHead, ExchangeState.Failed);
        ExchangeState[] answered =
        [
            ExchangeState.AwaitingHead,
            ExchangeState.RelayingInterim,
            ExchangeState.Relaying,
            ExchangeState.Failed,
        ];
        Add(ExchangeState.AwaitingHead, [.. answered, ExchangeState.Connecting, ExchangeState.Waiting]);
        Add(ExchangeState.RelayingInterim, answered);
        Add(ExchangeState.Relaying, ExchangeState.Tunnelling, ExchangeState.Failed);
        Add(ExchangeState.Failed, ExchangeState.Failed);
        return next;

        void Add(ExchangeState from, params ExchangeState[] to)
        {
            foreach (var each in to)
            {
                next[(int)from] |= 1 << (int)each;
            }
        }
    }
}
