using System.Buffers.Binary;
using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Http2;

/// <content>The frames that are about the connection and its streams, not about what they carry, and the answers to them.</content>
public sealed partial class Http2Session
{
    private int _previousWindow = PeerSettings.DefaultWindow;

    /// <summary>Bytes of control frames that wait to be written.</summary>
    public int ControlLength => _outbox.Length;

    /// <summary>
    /// Moves waiting control frames to the target, as many whole ones as fit, and returns their bytes. To be called before heads or data
    /// are written, so that the order of frames is kept.
    /// </summary>
    /// <param name="target">At least a few hundred bytes; <see cref="ControlLength"/> takes all.</param>
    public int WriteControl(Span<byte> target)
    {
        int written = _outbox.Take(target);
        if (_updatesDeferred && _outbox.Length == 0)
        {
            _updatesDeferred = false;
            TellConnectionWindow();
            for (int slot = 0; slot < _streams.End; slot++)
            {
                TellStreamWindow(slot);
            }

            written += _outbox.Take(target[written..]);
        }

        return written;
    }

    /// <summary>
    /// Asks the client for a sign of life; its answer is <see cref="Http2EventKind.PingAck"/>. False when too much waits to be written.
    /// </summary>
    public bool TryPing(ulong opaque)
    {
        var target = _outbox.Reserve(FrameWriter.PingSize);
        if (target.IsEmpty)
        {
            return false;
        }

        _outbox.Commit(FrameWriter.Ping(target, opaque, ack: false));
        return true;
    }

    /// <summary>
    /// Tells the client to open no more streams (RFC 9113 section 6.8). First gently: those it opens until it has heard of it are still
    /// served. Then, a round trip later, for good: what comes after the last accepted stream is ignored.
    /// </summary>
    /// <param name="final">False for the first step.</param>
    public void GoAway(bool final)
    {
        if (_failure is not null)
        {
            return;
        }

        _goAwayAfter = final ? _lastAccepted : _goAwayAfter;
        var target = _outbox.Reserve(FrameWriter.GoAwaySize, isLast: true);
        if (!target.IsEmpty)
        {
            _outbox.Commit(FrameWriter.GoAway(target, _goAwayAfter, ErrorCode.None));
        }
    }

    /// <summary>
    /// Resets a stream (RFC 9113 section 6.4); nothing happens to one that is closed. Its slot stays until <see cref="Release"/>.
    /// </summary>
    public void Reset(int slot, ErrorCode code)
    {
        if (_streams[slot].State != StreamState.Closed)
        {
            QueueReset(_streams[slot].Id, code);
            CloseByReset(slot, ClosedBy.LocalReset);
        }
    }

    /// <summary>
    /// Instead of serving a request that was just read: nothing of it has been processed, and the client may send it again (RFC 9113
    /// section 8.7). It counts like any reset that a client causes.
    /// </summary>
    /// <param name="found">The event of the request; then that of what has become of it.</param>
    public Http2EventKind RefuseRequest(ref Http2Event found)
    {
        int slot = found.Slot;
        var kind = StreamError(slot, found.StreamId, ErrorCode.RefusedStream, MalformedReason.None, ref found);
        if (kind != Http2EventKind.StreamReset)
        {
            return kind;
        }

        Release(slot);
        found.Slot = -1;
        return Http2EventKind.StreamRefused;
    }

    /// <summary>
    /// Gives a slot back; nothing more will be said about its stream. One that is not closed is reset: with NO_ERROR when we have said all
    /// and only the client's body is missing (RFC 9113 section 8.1), else with INTERNAL_ERROR.
    /// </summary>
    public void Release(int slot)
    {
        ref var stream = ref _streams[slot];
        Reset(slot, stream.State == StreamState.HalfClosedLocal ? ErrorCode.None : ErrorCode.Internal);
        int held = stream.HeldBytes;
        stream.HeldBytes = 0;
        _streams.Remove(slot);
        ConsumeConnection(held);
    }

    /// <summary>
    /// Instead of <see cref="Release"/>, of a stream on which we have said all and only the client's body is missing: puts its reset off,
    /// so that the client may take the response first, or end the body by itself. What comes of the body is thrown away, and its window
    /// does not open again. False, with nothing changed, when the stream is not like that. An event with
    /// <see cref="Http2Event.EndStream"/>, or a reset, tells of its end; <see cref="Release"/> follows then, or when the caller has waited
    /// long enough.
    /// </summary>
    public bool TryLinger(int slot)
    {
        ref var stream = ref _streams[slot];
        if (stream.State != StreamState.HalfClosedLocal || _failure is not null)
        {
            return false;
        }

        int held = stream.HeldBytes;
        stream.HeldBytes = 0;
        stream.Lingers = true;
        ConsumeConnection(held);
        return true;
    }

    /// <summary>The caller has passed on, or thrown away, so many bytes of data: windows open again.</summary>
    public void ConsumeData(int slot, int bytes)
    {
        ref var stream = ref _streams[slot];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, stream.HeldBytes);
        stream.HeldBytes -= bytes;
        ConsumeStream(slot, bytes);
        ConsumeConnection(bytes);
    }

    /// <summary>Raises the window of a stream, and that of the connection with it, for an upload that keeps up; never lowers one.</summary>
    public void WidenWindow(int slot, int streamBytes, int connectionBytes)
    {
        _streams[slot].Receive.Widen(streamBytes);
        TellStreamWindow(slot);
        _receive.Widen(connectionBytes);
        TellConnectionWindow();
    }

    /// <summary>Sets the Sec-WebSocket-Key sent to backends for extended CONNECTs: 24 characters.</summary>
    public void SetWebSocketKey(ReadOnlySpan<byte> key) => _builder.SetWebSocketKey(key);

    /// <summary>
    /// Takes up a request that asked to upgrade from HTTP/1.1 (RFC 7540 section 3.2): it is stream 1, half-closed (remote), answered after
    /// the 101. Before any <see cref="Read"/>. Returns its slot, or -1 when its settings are wrong: then there is no upgrade.
    /// </summary>
    /// <param name="settings">The payload of HTTP2-Settings, see <see cref="Http2SettingsField"/>.</param>
    public int AdoptUpgrade(ReadOnlySpan<byte> settings)
    {
        if (_highestId != 0 || settings.Length % 6 != 0 || _peer.Apply(settings) != ErrorCode.None)
        {
            return -1;
        }

        TakeUpSettings();
        int slot = _streams.Add(1);
        ref var stream = ref _streams[slot];
        stream.State = StreamRules.Opened(endStream: true);
        stream.Send = new SendWindow(_peer.InitialWindow);
        stream.Receive = new ReceiveWindow(CodecLimits.StreamWindowBytes);
        stream.BodyLeft = -1;
        stream.Priority = StreamPriority.Default;
        _highestId = _lastAccepted = 1;
        _active++;
        return slot;
    }

    private void QueueSettings(HeadLimits limits)
    {
        ReadOnlySpan<(SettingId, uint)> settings =
        [
            (SettingId.MaxConcurrentStreams, CodecLimits.ConcurrentStreamsMax),
            (SettingId.InitialWindowSize, CodecLimits.StreamWindowBytes),
            (SettingId.MaxHeaderListSize, (uint)limits.MaxHeadBytes),
            (SettingId.EnableConnectProtocol, 1),
            (SettingId.NoRfc7540Priorities, 1),
        ];
        _outbox.Commit(FrameWriter.Settings(_outbox.Reserve(FrameHeader.Size + (6 * settings.Length)), settings));
        int more = CodecLimits.ConnectionWindowBytes - PeerSettings.DefaultWindow;
        _outbox.Commit(FrameWriter.WindowUpdate(_outbox.Reserve(FrameWriter.WindowUpdateSize), 0, more));
        _settingsUnacknowledged = 1;
    }

    private Http2EventKind OnSettings(ReadOnlySpan<byte> settings, in Frame frame, ref Http2Event found)
    {
        if ((frame.Header.Flags & FrameFlags.Ack) != 0)
        {
            return --_settingsUnacknowledged < 0 ? FailWith(ErrorCode.Protocol, ref found) : GoOn;
        }

        var code = _peer.Apply(settings);
        if (code != ErrorCode.None)
        {
            return FailWith(code, ref found);
        }

        if (!frame.IsLast)
        {
            return GoOn;
        }

        _hasSettings = true;
        if (!TakeUpSettings())
        {
            return FailWith(ErrorCode.FlowControl, ref found);
        }

        if (!SpendIdle(CodecLimits.SettingsCost) || !HasRoomFor(FrameWriter.SettingsAckSize, out var target))
        {
            return Report(ref found);
        }

        _outbox.Commit(FrameWriter.SettingsAck(target));
        return Http2EventKind.Settings;
    }

    /// <summary>Once per frame, whatever it repeats. False when a window became too large (RFC 9113 section 6.9.2).</summary>
    private bool TakeUpSettings()
    {
        _encoder.SetTableSizeLimit(_peer.TakeSmallestTableSize());
        _encoder.SetTableSizeLimit(_peer.HeaderTableSize);
        int change = _peer.InitialWindow - _previousWindow;
        _previousWindow = _peer.InitialWindow;
        for (int slot = 0; change != 0 && slot < _streams.End; slot++)
        {
            if (_streams.IsUsed(slot) && !_streams[slot].Send.TryChange(change))
            {
                return false;
            }
        }

        return true;
    }

    private Http2EventKind OnControl(ReadOnlySpan<byte> payload, in Frame frame, ref Http2Event found)
    {
        switch (frame.Header.Type)
        {
            case FrameType.Ping:
                return OnPing(payload, frame, ref found);
            case FrameType.GoAway:
                found.StreamId = ReadId(payload);
                found.Code = (ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..]);
                return SpendIdle(1) ? Http2EventKind.GoAway : Report(ref found);
            case FrameType.WindowUpdate when frame.Header.StreamId == 0:
                return OnConnectionWindow(ReadId(payload), ref found);
            case FrameType.PriorityUpdate:
                return OnPriorityUpdate(payload, ref found);
            case FrameType.ResetStream:
                return OnReset((ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload), frame.Header.StreamId, ref found);
        }

        int id = frame.Header.StreamId;
        int slot = Locate(id, out var state, out var closedBy);
        var verdict = StreamRules.Judge(frame.Header.Type, state, closedBy, out var code);
        if (!SpendIdle(1))
        {
            return Report(ref found);
        }

        if (verdict == FrameVerdict.ConnectionError)
        {
            return FailWith(code, ref found);
        }

        return verdict == FrameVerdict.Ignore ? GoOn
            : frame.Header.Type == FrameType.Priority ? OnPriority(payload, slot, id, ref found)
            : OnStreamWindow(ReadId(payload), slot, ref found);
    }

    private Http2EventKind OnPing(ReadOnlySpan<byte> payload, in Frame frame, ref Http2Event found)
    {
        ulong opaque = BinaryPrimitives.ReadUInt64BigEndian(payload);
        if (!SpendIdle(1))
        {
            return Report(ref found);
        }

        if ((frame.Header.Flags & FrameFlags.Ack) != 0)
        {
            found.Opaque = opaque;
            return Http2EventKind.PingAck;
        }

        if (!HasRoomFor(FrameWriter.PingSize, out var target))
        {
            return Report(ref found);
        }

        _outbox.Commit(FrameWriter.Ping(target, opaque, ack: true));
        return GoOn;
    }

    private Http2EventKind OnReset(ErrorCode code, int id, ref Http2Event found)
    {
        int slot = Locate(id, out var state, out var closedBy);
        switch (StreamRules.Judge(FrameType.ResetStream, state, closedBy, out var error))
        {
            case FrameVerdict.ConnectionError:
                return FailWith(error, ref found);
            case FrameVerdict.Ignore:
                return SpendIdle(1) ? GoOn : Report(ref found);
        }

        // One that has its response and only stops its own body wastes nothing.
        if (state != StreamState.HalfClosedLocal && !_budget.TrySpendReset(_nowMs))
        {
            return FailWith(ErrorCode.EnhanceYourCalm, ref found);
        }

        Describe(slot, ref found, endStream: false);
        CloseByReset(slot, ClosedBy.PeerReset);
        found.ByPeer = true;
        found.Code = code;
        return Http2EventKind.StreamReset;
    }

    private Http2EventKind OnConnectionWindow(int increment, ref Http2Event found)
    {
        if (!SpendIdle(1))
        {
            return Report(ref found);
        }

        bool wasShut = _send.Available <= 0;
        if (increment == 0 || !_send.TryChange(increment))
        {
            return FailWith(increment == 0 ? ErrorCode.Protocol : ErrorCode.FlowControl, ref found);
        }

        return wasShut ? Http2EventKind.WindowOpened : GoOn;
    }

    private Http2EventKind OnStreamWindow(int increment, int slot, ref Http2Event found)
    {
        ref var stream = ref _streams[slot];
        bool wasShut = stream.Send.Available <= 0;
        if (increment == 0 || !stream.Send.TryChange(increment))
        {
            return StreamError(
                slot,
                stream.Id,
                increment == 0 ? ErrorCode.Protocol : ErrorCode.FlowControl,
                MalformedReason.None,
                ref found
            );
        }

        if (!wasShut || stream.Send.Available <= 0 || !stream.MaySend)
        {
            return GoOn;
        }

        Describe(slot, ref found, endStream: false);
        return Http2EventKind.WindowOpened;
    }

    /// <summary>
    /// RFC 9113 section 6.3 and RFC 7540 section 5.3.1. A stream that is idle cannot be reset, so there it is the connection that ends.
    /// </summary>
    private Http2EventKind OnPriority(ReadOnlySpan<byte> payload, int slot, int id, ref Http2Event found)
    {
        var code =
            payload.Length != 5 ? ErrorCode.FrameSize
            : FrameReader.Dependency(payload) == id ? ErrorCode.Protocol
            : ErrorCode.None;
        if (code == ErrorCode.None)
        {
            return GoOn;
        }

        return slot < 0 ? FailWith(code, ref found) : StreamError(slot, id, code, MalformedReason.None, ref found);
    }

    /// <summary>RFC 9218 section 7.1. What is too long to be a priority says nothing.</summary>
    private Http2EventKind OnPriorityUpdate(ReadOnlySpan<byte> payload, ref Http2Event found)
    {
        int id = ReadId(payload);
        if (id == 0 || id % 2 == 0)
        {
            return FailWith(ErrorCode.Protocol, ref found);
        }

        if (!SpendIdle(1))
        {
            return Report(ref found);
        }

        var priority = StreamPriority.Parse(payload[4..]);
        int slot = Locate(id, out var state, out _);
        if (state == StreamState.Idle)
        {
            TakeEarlyPriority(id);
            if (_earlyCount == _earlyPriorities.Length)
            {
                _earlyPriorities[0] = _earlyPriorities[--_earlyCount];
            }

            _earlyPriorities[_earlyCount++] = (id, priority);
        }

        if (slot < 0 || !StreamRules.MaySend(state) || _streams[slot].Priority == priority)
        {
            return GoOn;
        }

        _streams[slot].Priority = priority;
        Describe(slot, ref found, endStream: false);
        return Http2EventKind.PriorityChanged;
    }

    /// <summary>Room for an answer. Without it the client causes more answers than it reads: the connection ends.</summary>
    private bool HasRoomFor(int size, out Span<byte> target)
    {
        target = _outbox.Reserve(size);
        if (!target.IsEmpty)
        {
            return true;
        }

        Fail(ErrorCode.EnhanceYourCalm);
        return false;
    }

    private void QueueReset(int id, ErrorCode code)
    {
        if (_failure is null && HasRoomFor(FrameWriter.ResetSize, out var target))
        {
            _outbox.Commit(FrameWriter.Reset(target, id, code));
        }
    }

    private void ConsumeConnection(int bytes)
    {
        _receive.Consume(bytes);
        TellConnectionWindow();
    }

    private void ConsumeStream(int slot, int bytes)
    {
        _streams[slot].Receive.Consume(bytes);
        TellStreamWindow(slot);
    }

    private void TellConnectionWindow()
    {
        if (_receive.IsUpdateDue)
        {
            TellWindow(0, ref _receive);
        }
    }

    /// <summary>Only while the client may still send: after END_STREAM nobody asks.</summary>
    private void TellStreamWindow(int slot)
    {
        ref var stream = ref _streams[slot];
        if (stream.State is StreamState.Open or StreamState.HalfClosedLocal && stream.Receive.IsUpdateDue)
        {
            TellWindow(stream.Id, ref stream.Receive);
        }
    }

    private void TellWindow(int id, ref ReceiveWindow window)
    {
        if (_failure is not null)
        {
            return;
        }

        var target = _outbox.Reserve(FrameWriter.WindowUpdateSize);
        if (target.IsEmpty)
        {
            // Later, when what waits has been written.
            _updatesDeferred = true;
            return;
        }

        _outbox.Commit(FrameWriter.WindowUpdate(target, id, window.TakeUpdate()));
    }
}
