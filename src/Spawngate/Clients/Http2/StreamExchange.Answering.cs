using System.Runtime.CompilerServices;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <content>How a stream puts heads, bodies and errors into frames.</content>
internal sealed partial class StreamExchange
{
    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<int> IExchangeClient.RelayInterimAsync()
    {
        WriteOutcome outcome;
        lock (_connection.Gate)
        {
            _headKind = HeadKind.Interim;
            outcome = _sender.BeginHead();
        }

        _connection.Writer.FlushSoon();
        outcome = outcome == WriteOutcome.Wait ? await _sender.WaitAsync().ConfigureAwait(false) : outcome;
        _awaitsContinue &= outcome != WriteOutcome.Head || _exchange.Response.Status != 100;
        return 0;
    }

    /// <summary>Writes the head that is next; called by its sender, within the gate.</summary>
    public void WriteHead()
    {
        var session = _connection.Session;
        var output = _connection.Writer.Output;
        if (_headKind == HeadKind.Own)
        {
            ResponseFrames.WriteErrorHead(session, Slot, output, _exchange, _answer, _answerBody.Length, _context.Date, _isBodyless);
            return;
        }

        bool isFinal = _headKind == HeadKind.Response;
        ResponseFrames.WriteHead(session, Slot, output, _exchange, isFinal ? _context.Date : default, endStream: isFinal && _isBodyless);
    }

    private WriteOutcome BeginResponse()
    {
        var response = _exchange.Response;
        bool opensTunnel = _isTunnel && response.Status == 101;
        if (_isTunnel && !opensTunnel && response.Status is >= 200 and < 300)
        {
            // To the client any 2xx would mean that the tunnel stands (RFC 8441 section 5).
            _exchange.FailAnswered("a status that to the client would mean a tunnel");
            return BeginError();
        }

        if (!_deadline.Set(opensTunnel ? DeadlineKind.None : DeadlineKind.Progress, _context.DueIn(_exchange.TimeoutMs)))
        {
            _exchange.FailLate();
            return BeginError();
        }

        _headKind = HeadKind.Response;
        _isBodyless = !opensTunnel && response.Framing is { Kind: BodyKind.None } or { Kind: BodyKind.Length, Length: 0 };
        return BeginAnswer();
    }

    /// <summary>Writes the final head, and what there is of the body; or waits for room.</summary>
    private WriteOutcome BeginAnswer()
    {
        WriteOutcome outcome;
        bool written;
        lock (_connection.Gate)
        {
            outcome = _sender.BeginHead();
            written = outcome == WriteOutcome.Head;
            outcome = written ? BeginBody() : outcome;
        }

        if (written)
        {
            AfterHead();
        }

        return outcome;
    }

    /// <summary>Goes on behind the final head; within the gate.</summary>
    private WriteOutcome BeginBody()
    {
        if (_headKind == HeadKind.Response)
        {
            _exchange.NoteStreaming();
            _exchange.Upstream.Consume(_exchange.Response.Length);
            if (IsTunnelOpen)
            {
                _upload.Open(_exchange.Upstream, chunked: false, tunnel: true);
                WatchWebSocket();
            }
        }

        var framing = IsTunnelOpen ? new BodyFraming(BodyKind.UntilClose, 0) : _exchange.Response.Framing;
        return _isBodyless
            ? WriteOutcome.Done
            : _sender.Begin(_headKind == HeadKind.Response ? StreamBody.Of(_exchange.Upstream, framing) : StreamBody.Of(_answerBody));
    }

    /// <summary>The final head has been written; outside of the gate.</summary>
    private void AfterHead()
    {
        if (IsTunnelOpen)
        {
            _exchange.BecomeTunnel();
            _exchange.TryTakeBody();
            _upload.Pump();
        }

        _connection.Writer.FlushSoon();
    }

    private WriteOutcome BeginError()
    {
        var error = _refusal != ProxyError.None ? _refusal : _exchange.Error;
        return error == ProxyError.ClientGone ? WriteOutcome.Gone : BeginError(error);
    }

    private WriteOutcome BeginError(ProxyError error)
    {
        ForwardingLog.Error(_context, _connection.Identity, _exchange, error);
        _answer = error;
        _answerBody = _exchange.Reply?.Body ?? ProxyErrors.Body(error, _detail);
        _headKind = HeadKind.Own;
        _isBodyless = Request.Method == MethodKind.Head;
        _deadline.Restart(DeadlineKind.Progress, _context.DueIn(ConnectionLimits.LingerMs));
        var outcome = BeginAnswer();
        if (outcome == WriteOutcome.Gone)
        {
            StreamFaults.NoteUntold(_exchange, error);
        }

        return outcome;
    }

    private WriteOutcome AfterInput(int received)
    {
        _awaitsInput = false;
        if (_isTunnel && _exchange.WebSocket is { } watch)
        {
            received = AfterWatchedInput(watch, received);
        }

        if (!_sender.TakeInput(received))
        {
            ForwardingLog.BodyCut(_context, _connection.Identity, _exchange, PumpOutcome.SourceCut);
            ResetTunnel();
            return WriteOutcome.Gone;
        }

        OnProgress();
        WriteOutcome outcome;
        lock (_connection.Gate)
        {
            outcome = _sender.Advance();
        }

        _connection.Writer.FlushSoon();
        return Settle(outcome);
    }

    /// <summary>
    /// A tunnel whose other side was reset ends by CANCEL (RFC 8441 section 5); any other response that is cut, by INTERNAL_ERROR.
    /// </summary>
    private void ResetTunnel()
    {
        if (_isTunnel)
        {
            lock (_connection.Gate)
            {
                _connection.Session.Reset(Slot, ErrorCode.Cancel);
            }
        }
    }
}
