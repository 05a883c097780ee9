using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;

namespace Spawngate.Protocols.Http2;

/// <summary>What <see cref="FrameReader.Next"/> found.</summary>
public enum FrameEvent : byte
{
    /// <summary>More bytes are needed.</summary>
    NeedMore,

    /// <summary>A DATA frame begins: <see cref="Frame.DataLength"/> bytes of data will follow as <see cref="Data"/>.</summary>
    DataBegins,

    /// <summary>A slice of a DATA frame's data.</summary>
    Data,

    /// <summary>A header block is complete: <see cref="FrameReader.Block"/>.</summary>
    Headers,

    /// <summary>
    /// Settings: a slice of whole ones, <see cref="Frame.IsLast"/> with the last of the frame. An empty frame gives one empty slice.
    /// </summary>
    Settings,

    /// <summary>
    /// A frame of fixed form, its payload a slice: PRIORITY, RST_STREAM, PING, WINDOW_UPDATE, GOAWAY (8 bytes), PRIORITY_UPDATE.
    /// </summary>
    Control,

    /// <summary>A frame without meaning here: of unknown type, or a CONTINUATION inside a block. It is counted, and skipped.</summary>
    Ignored,

    /// <summary>The connection has to end with <see cref="Frame.Error"/>.</summary>
    Error,
}

/// <summary>A frame, or a part of one.</summary>
public struct Frame
{
    /// <summary>Its header; of a header block that of HEADERS.</summary>
    public FrameHeader Header;

    /// <summary>Offset of the event's slice in the input.</summary>
    public int Start;

    /// <summary>Length of the event's slice.</summary>
    public int Length;

    /// <summary>Of DATA: bytes of data in the whole frame, padding left out.</summary>
    public int DataLength;

    /// <summary>True with the last slice of a frame.</summary>
    public bool IsLast;

    /// <summary>True of a header block that lies whole in the input.</summary>
    public bool IsWhole;

    /// <summary>True of HEADERS with priority fields that make the stream depend on itself.</summary>
    public bool DependsOnItself;

    /// <summary>The connection error.</summary>
    public ErrorCode Error;
}

/// <summary>
/// Takes bytes apart into frames (RFC 9113 sections 4 and 6): lengths, stream ids, padding, and that header blocks come in one piece. It
/// knows no stream states.
/// </summary>
/// <remarks>
/// <code>
///  Header ─┬─ DATA ──▶ [PadLength] ──▶ Data … ──▶ Padding ──┐
///    ▲     ├─ HEADERS ─▶ all there ─────────────────────────┤
///    │     │            └▶ [Prefix] ─▶ Fragment … ─▶ Padding ──▶ (CONTINUATION) …
///    │     ├─ SETTINGS ─▶ Settings …                        │
///    │     ├─ fixed form ───────────────────────────────────┤
///    │     └─ unknown, GOAWAY's rest ─▶ Skip …              │
///    └──────────────────────────────────────────────────────┘
/// </code>
/// Unfinished pieces of up to a frame header and eight bytes stay with the caller (a PRIORITY_UPDATE of up to 256 as a whole); all else is
/// taken as it comes. A header block that lies whole in the input is not copied; one in pieces is collected in a rented buffer.
/// </remarks>
public sealed class FrameReader(int blockBytesMax)
{
    private enum Stage : byte
    {
        Header,
        Data,
        Fragment,
        Settings,
        Skip,
    }

    private Stage _stage;
    private FrameHeader _header;
    private int _payloadLeft;
    private int _padding;
    private byte[] _block = [];
    private int _blockLength;
    private int _continuations;
    private bool _inBlock;
    private FrameHeader _blockHeader;
    private bool _blockDependsOnItself;

    /// <summary>Size of its buffer.</summary>
    public int HeldBytes => _block.Length;

    /// <summary>True between frames: the caller has no unfinished one.</summary>
    public bool IsBetweenFrames => _stage == Stage.Header && !_inBlock;

    /// <summary>Reads one event off the front of the input.</summary>
    /// <param name="input">Bytes not consumed yet.</param>
    /// <param name="consumed">How many of them this event used up.</param>
    /// <param name="frame">What was found.</param>
    public FrameEvent Next(ReadOnlySpan<byte> input, out int consumed, out Frame frame)
    {
        consumed = 0;
        frame = default;
        while (true)
        {
            var rest = input[consumed..];
            switch (_stage)
            {
                case Stage.Header:
                    if (rest.Length < FrameHeader.Size)
                    {
                        return FrameEvent.NeedMore;
                    }

                    _header = frame.Header = FrameHeader.Read(rest);
                    frame.Error = Check(_header);
                    if (frame.Error != ErrorCode.None)
                    {
                        return FrameEvent.Error;
                    }

                    if (Begin(rest[FrameHeader.Size..], ref consumed, ref frame) is { } found)
                    {
                        return found;
                    }

                    break;
                case Stage.Data when _payloadLeft > _padding:
                    return rest.IsEmpty
                        ? FrameEvent.NeedMore
                        : Slice(FrameEvent.Data, Math.Min(rest.Length, _payloadLeft - _padding), ref consumed, ref frame);
                case Stage.Settings:
                    int whole = Math.Min(rest.Length, _payloadLeft) / 6 * 6;
                    return whole == 0 && _payloadLeft > 0
                        ? FrameEvent.NeedMore
                        : Slice(FrameEvent.Settings, whole, ref consumed, ref frame);
                case Stage.Fragment when _payloadLeft > _padding:
                    if (rest.IsEmpty)
                    {
                        return FrameEvent.NeedMore;
                    }

                    int length = Math.Min(rest.Length, _payloadLeft - _padding);
                    Collect(rest[..length]);
                    consumed += length;
                    _payloadLeft -= length;
                    break;
                default:
                    int skipped = Math.Min(rest.Length, _payloadLeft);
                    consumed += skipped;
                    _payloadLeft -= skipped;
                    if (_payloadLeft > 0)
                    {
                        return FrameEvent.NeedMore;
                    }

                    bool blockEnds = _stage == Stage.Fragment && (_header.Flags & FrameFlags.EndHeaders) != 0;
                    _stage = Stage.Header;
                    if (blockEnds)
                    {
                        return EndBlock(ref frame);
                    }

                    break;
            }
        }
    }

    /// <summary>The header block of the last <see cref="FrameEvent.Headers"/>, until the next event.</summary>
    /// <param name="input">The same input as then.</param>
    /// <param name="frame">What was found.</param>
    public ReadOnlySpan<byte> Block(ReadOnlySpan<byte> input, in Frame frame) =>
        frame.IsWhole ? input.Slice(frame.Start, frame.Length) : _block.AsSpan(0, frame.Length);

    /// <summary>Gives the buffer of a collected block back; after its fields have been decoded.</summary>
    public void ReleaseBlock()
    {
        if (_block.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_block);
            _block = [];
        }
    }

    /// <summary>What can be said of a frame by its header (RFC 9113 sections 4.2 and 6).</summary>
    private ErrorCode Check(in FrameHeader header)
    {
        if (_inBlock && (header.Type != FrameType.Continuation || header.StreamId != _blockHeader.StreamId))
        {
            return ErrorCode.Protocol;
        }

        if (header.Length > CodecLimits.FrameBytes)
        {
            return ErrorCode.FrameSize;
        }

        switch (header.Type)
        {
            case FrameType.Data:
                return header.StreamId == 0 || (header.Length == 0 && (header.Flags & FrameFlags.Padded) != 0)
                    ? ErrorCode.Protocol
                    : ErrorCode.None;
            case FrameType.Headers:
                return header.StreamId == 0 || header.Length < PrefixLength(header.Flags) ? ErrorCode.Protocol : ErrorCode.None;
            case FrameType.Continuation:
                return !_inBlock ? ErrorCode.Protocol
                    : ++_continuations > CodecLimits.ContinuationFramesMax ? ErrorCode.EnhanceYourCalm
                    : ErrorCode.None;
            case FrameType.PushPromise:
                return ErrorCode.Protocol;
            case FrameType.Priority:
                return header.StreamId == 0 ? ErrorCode.Protocol : ErrorCode.None;
            case FrameType.ResetStream:
                return header.StreamId == 0 ? ErrorCode.Protocol
                    : header.Length != 4 ? ErrorCode.FrameSize
                    : ErrorCode.None;
            case FrameType.WindowUpdate:
                return header.Length != 4 ? ErrorCode.FrameSize : ErrorCode.None;
            case FrameType.Settings:
                bool sized = (header.Flags & FrameFlags.Ack) != 0 ? header.Length == 0 : header.Length % 6 == 0;
                return header.StreamId != 0 ? ErrorCode.Protocol
                    : sized ? ErrorCode.None
                    : ErrorCode.FrameSize;
            case FrameType.Ping:
                return header.StreamId != 0 ? ErrorCode.Protocol
                    : header.Length != 8 ? ErrorCode.FrameSize
                    : ErrorCode.None;
            case FrameType.GoAway:
                return header.StreamId != 0 ? ErrorCode.Protocol
                    : header.Length < 8 ? ErrorCode.FrameSize
                    : ErrorCode.None;
            case FrameType.PriorityUpdate:
                return header.StreamId != 0 ? ErrorCode.Protocol
                    : header.Length < 4 ? ErrorCode.FrameSize
                    : ErrorCode.None;
            default:
                return ErrorCode.None;
        }
    }

    private static int PrefixLength(FrameFlags flags) =>
        ((flags & FrameFlags.Padded) != 0 ? 1 : 0) + ((flags & FrameFlags.Priority) != 0 ? 5 : 0);

    /// <summary>
    /// A frame whose header is right. Its header is consumed together with what has to be there at once. Null to go on reading.
    /// </summary>
    private FrameEvent? Begin(ReadOnlySpan<byte> payload, ref int consumed, ref Frame frame)
    {
        // How much of the payload has to be there before the frame is begun: an unfinished frame leaves its header with the caller, to be
        // checked again.
        int needed = _header.Type switch
        {
            FrameType.Data => (_header.Flags & FrameFlags.Padded) != 0 ? 1 : 0,
            FrameType.Headers => PrefixLength(_header.Flags),
            FrameType.Priority => _header.Length == 5 ? 5 : 0,
            FrameType.ResetStream or FrameType.WindowUpdate or FrameType.Ping => _header.Length,
            FrameType.GoAway => 8,
            FrameType.PriorityUpdate => _header.Length <= CodecLimits.PriorityFieldBytesMax ? _header.Length : 4,
            _ => 0,
        };
        if (payload.Length < needed)
        {
            return FrameEvent.NeedMore;
        }

        consumed += FrameHeader.Size;
        _payloadLeft = _header.Length;
        _padding = 0;
        switch (_header.Type)
        {
            case FrameType.Data:
                return BeginData(payload, ref consumed, ref frame);
            case FrameType.Headers:
                return BeginHeaders(payload, ref consumed, ref frame);
            case FrameType.Continuation:
                return BeginContinuation(ref frame);
            case FrameType.Settings:
                _stage = Stage.Settings;
                int whole = Math.Min(payload.Length, _payloadLeft) / 6 * 6;
                return whole == 0 && _payloadLeft > 0 ? FrameEvent.NeedMore : Slice(FrameEvent.Settings, whole, ref consumed, ref frame);
            default:
                _stage = Stage.Skip;
                return Slice(IsKnown(_header.Type) ? FrameEvent.Control : FrameEvent.Ignored, needed, ref consumed, ref frame);
        }
    }

    private static bool IsKnown(FrameType type) => type is <= FrameType.Continuation or FrameType.PriorityUpdate;

    private FrameEvent BeginData(ReadOnlySpan<byte> payload, ref int consumed, ref Frame frame)
    {
        if ((_header.Flags & FrameFlags.Padded) != 0 && !TryTakePadding(payload, ref consumed))
        {
            return Fail(ErrorCode.Protocol, ref frame);
        }

        _stage = Stage.Data;
        frame.DataLength = _payloadLeft - _padding;
        return FrameEvent.DataBegins;
    }

    private FrameEvent? BeginHeaders(ReadOnlySpan<byte> payload, ref int consumed, ref Frame frame)
    {
        int prefix = PrefixLength(_header.Flags);
        if ((_header.Flags & FrameFlags.Padded) != 0 && (!TryTakePadding(payload, ref consumed) || _padding > _header.Length - prefix))
        {
            return Fail(ErrorCode.Protocol, ref frame);
        }

        _blockHeader = _header;
        _blockDependsOnItself = false;
        if ((_header.Flags & FrameFlags.Priority) != 0)
        {
            _blockDependsOnItself = Dependency(payload[(prefix - 5)..]) == _header.StreamId;
            consumed += 5;
            _payloadLeft -= 5;
        }

        if ((_header.Flags & FrameFlags.EndHeaders) != 0 && payload.Length >= _header.Length)
        {
            frame.Start = consumed;
            frame.Length = _payloadLeft - _padding;
            frame.IsWhole = true;
            frame.DependsOnItself = _blockDependsOnItself;
            consumed += _payloadLeft;
            return FrameEvent.Headers;
        }

        _inBlock = true;
        _continuations = 0;
        _blockLength = 0;
        _stage = Stage.Fragment;
        return null;
    }

    /// <summary>The stream that a PRIORITY or a HEADERS with priority names as the one it depends on.</summary>
    internal static int Dependency(ReadOnlySpan<byte> priority) =>
        (int)(BinaryPrimitives.ReadUInt32BigEndian(priority) & FrameHeader.Largest);

    private FrameEvent BeginContinuation(ref Frame frame)
    {
        if (_blockLength + _payloadLeft > blockBytesMax)
        {
            return Fail(ErrorCode.EnhanceYourCalm, ref frame);
        }

        _stage = Stage.Fragment;
        return FrameEvent.Ignored;
    }

    private FrameEvent EndBlock(ref Frame frame)
    {
        _inBlock = false;
        frame.Header = _blockHeader;
        frame.Length = _blockLength;
        frame.DependsOnItself = _blockDependsOnItself;
        return FrameEvent.Headers;
    }

    /// <summary>RFC 9113 sections 6.1 and 6.2: padding that is as long as the payload, or longer, is a connection error.</summary>
    private bool TryTakePadding(ReadOnlySpan<byte> payload, ref int consumed)
    {
        _padding = payload[0];
        consumed++;
        _payloadLeft--;
        return _padding <= _payloadLeft;
    }

    private FrameEvent Slice(FrameEvent found, int length, ref int consumed, ref Frame frame)
    {
        frame.Header = _header;
        frame.Start = consumed;
        frame.Length = length;
        consumed += length;
        _payloadLeft -= length;
        frame.IsLast = _payloadLeft == _padding;
        if (_payloadLeft == 0)
        {
            _stage = Stage.Header;
        }

        return found;
    }

    private void Collect(ReadOnlySpan<byte> fragment)
    {
        Debug.Assert(_blockLength + fragment.Length <= Math.Max(blockBytesMax, CodecLimits.FrameBytes), "checked with each frame");
        if (_blockLength + fragment.Length > _block.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_blockLength + fragment.Length, 2 * _block.Length));
            _block.AsSpan(0, _blockLength).CopyTo(larger);
            ReleaseBlock();
            _block = larger;
        }

        fragment.CopyTo(_block.AsSpan(_blockLength));
        _blockLength += fragment.Length;
    }

    private static FrameEvent Fail(ErrorCode code, ref Frame frame)
    {
        frame.Error = code;
        return FrameEvent.Error;
    }
}
