using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Forwarding;

/// <summary>What may be done about a request that got no byte of an answer.</summary>
internal enum RetryVerdict : byte
{
    /// <summary>Nothing: it may have had an effect, or there is no reason to expect another outcome.</summary>
    Fail,

    /// <summary>The close crossed the request on a connection that was used before: once more, on a new one.</summary>
    NewConnection,

    /// <summary>The instance has ended and left it unread: the next one gets it.</summary>
    NextInstance,
}

/// <summary>
/// One attempt to have a request answered over one connection: what was sent over it, what came back, and whether the request may be sent
/// again. Used again for each attempt of an exchange.
/// </summary>
/// <remarks>
/// <code>
///   free ── Attach ──▶ attached ── Release ──▶ free
///                         │ Cut (any thread): the connection is closed; Release then discards it
/// </code>
/// The connection belongs to whoever exchanges it out of its field first: the end of the attempt, or the abort.
/// </remarks>
internal sealed class UpstreamAttempt
{
    private UpstreamConnection? _connection;
    private UpstreamConnection? _abortable;
    private long _sentBefore;
    private bool _isBodyHeld;
    private bool _isBodyTaken;

    /// <summary>True while it has a connection.</summary>
    public bool IsAttached => _connection is not null;

    /// <summary>The connection's bytes; only while attached.</summary>
    public SocketChannel Channel => _connection!.Channel;

    /// <summary>The same while it can be cut, else null; from any thread, to look at.</summary>
    public SocketChannel? Watched => Volatile.Read(ref _abortable)?.Channel;

    /// <summary>The pool of its connection; only while attached.</summary>
    public UpstreamPool Pool => _connection!.Pool;

    /// <summary>True once a byte of an answer was received.</summary>
    public bool ReceivedAny { get; private set; }

    /// <summary>Forgets the attempts of the request before.</summary>
    public void Reset() => ReceivedAny = _isBodyHeld = _isBodyTaken = false;

    /// <summary>Begins an attempt on a connection, rented or new.</summary>
    public void Attach(UpstreamConnection connection)
    {
        Reset();
        _connection = connection;
        _sentBefore = connection.Channel.SentTotal;

        // A full fence: whoever attaches looks for an abort next, and that one must not come before this.
        Interlocked.Exchange(ref _abortable, connection);
    }

    /// <summary>
    /// The head has been sent. A close that crossed it on a connection that was used before shows now: the backend's kernel answers at
    /// once. As long as the body is not touched, the request can still be sent elsewhere, so it is held back.
    /// </summary>
    /// <param name="bodyFollows">True while bytes of the body are to follow.</param>
    public void OnHeadSent(bool bodyFollows) => _isBodyHeld = bodyFollows && _connection!.IsReused && Channel.HasSomethingToRead();

    /// <summary>Bytes of an answer came.</summary>
    public void OnReceived()
    {
        ReceivedAny = true;
        _isBodyHeld = false;
    }

    /// <summary>True when the body may be taken from the client and sent on; from then on the request cannot be repeated.</summary>
    public bool TryTakeBody()
    {
        if (_isBodyHeld)
        {
            return false;
        }

        _isBodyTaken = true;
        Channel.ReleaseOutgoing();
        return true;
    }

    /// <summary>What may be done now that the connection has ended without a byte of an answer.</summary>
    /// <param name="isIdempotent">
    /// Whether the request's method is. RFC 9110 section 9.2.2: any other request is not repeated unless it is known that it was never
    /// applied.
    /// </param>
    /// <param name="wasRetried">Whether it was sent a second time already.</param>
    /// <param name="leftInstance">Whether an instance has left it unread already.</param>
    public RetryVerdict Judge(bool isIdempotent, bool wasRetried, bool leftInstance)
    {
        if (!_isBodyTaken && !leftInstance && Channel.WasReset && Pool.WasUnaccepted(_connection!))
        {
            return RetryVerdict.NextInstance;
        }

        if (_isBodyTaken || !(isIdempotent || IsUndelivered()))
        {
            return RetryVerdict.Fail;
        }

        // Behind a reset the acknowledgement of what was read may be missing: once a connection has had an answer, it may come late. An end
        // in order carries it.
        if (_connection!.IsReused && !wasRetried && (isIdempotent || !Channel.WasReset))
        {
            return RetryVerdict.NewConnection;
        }

        // A reset on a new connection means that the process ended and left the request unread. A forwarder ends its connections like a
        // server that has had enough of them, also when what is behind it has died.
        return (Channel.WasReset || Pool.IsForwarded) && !leftInstance ? RetryVerdict.NextInstance : RetryVerdict.Fail;
    }

    /// <summary>Closes the connection, from any thread; what waits for it returns.</summary>
    /// <param name="reset">True when an end in order would say too much.</param>
    public void Cut(bool reset) => Interlocked.Exchange(ref _abortable, null)?.Channel.Abort(reset);

    /// <summary>Ends the attempt: the connection goes back to its pool, or is closed.</summary>
    /// <param name="reusable">True when request and response were transferred whole.</param>
    public void Release(bool reusable)
    {
        if (_connection is not { } connection)
        {
            return;
        }

        _connection = null;
        bool ours = Interlocked.Exchange(ref _abortable, null) is not null;
        if (ours && reusable)
        {
            connection.Pool.Return(connection);
        }
        else
        {
            connection.Pool.Discard(connection);
        }
    }

    /// <summary>
    /// True when the backend's kernel has acknowledged no byte of this request. Before the first answer of a connection it does so at once,
    /// before any process reads it; later it may wait for the answer that is to come (tcp(7), TCP_QUICKACK), but an end in order carries
    /// it. In both cases such a request cannot have had an effect. The first acknowledgement is that of the SYN, which counts one.
    /// </summary>
    private bool IsUndelivered() => Channel.TryAskPeer(out var info) && info.BytesAcked <= _sentBefore + 1;
}
