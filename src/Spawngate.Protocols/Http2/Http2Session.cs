using System.Buffers.Binary;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Http2;

/// <summary>
/// The server's side of one HTTP/2 connection (RFC 9113): bytes in, events out. What it has to say itself waits for
/// <see cref="WriteControl"/>; heads and data are written by the methods of the other half. See docs/concepts/http2.md for states,
/// failures and budgets. One caller at a time.
/// </summary>
public sealed partial class Http2Session
{
    /// <summary>Nothing to report: <see cref="Read"/> goes on with the next frame.</summary>
    private const Http2EventKind GoOn = Http2EventKind.NeedMore;

    private enum Purpose : byte
    {
        Request,
        Trailers,
        Nothing,
    }

    private readonly FrameReader _reader;
    private readonly HpackDecoder _decoder = new(CodecLimits.HpackTableBytes);
    private readonly HpackEncoder _encoder = new(CodecLimits.HpackTableBytes);
    private readonly RequestHeadBuilder _builder;
    private readonly StreamTable _streams = new();
    private readonly ControlOutbox _outbox = new();
    private readonly (int Id, StreamPriority Priority)[] _earlyPriorities = new (int, StreamPriority)[CodecLimits.EarlyPrioritiesMax];
    private FloodBudget _budget;
    private ReceiveWindow _receive = new(CodecLimits.ConnectionWindowBytes);
    private SendWindow _send = new(PeerSettings.DefaultWindow);
    private PeerSettings _peer = new();
    private long _nowMs;
    private int _highestId,
        _lastAccepted,
        _goAwayAfter = FrameHeader.Largest;
    private int _active,
        _earlyCount,
        _settingsUnacknowledged;
    private int _dataSlot = -1;
    private bool _hasPreface,
        _hasSettings,
        _updatesDeferred;
    private ErrorCode? _failure;

    /// <summary>Starts a connection; the settings wait to be written.</summary>
    /// <param name="limits">Bounds of a request's head.</param>
    /// <param name="nowMs">The time, of any clock that only goes forward.</param>
    public Http2Session(HeadLimits limits, long nowMs)
    {
        _reader = new FrameReader(Math.Max(CodecLimits.FrameBytes, CodecLimits.HeaderBlockFactor * limits.MaxHeadBytes));
        _builder = new RequestHeadBuilder(limits);
        _budget = new FloodBudget(nowMs);
        _nowMs = nowMs;
        QueueSettings(limits);
    }

    /// <summary>The bytes of the head, or of the trailers' lines, that the last event brought; until the next <see cref="Read"/>.</summary>
    public ReadOnlySpan<byte> HeadBytes => _builder.Bytes;

    /// <summary>Streams that are open or half-closed.</summary>
    public int ActiveStreams => _active;

    /// <summary>
    /// True while the client has not acknowledged our settings (RFC 9113 section 6.5.3); for how long is up to the caller.
    /// </summary>
    public bool AwaitsSettingsAck => _settingsUnacknowledged > 0;

    /// <summary>True in front of a frame: the client owes no rest of one, so silence is idleness.</summary>
    public bool IsBetweenFrames => _reader.IsBetweenFrames;

    /// <summary>True when what comes next begins a request; false also when too little of it is there to tell.</summary>
    /// <param name="input">Bytes not consumed yet.</param>
    public bool BeginsRequest(ReadOnlySpan<byte> input) =>
        input.Length >= FrameHeader.Size
        && IsBetweenFrames
        && FrameHeader.Read(input) is { Type: FrameType.Headers } header
        && header.StreamId > _highestId;

    /// <summary>The error the connection ends with, or null.</summary>
    public ErrorCode? Failure => _failure;

    /// <summary>Bytes it holds in buffers and tables.</summary>
    public int HeldBytes => _decoder.HeldBytes + _encoder.HeldBytes + _builder.HeldBytes + _reader.HeldBytes + _outbox.HeldBytes;

    /// <summary>What the client may still waste.</summary>
    public FloodBudget Budget => _budget;

    /// <summary>A stream by its slot.</summary>
    public ref readonly Http2Stream Stream(int slot) => ref _streams[slot];

    /// <summary>Reads one event off the front of the input.</summary>
    /// <param name="input">Bytes not consumed yet.</param>
    /// <param name="request">
    /// Filled with <see cref="Http2EventKind.Request"/> and <see cref="Http2EventKind.RequestRefused"/>: that of the next free exchange. It
    /// may be changed without such an event.
    /// </param>
    /// <param name="nowMs">The time.</param>
    /// <param name="consumed">How many bytes this event used up.</param>
    /// <param name="found">What was found.</param>
    public Http2EventKind Read(ReadOnlySpan<byte> input, RequestHead request, long nowMs, out int consumed, out Http2Event found)
    {
        consumed = 0;
        found = new Http2Event { Slot = -1 };
        _nowMs = nowMs;
        _builder.ReleaseLarge();
        if (_failure is null && !_hasPreface && !TryTakePreface(input, ref consumed))
        {
            return _failure is null ? Http2EventKind.NeedMore : Report(ref found);
        }

        while (_failure is null)
        {
            var rest = input[consumed..];
            var frameEvent = _reader.Next(rest, out int used, out var frame);
            if (frameEvent == FrameEvent.NeedMore)
            {
                consumed += used;
                return Http2EventKind.NeedMore;
            }

            if (!_hasSettings && (frame.Header.Type != FrameType.Settings || (frame.Header.Flags & FrameFlags.Ack) != 0))
            {
                // RFC 9113 section 3.4: SETTINGS come first.
                Fail(ErrorCode.Protocol);
                break;
            }

            var kind = Handle(frameEvent, rest, frame, request, ref found);
            int frameStart = consumed;
            consumed += used;
            if (kind != GoOn)
            {
                found.Start += frameStart;
                return kind;
            }
        }

        return Report(ref found);
    }

    /// <summary>
    /// Ends the connection with that error, as <see cref="Read"/> does for the client's faults: a GOAWAY waits to be written.
    /// </summary>
    public void Fail(ErrorCode code)
    {
        if (_failure is not null)
        {
            return;
        }

        _failure = code;
        var target = _outbox.Reserve(FrameWriter.GoAwaySize, isLast: true);
        if (!target.IsEmpty)
        {
            _outbox.Commit(FrameWriter.GoAway(target, Math.Min(_lastAccepted, _goAwayAfter), code));
        }
    }

    private Http2EventKind Report(ref Http2Event found)
    {
        found = new Http2Event { Slot = -1, Code = _failure ?? ErrorCode.None };
        return Http2EventKind.ConnectionError;
    }

    private Http2EventKind FailWith(ErrorCode code, ref Http2Event found)
    {
        Fail(code);
        return Report(ref found);
    }

    private bool TryTakePreface(ReadOnlySpan<byte> input, ref int consumed)
    {
        switch (Http2Preface.Match(input))
        {
            case PrefaceMatch.Complete:
                consumed = Http2Preface.Bytes.Length;
                return _hasPreface = true;
            case PrefaceMatch.No:
                Fail(ErrorCode.Protocol);
                return false;
            default:
                return false;
        }
    }

    private Http2EventKind Handle(
        FrameEvent frameEvent,
        ReadOnlySpan<byte> input,
        in Frame frame,
        RequestHead request,
        ref Http2Event found
    )
    {
        switch (frameEvent)
        {
            case FrameEvent.DataBegins:
                return OnDataBegins(frame, ref found);
            case FrameEvent.Data:
                return OnData(frame, ref found);
            case FrameEvent.Headers:
                var kind = OnHeaders(_reader.Block(input, frame), frame, request, ref found);
                _reader.ReleaseBlock();
                return kind;
            case FrameEvent.Settings:
                return OnSettings(input.Slice(frame.Start, frame.Length), frame, ref found);
            case FrameEvent.Control:
                return OnControl(input.Slice(frame.Start, frame.Length), frame, ref found);
            case FrameEvent.Ignored:
                return SpendIdle(1) ? GoOn : Report(ref found);
            default:
                return FailWith(frame.Error, ref found);
        }
    }

    /// <summary>Where a frame's stream is in its life.</summary>
    private int Locate(int id, out StreamState state, out ClosedBy closedBy)
    {
        int slot = _streams.Find(id);
        if (slot >= 0)
        {
            state = _streams[slot].State;
            closedBy = _streams[slot].ClosedBy;
            return slot;
        }

        // Even ids are the server's: idle for ever, since nothing is pushed.
        bool idle = id > _highestId || id % 2 == 0;
        state = idle ? StreamState.Idle : StreamState.Closed;
        closedBy = idle ? ClosedBy.Unknown : _streams.ClosedBy(id);
        return -1;
    }

    private Http2EventKind OnDataBegins(in Frame frame, ref Http2Event found)
    {
        // Section 6.9: the whole payload counts, and on the connection whatever becomes of the stream.
        int flow = frame.Header.Length;
        if (!_receive.TryReceive(flow))
        {
            return FailWith(ErrorCode.FlowControl, ref found);
        }

        int id = frame.Header.StreamId;
        bool ends = (frame.Header.Flags & FrameFlags.EndStream) != 0;
        int slot = Locate(id, out var state, out var closedBy);
        _dataSlot = -1;
        ConsumeConnection(flow - frame.DataLength);
        if (frame.DataLength == 0 && !ends && !SpendIdle(1))
        {
            return Report(ref found);
        }

        switch (StreamRules.Judge(FrameType.Data, state, closedBy, out var code))
        {
            case FrameVerdict.ConnectionError:
                return FailWith(code, ref found);
            case FrameVerdict.StreamError:
                return StreamError(slot, id, code, MalformedReason.None, ref found);
            case FrameVerdict.Ignore:
                bool underWay = slot >= 0 ? _streams[slot].Receive.TryReceive(flow) : _streams.TryTakeAllowance(id, flow);
                return underWay ? GoOn : FailWith(ErrorCode.StreamClosed, ref found);
        }

        ref var stream = ref _streams[slot];
        if (!stream.Receive.TryReceive(flow))
        {
            return StreamError(slot, id, ErrorCode.FlowControl, MalformedReason.None, ref found);
        }

        if (stream.BodyLeft >= 0 && (frame.DataLength > stream.BodyLeft || (ends && frame.DataLength < stream.BodyLeft)))
        {
            return StreamError(slot, id, ErrorCode.Protocol, MalformedReason.LengthMismatch, ref found);
        }

        stream.BodyLeft -= stream.BodyLeft >= 0 ? frame.DataLength : 0;
        ConsumeStream(slot, flow - frame.DataLength);
        _budget.EarnDataBytes(frame.DataLength);
        _dataSlot = slot;
        if (frame.DataLength > 0 || !ends)
        {
            return GoOn;
        }

        EndRemote(slot);
        Describe(slot, ref found, endStream: true);
        return Http2EventKind.Data;
    }

    private Http2EventKind OnData(in Frame frame, ref Http2Event found)
    {
        if (_dataSlot < 0)
        {
            ConsumeConnection(frame.Length);
            return GoOn;
        }

        int slot = _dataSlot;
        bool ends = frame.IsLast && (frame.Header.Flags & FrameFlags.EndStream) != 0;
        if (ends)
        {
            EndRemote(slot);
        }

        Describe(slot, ref found, ends);
        if (_streams[slot].Lingers)
        {
            ConsumeConnection(frame.Length);
            return ends ? Http2EventKind.Data : GoOn;
        }

        _streams[slot].HeldBytes += frame.Length;
        found.Start = frame.Start;
        found.Length = frame.Length;
        return Http2EventKind.Data;
    }

    private Http2EventKind OnHeaders(ReadOnlySpan<byte> block, in Frame frame, RequestHead request, ref Http2Event found)
    {
        int id = frame.Header.StreamId;
        if (id % 2 == 0)
        {
            return FailWith(ErrorCode.Protocol, ref found);
        }

        int slot = Locate(id, out var state, out var closedBy);
        var verdict = StreamRules.Judge(FrameType.Headers, state, closedBy, out var code);
        if (verdict == FrameVerdict.ConnectionError)
        {
            return FailWith(code, ref found);
        }

        bool accepted = verdict == FrameVerdict.Accept;
        bool opens = accepted && state == StreamState.Idle;
        bool refused = opens && (_active >= CodecLimits.ConcurrentStreamsMax || id > _goAwayAfter);
        var purpose =
            !accepted || refused ? Purpose.Nothing
            : opens ? Purpose.Request
            : Purpose.Trailers;
        _highestId = Math.Max(_highestId, id);

        // Whatever becomes of it, the block has changed the peer's table and must change ours (section 4.3).
        if (!TryDecode(block, purpose, request))
        {
            return FailWith(ErrorCode.Compression, ref found);
        }

        if (verdict == FrameVerdict.Ignore)
        {
            return SpendIdle(1) ? GoOn : Report(ref found);
        }

        if (!accepted || frame.DependsOnItself)
        {
            return StreamError(slot, id, accepted ? ErrorCode.Protocol : code, MalformedReason.None, ref found);
        }

        bool endStream = (frame.Header.Flags & FrameFlags.EndStream) != 0;
        return purpose switch
        {
            Purpose.Nothing => Refuse(id, ref found),
            Purpose.Request => Open(id, endStream, request, ref found),
            _ => EndWithTrailers(slot, id, endStream, ref found),
        };
    }

    private bool TryDecode(ReadOnlySpan<byte> block, Purpose purpose, RequestHead request)
    {
        switch (purpose)
        {
            case Purpose.Request:
                _builder.Begin(request);
                break;
            case Purpose.Trailers:
                _builder.BeginTrailers();
                break;
        }

        int at = 0;
        HpackStatus status;
        _decoder.Begin(block.Length);
        while ((status = _decoder.Next(block, ref at, out var field)) == HpackStatus.Field)
        {
            switch (purpose)
            {
                case Purpose.Request:
                    _builder.Add(field);
                    break;
                case Purpose.Trailers:
                    _builder.AddTrailer(field);
                    break;
            }
        }

        _decoder.End();
        return status == HpackStatus.End;
    }

    /// <summary>
    /// A stream above what was announced (section 5.1.2), or after our last GOAWAY (section 6.8), where it is not even answered.
    /// </summary>
    private Http2EventKind Refuse(int id, ref Http2Event found)
    {
        if (id > _goAwayAfter)
        {
            _streams.Remember(id, ClosedBy.LocalReset, CodecLimits.StreamWindowBytes);
            return SpendIdle(1) ? GoOn : Report(ref found);
        }

        return StreamError(-1, id, ErrorCode.RefusedStream, MalformedReason.None, ref found);
    }

    private Http2EventKind Open(int id, bool endStream, RequestHead request, ref Http2Event found)
    {
        _builder.Finish(endStream);
        if (_builder.Malformed != MalformedReason.None)
        {
            return StreamError(-1, id, ErrorCode.Protocol, _builder.Malformed, ref found);
        }

        int slot = _streams.Add(id);
        if (slot < 0)
        {
            return StreamError(-1, id, ErrorCode.RefusedStream, MalformedReason.None, ref found);
        }

        ref var stream = ref _streams[slot];
        stream.State = StreamRules.Opened(endStream);
        stream.Send = new SendWindow(_peer.InitialWindow);
        stream.Receive = new ReceiveWindow(CodecLimits.StreamWindowBytes);
        stream.BodyLeft = request.Fault == HeadFault.None ? request.Fields.ContentLength : -1;
        stream.IsTunnel = _builder.IsTunnel;
        stream.Priority = TakeEarlyPriority(id) ?? _builder.Priority;
        _active++;
        _lastAccepted = id;
        _budget.EarnRequest();
        Describe(slot, ref found, endStream);
        found.IsTunnel = stream.IsTunnel;
        return request.Fault == HeadFault.None ? Http2EventKind.Request : Http2EventKind.RequestRefused;
    }

    private Http2EventKind EndWithTrailers(int slot, int id, bool endStream, ref Http2Event found)
    {
        var malformed =
            !endStream ? MalformedReason.TrailersWithoutEnd
            : _streams[slot].BodyLeft > 0 ? MalformedReason.LengthMismatch
            : _builder.Malformed;
        if (malformed != MalformedReason.None || _builder.AreTrailersTooLarge)
        {
            return StreamError(
                slot,
                id,
                malformed != MalformedReason.None ? ErrorCode.Protocol : ErrorCode.EnhanceYourCalm,
                malformed,
                ref found
            );
        }

        EndRemote(slot);
        Describe(slot, ref found, endStream: true);
        return Http2EventKind.Trailers;
    }

    /// <summary>
    /// The client's fault on one stream (section 5.4.2). It counts like a reset by the client, or a client could make us reset for ever
    /// (CVE-2025-8671).
    /// </summary>
    private Http2EventKind StreamError(int slot, int id, ErrorCode code, MalformedReason malformed, ref Http2Event found)
    {
        if (!_budget.TrySpendReset(_nowMs))
        {
            return FailWith(ErrorCode.EnhanceYourCalm, ref found);
        }

        QueueReset(id, code);
        bool reported = slot >= 0 && _streams[slot].State != StreamState.Closed;
        if (reported)
        {
            Describe(slot, ref found, endStream: false);
            Close(slot, ClosedBy.LocalReset);
        }
        else if (slot >= 0)
        {
            _streams[slot].ClosedBy = ClosedBy.LocalReset;
        }
        else
        {
            _streams.Remember(id, ClosedBy.LocalReset, CodecLimits.StreamWindowBytes);
        }

        found.StreamId = id;
        found.Code = code;
        found.Malformed = malformed;
        return !reported ? Http2EventKind.StreamRefused : Http2EventKind.StreamReset;
    }

    private void Describe(int slot, ref Http2Event found, bool endStream)
    {
        found.Slot = slot;
        found.StreamId = _streams[slot].Id;
        found.EndStream = endStream;
    }

    private void EndRemote(int slot)
    {
        ref var stream = ref _streams[slot];
        stream.State = StreamRules.RemoteEnded(stream.State);
        if (stream.State == StreamState.Closed)
        {
            Close(slot, ClosedBy.End);
        }
    }

    /// <summary>The stream is over; its slot stays until it is released.</summary>
    private void Close(int slot, ClosedBy by)
    {
        ref var stream = ref _streams[slot];
        stream.State = StreamState.Closed;
        stream.ClosedBy = by;
        _active--;
        _dataSlot = _dataSlot == slot ? -1 : _dataSlot;
    }

    private bool SpendIdle(int frames)
    {
        if (_budget.TrySpendIdle(_nowMs, frames))
        {
            return true;
        }

        Fail(ErrorCode.EnhanceYourCalm);
        return false;
    }

    private StreamPriority? TakeEarlyPriority(int id)
    {
        for (int i = 0; i < _earlyCount; i++)
        {
            var (early, priority) = _earlyPriorities[i];
            if (early == id)
            {
                _earlyPriorities[i] = _earlyPriorities[--_earlyCount];
                return priority;
            }
        }

        return null;
    }

    private static int ReadId(ReadOnlySpan<byte> payload) => (int)(BinaryPrimitives.ReadUInt32BigEndian(payload) & FrameHeader.Largest);
}
