using Spawngate.Clients.Http1;
using Spawngate.Clients.Http2;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Clients;

/// <summary>
/// One client connection: chooses the protocol that the client speaks, has it served, and owns the channel until its end.
/// </summary>
/// <remarks>
/// <code>
///                     the preface (RFC 9113 section 3.4)
///   Choosing ─┬──────────────────────────────────────▶ Http2Connection ──┐
///             │ anything else, or the time or the client ends            ├─▶ closed
///             └──────▶ Http1Connection ── Upgrade: h2c ──▶ Http2Connection ┘
///                             └──────────────────────────────────────────┘
/// </code>
/// One task runs through these. From outside come only the tick, the end of the client, the drain, and what must give up what it holds;
/// they go to the protocol once there is one.
/// </remarks>
internal sealed class ClientConnection : IReceiveWatcher, IUpgradeTaker, ISheddable
{
    /// <summary>With so many bytes, "PRI ", the preface differs from every method of HTTP/1.</summary>
    private const int MethodBytes = 4;

    private readonly ForwardingContext _context;
    private readonly ClientConnections _connections;
    private readonly ClientIdentity _identity;
    private readonly SocketChannel _client;
    private ClientProtocol? _protocol;
    private Http2Connection? _offered;
    private Http2Connection? _adopted;
    private DeadlineWord _choice;
    private long _held = ConnectionLimits.ClientConnectionBytes;
    private long _closedMs;

    /// <summary>Takes over an accepted socket.</summary>
    public ClientConnection(ForwardingContext context, ClientConnections connections, StreamSocket socket, ClientIdentity identity)
    {
        _context = context;
        _connections = connections;
        _identity = identity;
        _client = new SocketChannel(socket, this, waits: true);
        _choice.Set(DeadlineKind.KeepAlive, HeadDueMs);
    }

    /// <summary>Its place in <see cref="ClientConnections"/>.</summary>
    internal int Slot { get; set; }

    /// <summary>Which deadline runs, and whether it is the client's body that is waited for.</summary>
    internal (DeadlineKind Deadline, bool ForBody) Awaited => Volatile.Read(ref _protocol)?.Awaited ?? (_choice.Kind, false);

    /// <summary>True once it is known what the client speaks.</summary>
    internal bool IsChosen => Volatile.Read(ref _protocol) is not null;

    /// <inheritdoc/>
    public bool IsEnding => _closedMs is not 0 and var since && _context.Clock.NowMs - since < 2 * ConnectionLimits.LingerMs;

    /// <summary>When the head of a first request is due.</summary>
    private long HeadDueMs => _context.DueIn(_context.Server.HeaderTimeoutSecs * 1000L);

    /// <summary>Serves the connection until it ends. Never throws.</summary>
    public async Task RunAsync()
    {
        try
        {
            var match = Match();
            while (match == PrefaceMatch.Partial && await _client.ReceiveAsync().ConfigureAwait(false) > 0)
            {
                match = Match();
            }

            // In the moment that its time ran out a request may have arrived: it is still served, as the last one.
            if (_client.ReceivedLength == 0 && _choice.HasFired && await _client.ReceiveAsync().ConfigureAwait(false) > 0)
            {
                match = Match();
            }

            if (Choose(match) is { } chosen)
            {
                await chosen.ServeAsync().ConfigureAwait(false);
            }

            if (_adopted is { } adopted)
            {
                await EndProtocolAsync().ConfigureAwait(false);
                Volatile.Write(ref _protocol, adopted);
                await adopted.ServeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            CallbackGuard.Run(() => ForwardingLog.Unexpected(_context.Log, e, _identity.Text), nameof(ClientConnection));
            Abort();
        }

        try
        {
            await EndProtocolAsync().ConfigureAwait(false);
        }
        finally
        {
            Remove();
        }
    }

    /// <summary>Looks at the deadlines and at the client; on the coarse tick. Bytes that the connection holds.</summary>
    public long OnTick(long nowMs)
    {
        long held = _client.HeldBytes;
        if (Volatile.Read(ref _protocol) is { } protocol)
        {
            held = protocol.OnTick(nowMs);
        }
        else if (_choice.TryFire(nowMs, out _))
        {
            _client.ShutdownReceive();
        }

        return _held = held + ConnectionLimits.ClientConnectionBytes;
    }

    /// <summary>Adds what it holds, and for whom; on the tick.</summary>
    public void AddTo(HoldingSurvey survey)
    {
        if (Volatile.Read(ref _protocol) is { } protocol)
        {
            protocol.AddTo(survey, _held);
        }
        else
        {
            survey.Add(_identity.Source, new ClientHolding(this, _held, 1, 0, _choice.Kind == DeadlineKind.KeepAlive));
        }
    }

    /// <summary>Adds those of its requests to what holds a backend that do; from any thread.</summary>
    public void AddTo(ActiveRequestSearch search) => Volatile.Read(ref _protocol)?.AddTo(search);

    /// <summary>The gateway drains, or needs room: a connection that waits for a request ends now.</summary>
    public void CloseIfIdle()
    {
        if (Volatile.Read(ref _protocol) is { } protocol)
        {
            protocol.CloseIfIdle();
        }
        else if (_choice.TryFireNow(DeadlineKind.KeepAlive))
        {
            _closedMs = _context.Clock.NowMs;
            _client.ShutdownReceive();
        }
    }

    /// <summary>
    /// Told to give up what it holds while there is no protocol yet. One that waits for its first byte is closed in order; half a preface
    /// is cut, but for a proxy, whose connection is another client's next. With a protocol, the next survey finds what that holds.
    /// </summary>
    public void Shed()
    {
        if (Volatile.Read(ref _protocol) is not null)
        {
            return;
        }

        CloseIfIdle();
        if (_closedMs == 0 && !_identity.IsTrusted && Volatile.Read(ref _protocol) is null)
        {
            _closedMs = _context.Clock.NowMs;
            _client.Abort(reset: true);
        }
    }

    /// <summary>Cuts the connection, whatever it does.</summary>
    public void Abort()
    {
        Volatile.Read(ref _protocol)?.Abort();
        _client.Abort(reset: true);
    }

    /// <inheritdoc/>
    public void OnReceiveUnobserved() => Volatile.Read(ref _protocol)?.OnReceiveUnobserved();

    /// <inheritdoc/>
    bool IUpgradeTaker.TryTakeUp(RequestHead request)
    {
        var settings = ProxyHeaders.SettingsOfH2cUpgrade(request, _client.Received);
        if (settings.IsEmpty || _connections.Drain.IsOn)
        {
            return false;
        }

        var http2 = new Http2Connection(_context, _connections.Drain, _identity, _client);
        if (!http2.TryAdopt(settings))
        {
            return false;
        }

        _offered = http2;
        return true;
    }

    /// <inheritdoc/>
    void IUpgradeTaker.Begin(ReadOnlySpan<byte> head)
    {
        _adopted = _offered;
        _adopted!.BeginAdopted(head);
    }

    /// <summary>Looks at the first bytes, and at nothing behind them.</summary>
    private PrefaceMatch Match()
    {
        if (_client.ReceivedLength == 0)
        {
            return PrefaceMatch.Partial;
        }

        var match = Http2Preface.Match(_client.Received);
        if (match == PrefaceMatch.Partial && _choice.Kind == DeadlineKind.KeepAlive)
        {
            _choice.Set(DeadlineKind.Head, HeadDueMs);
        }

        return match;
    }

    /// <summary>
    /// The protocol to be served; null for none: a client that leaves without a word, or half a preface, asks for nothing. HTTP/1 takes the
    /// deadline over, fired or not: it has an answer for a head that came too late.
    /// </summary>
    private ClientProtocol? Choose(PrefaceMatch match)
    {
        if (_client.ReceivedLength == 0 || (match == PrefaceMatch.Partial && _client.ReceivedLength >= MethodBytes))
        {
            return null;
        }

        ClientProtocol chosen =
            match == PrefaceMatch.Complete
                ? new Http2Connection(_context, _connections.Drain, _identity, _client)
                : new Http1Connection(_context, _connections.Drain, this, _client, _identity, ref _choice);
        Volatile.Write(ref _protocol, chosen);
        Interlocked.MemoryBarrier();
        if (_client.IsClosed)
        {
            chosen.Abort(); // Cut in the moment of the choice: whoever did it found no protocol.
        }

        return chosen;
    }

    private void Remove()
    {
        try
        {
            _client.Dispose();
        }
        finally
        {
            _identity.Source.RemoveConnection();
            _connections.Remove(this);
        }
    }

    private async ValueTask EndProtocolAsync()
    {
        try
        {
            if (_protocol is { } protocol)
            {
                await protocol.EndAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            CallbackGuard.Run(() => ForwardingLog.Unexpected(_context.Log, e, _identity.Text), nameof(ClientConnection));
        }
    }
}
