using Spawngate.Forwarding;
using Spawngate.Transport;

namespace Spawngate.Clients.Shared;

/// <summary>
/// What the coarse tick finds out about an exchange although no socket operation reports it: that a slow peer takes bytes of a send which
/// is still pending, and that the client left while nothing is being received from it.
/// </summary>
/// <remarks>
/// A send completes when the kernel has taken all of it, and a kernel with megabytes in its queue takes more only after a third of them is
/// gone: a client on a slow line makes no visible progress for many seconds. The bytes that its kernel has acknowledged tell. Nothing is
/// asked of the kernel about connections whose operations will report by themselves.
/// </remarks>
internal struct PeerWatch
{
    private const int AnswerNone = 0;
    private const int AnswerProbing = 1;
    private const int AnswerProbed = 2;
    private const int AnswerInterim = 3;
    private const int AnswerFinal = 4;

    private long _clientAcked;
    private long _upstreamAcked;
    private long _endedMs;
    private int _answer;
    private int _probes;
    private bool _isKeptAlive;

    /// <summary>
    /// Bytes that the client's kernel has taken since the connection began, as of the last look, and one more; 0 when no send was pending
    /// then, or the kernel does not say.
    /// </summary>
    public readonly long ClientAcked => Math.Max(0, _clientAcked);

    /// <summary>True once since the last look when a peer took bytes of a send that is pending; on the tick.</summary>
    public bool HasSendMoved(SocketChannel client, SocketChannel? upstream)
    {
        bool taken = HasMoved(client, ref _clientAcked);
        return (upstream is not null && HasMoved(upstream, ref _upstreamAcked)) || taken;
    }

    /// <summary>
    /// True when the client is gone, and no pending receive says so: what it sent waits to be read, or is not read while the backend does
    /// not take it, or the receive has already said that the client ended its side; on the tick.
    /// </summary>
    /// <remarks>
    /// An end of the client's side is all that TCP says, whether the client has left or only sends no more. What tells the two apart is a
    /// byte sent to it: a client that has left answers with a reset. So a client that has waited for a while gets the first byte of its
    /// answer ahead of time: it is the same for every answer. While chunks stream it gets a zero of the next size, now and then. Where
    /// neither can be, and nothing is sent, only the kernel's own keep-alive tells.
    /// </remarks>
    /// <param name="client">The client.</param>
    /// <param name="answer">What moves the body of its answer.</param>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="tunnelling">True for a tunnel, whose sides end one by one.</param>
    public bool IsClientGone(SocketChannel client, BodyPump answer, long nowMs, bool tunnelling)
    {
        if (client.IsArmed && !client.HasArmedResult)
        {
            return false;
        }

        bool told = client.TryAskPeer(out var info);
        if (told && info.HasEnded && client.HasArmedResult)
        {
            Interlocked.CompareExchange(ref _endedMs, nowMs, 0);
        }

        return info.IsGone || (!tunnelling && IsProbeDue(nowMs) && !MayBeThere(client, answer, told));
    }

    /// <summary>The owner of the connection is going to write an answer. True when its first byte has been sent already.</summary>
    /// <param name="isFinal">False for an interim one: its deadline ends it, if need be, and another wait follows.</param>
    /// <param name="nowMs">Coarse time.</param>
    public bool BeginAnswer(bool isFinal, long nowMs)
    {
        // What nothing moves is counted from here on.
        OnProgress(nowMs);
        int begun = isFinal ? AnswerFinal : AnswerInterim;
        var spin = default(SpinWait);
        int before;
        while ((before = Interlocked.CompareExchange(ref _answer, begun, AnswerNone)) == AnswerProbing)
        {
            spin.SpinOnce(sleep1Threshold: -1); // The tick is within its send, which does not wait.
        }

        if (before == AnswerProbed)
        {
            Volatile.Write(ref _answer, begun);
        }

        return before == AnswerProbed;
    }

    /// <summary>The answer has been sent whole; another may follow.</summary>
    /// <param name="nowMs">Coarse time.</param>
    public void EndAnswer(long nowMs)
    {
        OnProgress(nowMs);
        Volatile.Write(ref _answer, AnswerNone);
    }

    /// <summary>Has the kernel ask a client that is only waited for whether it is still there, from the first time on.</summary>
    public void KeepAlive(SocketChannel client)
    {
        if (!_isKeptAlive)
        {
            _isKeptAlive = true;
            client.KeepAlive();
        }
    }

    /// <summary>The client ended its side.</summary>
    public void OnClientEnded(long nowMs) => Volatile.Write(ref _endedMs, nowMs);

    /// <summary>A client that ended only its own side takes what we send: it gets more time.</summary>
    public void OnProgress(long nowMs)
    {
        if (Volatile.Read(ref _endedMs) != 0)
        {
            Volatile.Write(ref _endedMs, nowMs);
            _probes = 0;
        }
    }

    /// <summary>
    /// True when the client ended its side, and nothing has moved for so long that it is asked whether it is there; each time for twice as
    /// long.
    /// </summary>
    private readonly bool IsProbeDue(long nowMs) =>
        Volatile.Read(in _endedMs) is var ended and not 0
        && nowMs - ended >= (long)ConnectionLimits.HalfCloseMs << Volatile.Read(in _probes);

    /// <summary>True while a client that ended its side may still be there to get its answer.</summary>
    private bool MayBeThere(SocketChannel client, BodyPump answer, bool kernelTells)
    {
        switch (kernelTells ? Interlocked.CompareExchange(ref _answer, AnswerProbing, AnswerNone) : Volatile.Read(ref _answer))
        {
            case AnswerNone when kernelTells:
                break;
            case AnswerNone:
                client.KeepAlive();
                return true; // Nothing can be sent ahead of an answer, nor does the kernel say more: it may wait for all of it.
            case AnswerProbed or AnswerInterim:
                return true; // Its reset, had it come, would have told by now or tells at a later tick.
            case AnswerFinal:
                return ProbeWithin(client, answer);
            default:
                return false;
        }

        bool? sent = client.TrySendAhead((byte)'H');
        Volatile.Write(ref _answer, sent == true ? AnswerProbed : AnswerNone);
        return sent != false;
    }

    /// <summary>
    /// Within an answer: a client that has left is found out by the next bytes that it is sent, so a few of them go ahead of time.
    /// </summary>
    private bool ProbeWithin(SocketChannel client, BodyPump answer)
    {
        if (_probes == ConnectionLimits.HalfCloseProbesMax)
        {
            return true;
        }

        client.KeepAlive();
        _probes++;
        return answer.ProbeSink() != false;
    }

    /// <summary>True when the peer has taken bytes of a send that is pending since the last look; on the tick.</summary>
    /// <param name="channel">Where the send is pending, if one is.</param>
    /// <param name="acked">
    /// What had been taken at the last look, and one more; 0 when nothing was pending then. Negative where the kernel does not say: then it
    /// is what had been sent, of which another send means that the last one was taken.
    /// </param>
    public static bool HasMoved(SocketChannel channel, ref long acked)
    {
        if (!channel.IsSending)
        {
            acked = 0;
            return false;
        }

        // The first look at a pending send only remembers; +1, so that 0 can mean "none".
        long before = acked;
        acked = channel.TryAskPeer(out var info) ? info.BytesAcked + 1 : ~channel.SentTotal;
        return before != 0 && before != acked;
    }
}
