using System.Diagnostics;
using System.Net.Sockets;
using Spawngate.Backends;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;
using Spawngate.Upstreams;

namespace Spawngate.Forwarding;

/// <content>The transitions between <see cref="Exchange.Start"/> and the head of an answer, as drawn above the class.</content>
internal sealed partial class Exchange
{
    /// <summary>What is awaited in this state; <see cref="Advance"/> takes its result. Only while <see cref="IsPending"/>.</summary>
    public ValueTask<int> NextAsync(IExchangeClient client) =>
        State switch
        {
            ExchangeState.AwaitingHead => Upstream.ReceiveAsync(),
            ExchangeState.Sending => Upstream.FlushAsync(),
            ExchangeState.Connecting => Upstream.ConnectAsync(_attempt.Pool.Endpoint),
            ExchangeState.Waiting => WaitAsync(),
            _ => client.RelayInterimAsync(),
        };

    /// <summary>Goes on with the result of what was awaited.</summary>
    public void Advance(int result, IExchangeClient client)
    {
        switch (State)
        {
            case ExchangeState.AwaitingHead:
                AfterReceive(result);
                client.OnReceived(result);
                TellIfHeld(client);
                break;
            case ExchangeState.Sending:
                AfterSend();
                client.OnHeadSent(result);
                break;
            case ExchangeState.Connecting:
                AfterConnect(result);
                TellIfHeld(client);
                break;
            case ExchangeState.Waiting:
                client.OnAdmission();
                break;
            default:
                AfterInterim();
                break;
        }
    }

    private void TellIfHeld(IExchangeClient client)
    {
        if (State == ExchangeState.Waiting)
        {
            client.OnHeld();
        }
    }

    /// <summary>It was decided about a request that was held.</summary>
    /// <param name="head">The bytes of the head; empty when they were sent once already.</param>
    /// <param name="body">Bytes of the body that are there.</param>
    /// <param name="client">The peer.</param>
    public ExchangeState AfterWait(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        Expect(ExchangeState.Waiting);
        return AfterAdmission(_admission, head, body, client);
    }

    /// <summary>True when the body may be taken from the client and sent on; from then on the request cannot be repeated.</summary>
    public bool TryTakeBody() => _attempt.TryTakeBody();

    /// <summary>
    /// Notes whether the final response streams: events, or a body without a length that has not ended yet. Before its head is consumed.
    /// </summary>
    public void NoteStreaming()
    {
        var framing = Response.Framing;
        _isStreaming =
            framing.Kind is BodyKind.Chunked or BodyKind.UntilClose
            || (
                framing.Kind == BodyKind.Length
                && Upstream.ReceivedLength - Response.Length < framing.Length
                && IsEventStream(Response, Upstream.Received)
            );
        if (_isStreaming)
        {
            StreamNumber++;
            StreamTimeoutMs = _backend!.Config.StreamTimeoutSecs * 1000L;
        }
    }

    private static bool IsEventStream(ResponseHead response, ReadOnlySpan<byte> received)
    {
        foreach (ref readonly var field in response.Fields.Fields)
        {
            if (Grammar.EqualsIgnoreCase(field.Name(received), "content-type"u8))
            {
                var value = field.Value(received);
                int end = value.IndexOfAny((byte)';', (byte)' ', (byte)'\t');
                return Grammar.EqualsIgnoreCase(end < 0 ? value : value[..end], "text/event-stream"u8);
            }
        }

        return false;
    }

    /// <summary>True while bytes of the request's body are to follow its head.</summary>
    private bool BodyFollows =>
        Request.Framing.Kind == BodyKind.Chunked || (Request.Framing.Kind == BodyKind.Length && BodySentWithHead < Request.Framing.Length);

    /// <summary>A transition. In debug builds one that is not drawn throws.</summary>
    private ExchangeState Go(ExchangeState next)
    {
        ExpectTransition(next);
        return State = next;
    }

    [Conditional("DEBUG")]
    private void ExpectTransition(ExchangeState next)
    {
        if (!ExchangeTransitions.Allows(State, next))
        {
            throw new InvalidOperationException($"An exchange does not go from {State} to {next}.");
        }
    }

    [Conditional("DEBUG")]
    private void Expect(ExchangeState state)
    {
        if (State != state)
        {
            throw new InvalidOperationException($"Only in {state}, and this exchange is in {State}.");
        }
    }

    /// <summary>Waits until the backend is ready or has failed; the decision is in <see cref="_admission"/> then.</summary>
    private async ValueTask<int> WaitAsync()
    {
        if (_isAway || _reconnects > 0)
        {
            await PauseAsync().ConfigureAwait(false);
        }

        if (_noWake && _backend!.EnterPassive(out _countedPassive) is { Outcome: not AdmissionOutcome.NoRoom } decided)
        {
            _admission = decided;
            return 0;
        }

        if (_navigation == NavigationKind.Poll && _backend!.FailureSince(_awaitedStart) is { } failed)
        {
            _admission = failed;
            return 0;
        }

        var waiter = _backend!.Enqueue(
            new WakeCause(WakeKind.Request, null, _cause),
            yields: _navigation != NavigationKind.None,
            passive: _noWake
        );
        Volatile.Write(ref _waiter, waiter);
        Interlocked.MemoryBarrier();
        if (IsAborted)
        {
            _backend.Cancel(waiter);
        }

        try
        {
            var decision =
                _navigation == NavigationKind.None
                    ? waiter.Decision
                    : WaitingPage.HoldAsync(this, _backend, waiter, _navigation, context.Time);
            var admission = await decision.ConfigureAwait(false);
            Record.Hold(waiter.EnqueuedTimestamp, context.Time.GetTimestamp(), admission.Instance?.Steps ?? default);
            _admission = admission;
            _countedPassive = waiter.CountedPassive;
        }
        catch
        {
            if (!_backend.Cancel(waiter) && (await waiter.Decision.ConfigureAwait(false)).Instance is { } admitted)
            {
                new BackendLease(_backend, admitted, waiter.CountedPassive).Dispose(); // Nobody else leaves for it.
            }

            throw;
        }
        finally
        {
            Volatile.Write(ref _waiter, null);
        }

        return 0;
    }

    /// <summary>
    /// Waits for the backend to accept connections again, its place at it kept, so that it is in use; or for a while, after which it is
    /// asked anew.
    /// </summary>
    private async Task PauseAsync()
    {
        var pause = new ReconnectPause();
        Volatile.Write(ref _pause, pause);
        Interlocked.MemoryBarrier();
        if (_isAway)
        {
            var left = IsAborted ? TimeSpan.Zero : AwayLimit - context.Time.GetElapsedTime(_awaySince);
            var pool = _lease.Instance.Pool;
            var accepting = pool.WhenAcceptingAsync();
            try
            {
                await pause.PassAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, context.Time, accepting).ConfigureAwait(false);
            }
            finally
            {
                pool.EndWaitForAccept();
            }

            _isAway = false;
            _lease.Dispose();
            return;
        }

        await pause.PassAsync(IsAborted ? TimeSpan.Zero : ForwardingLimits.ReconnectPause(_reconnects), context.Time).ConfigureAwait(false);
    }

    /// <summary>How long a process that lives may refuse connections: as long as a start may take.</summary>
    private TimeSpan AwayLimit => TimeSpan.FromSeconds(Math.Min(_backend!.Config.StartupTimeoutSecs, ForwardingLimits.AwaySecsMax));

    private ExchangeState AfterAdmission(Admission admission, ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        RetryAfterSecs = admission.RetryAfterSecs;
        if (admission.Instance is { } instance)
        {
            _lease = new BackendLease(_backend!, instance, _countedPassive);
        }

        if (_navigation != NavigationKind.None && WaitingPage.Answer(context, _backend!, _navigation, admission) is { } reply)
        {
            return Give(reply);
        }

        return admission.Outcome switch
        {
            AdmissionOutcome.Admitted when IsStillTheEnded(admission.Instance!) => AwaitNextInstance(),
            AdmissionOutcome.Admitted => Dispatch(head, body, client),
            AdmissionOutcome.NoRoom => Go(ExchangeState.Waiting),
            AdmissionOutcome.ShuttingDown when _backend!.EphemeralLifetime is not null => Fail(ProxyError.SessionEnded, head),
            _ => Fail(ProxyErrors.Of(admission.Outcome), head),
        };
    }

    private ExchangeState Dispatch(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body, ClientIdentity client)
    {
        Record.Stage = ExchangeStage.Request;
        _backend!.Traffic.CountSent();
        Response.Reset();
        int bodyInHand = _serialized is null ? BodyInHand(body.Length) : BodySentWithHead;
        BodySentWithHead = bodyInHand;
        var pool = _lease.Instance.Pool;
        var upstream = HasLeftThis(_lease.Instance) ? null : pool.TryRent();
        var next = upstream is null ? ExchangeState.Connecting : ExchangeState.Sending;
        upstream ??= TryCreate(pool);
        if (upstream is null)
        {
            return AwaitNextInstance(SocketShortage.Descriptors);
        }

        Attach(upstream);
        var channel = upstream.Channel;
        if (_serialized is not null)
        {
            channel.Write(_serialized);
        }
        else
        {
            int needed = ProxyHeaders.RequestBytesNeeded(Request) + bodyInHand;
            byte[] gateway =
                ReceivedBy == ReceivedProtocol.Http2 ? context.ViaHttp2
                : Request.IsHttp11 ? context.Via
                : context.ViaHttp10;
            var via = ViaMark.Join(stackalloc byte[ForwardingLimits.ViaBytesMax], gateway, _backend.ViaMark);
            channel.CommitOutgoing(
                ProxyHeaders.WriteRequest(
                    channel.GetOutgoing(needed),
                    Request,
                    head,
                    client,
                    RequestId,
                    via,
                    Heads.Note?.Trace,
                    pool.KeepsNone
                )
            );
            channel.Write(body[..bodyInHand]);
            if (ReceivedBy == ReceivedProtocol.Http2 && bodyInHand == 0)
            {
                channel.CompactOutgoing(); // One connection may have hundreds of them.
            }
        }

        return IsAborted ? Fail(ProxyError.ConnectionFailed) : Go(next);
    }

    /// <summary>
    /// Body bytes that are there already and of known length share the segment with the head, and can be sent again with it.
    /// </summary>
    private int BodyInHand(int available) => Request.Framing.Kind == BodyKind.Length ? (int)Math.Min(available, Request.Framing.Length) : 0;

    /// <summary>Out of descriptors is an answer for this request, not an end of its connection.</summary>
    private UpstreamConnection? TryCreate(UpstreamPool pool)
    {
        _backend!.Traffic.CountOpened();
        Record.ConnectTimestamp = context.Time.GetTimestamp();
        return pool.TryCreate();
    }

    private void AfterConnect(int result)
    {
        Record.ConnectTicks = context.Time.GetTimestamp() - Record.ConnectTimestamp;
        if (result >= 0 && _attempt.Pool.IsTrusted && !Upstream.IsSelfConnected)
        {
            // It goes on accepting: so it has not ended, and what it did with the request it would do again.
            _ = HasLeftThis(_lease.Instance) ? Fail(ProxyError.ConnectionFailed, FailureReasons.Reset) : Go(ExchangeState.Sending);
            return;
        }

        if (result < 0 && Upstream.SendError == SocketError.AddressNotAvailable && _attempt.Pool.TakesPorts && !IsAborted)
        {
            _serialized = Upstream.Outgoing.ToArray();
            AwaitNextInstance(SocketShortage.Ports);
            return;
        }

        bool refused = result >= 0 || Upstream.SendError is SocketError.ConnectionRefused or SocketError.ConnectionReset;
        if (!refused || IsAborted)
        {
            Fail(ProxyError.ConnectionFailed, $"no connection to the backend ({Upstream.SendError})");
            return;
        }

        // Refused by a backend that was ready: it has just died and its exit is being noticed, and then this request waits for the new
        // start like every other; or it restarts itself. Whoever listens there next may be somebody else.
        _attempt.Pool.Mistrust(refused: result < 0 || Upstream.IsSelfConnected);
        _serialized = Upstream.Outgoing.ToArray();
        AwaitAcceptance();
    }

    /// <summary>A failed send is not the end: the backend may have answered early and closed.</summary>
    private void AfterSend()
    {
        Record.SentTimestamp = context.Time.GetTimestamp();
        _attempt.OnHeadSent(BodyFollows);
        Go(ExchangeState.AwaitingHead);
    }

    private void AfterReceive(int result)
    {
        if (result > 0)
        {
            _attempt.OnReceived();
            ParseResponse();
            return;
        }

        if (IsAborted || _attempt.ReceivedAny)
        {
            Fail(
                _attempt.ReceivedAny ? ProxyError.BadBackendResponse : ProxyError.ConnectionFailed,
                FailureReasons.OfHalfResponse(Upstream)
            );
            return;
        }

        switch (_attempt.Judge(Request.IsIdempotent, _retried, _endedInstance is not null))
        {
            case RetryVerdict.NewConnection:
                RetryOnNewConnection();
                break;
            case RetryVerdict.NextInstance:
                _endedInstance = _lease.Instance;
                _serialized = Upstream.Outgoing.ToArray();
                AwaitNextInstance();
                break;
            default:
                Fail(ProxyError.ConnectionFailed, FailureReasons.OfNoResponse(Upstream, IsUpstreamAborted));
                break;
        }
    }

    /// <summary>The interim response has been relayed.</summary>
    private void AfterInterim()
    {
        Upstream.Consume(Response.Length);
        Response.Reset();
        if (Upstream.ReceivedLength > 0)
        {
            ParseResponse();
        }
        else
        {
            Upstream.AcknowledgeNow();
            Go(ExchangeState.AwaitingHead);
        }
    }

    private void ParseResponse()
    {
        switch (ResponseHeadParser.Parse(Response, Upstream.Received, Request.Method == MethodKind.Head, ForwardingContext.ResponseLimits))
        {
            case HeadStatus.NeedMore:
                Upstream.AcknowledgeNow();
                Go(ExchangeState.AwaitingHead);
                break;
            case HeadStatus.Complete when Response.IsInterim:
                _interimBytes += Response.Length;
                _ =
                    _interimBytes <= ForwardingLimits.InterimBytesMax
                        ? Go(ExchangeState.RelayingInterim)
                        : FailAnswered("interim responses without end");
                break;
            case HeadStatus.Complete:
                string? fault = FailureReasons.OfResponse(Response, Upstream.Received, _offer);
                Record.AnsweredTimestamp = fault is null ? context.Time.GetTimestamp() : 0;
                _ = fault is null ? Go(ExchangeState.Relaying) : FailAnswered(fault);
                break;
            default:
                FailAnswered(HeadFaults.Describe(Response.Fault));
                break;
        }
    }

    private void RetryOnNewConnection()
    {
        _retried = true;
        _backend!.Traffic.CountRetried();
        _backend.Traffic.CountSent();
        var old = Upstream;
        if (TryCreate(_attempt.Pool) is not { } fresh)
        {
            _serialized = old.Outgoing.ToArray();
            AwaitNextInstance(SocketShortage.Descriptors);
            return;
        }

        try
        {
            fresh.Channel.Write(old.Outgoing);
        }
        catch
        {
            fresh.Pool.Discard(fresh); // It is nobody's yet.
            throw;
        }

        _attempt.Release(reusable: false);
        Attach(fresh);
        Interlocked.MemoryBarrier();
        if (IsAborted)
        {
            CutUpstream(); // Nobody looks again before the answer.
        }

        Go(ExchangeState.Connecting);
    }

    /// <summary>
    /// Leaves an instance that seems to have ended and asks again; in the worst case the gateway has not noticed its end yet, which takes
    /// moments. Or the system had nothing left for another connection: idle ones are closed at the next tick, and others end.
    /// </summary>
    /// <param name="shortage">What there was none of; nothing when the connection was refused.</param>
    private ExchangeState AwaitNextInstance(SocketShortage shortage = SocketShortage.None)
    {
        if (_reconnects == ForwardingLimits.ReconnectsMax)
        {
            if (shortage == SocketShortage.None)
            {
                RetryAfterSecs = 0;
                return Fail(ProxyError.ConnectionFailed, FailureReasons.Refused);
            }

            RetryAfterSecs = context.NoteNoSocket(_backend!.Name, shortage);
            return Fail(ProxyError.Overloaded);
        }

        _reconnects++;
        _backend!.Traffic.CountRetried();
        _attempt.Release(reusable: false);
        _lease.Dispose();
        return Go(ExchangeState.Waiting);
    }

    /// <summary>
    /// Waits until the instance accepts connections again, or has ended: a development server that restarts its child lives all the while.
    /// </summary>
    private void AwaitAcceptance()
    {
        _awaySince = _awaySince == 0 ? context.Time.GetTimestamp() : _awaySince;
        if (context.Time.GetElapsedTime(_awaySince) >= AwayLimit)
        {
            RetryAfterSecs = 0;
            Fail(ProxyError.ConnectionFailed, FailureReasons.Refused);
            return;
        }

        _isAway = true;
        _backend!.Traffic.CountRetried();
        _attempt.Release(reusable: false);
        Go(ExchangeState.Waiting);
    }

    /// <summary>
    /// Whether an instance that has left the request is still taken to be on its way out. After a while it is not: then it lives, and only
    /// what had the request may have ended, the child of a development server. If so nobody accepts now.
    /// </summary>
    private bool IsStillTheEnded(ReadyInstance instance) =>
        HasLeftThis(instance) && (instance.Pool.IsForwarded || _reconnects < ForwardingLimits.EndedReconnects);

    /// <summary>Whether it has left the request, and nobody has seen it refuse connections since.</summary>
    private bool HasLeftThis(ReadyInstance instance) => _awaySince == 0 && ReferenceEquals(instance, _endedInstance);

    private void Attach(UpstreamConnection upstream)
    {
        _attempt.Attach(upstream);
        if (IsAborted)
        {
            // The abort may have come between its look at the attempt and our write: it must find this connection, too.
            CutUpstream();
        }
    }
}
