namespace Spawngate.Protocols.WebSockets;

/// <summary>
/// Follows the frames of one direction of a WebSocket (RFC 6455 section 5.2), however its bytes are cut, to tell data from control frames.
/// It reads headers only: nothing is copied, unmasked or checked.
/// </summary>
/// <remarks>
/// <code>
///   byte 0           byte 1            0, 2 or 8 bytes    0 or 4 bytes   length bytes
///  ┌───┬───┬──────┐ ┌────┬──────────┐ ┌─────────────────┐ ┌────────────┐ ┌─────────────┐
///  │FIN│RSV│opcode│ │MASK│ length 7 │ │ extended length │ │masking key │ │ payload     │
///  └───┴───┴──────┘ └────┴──────────┘ └─────────────────┘ └────────────┘ └─────────────┘
///
///  Opcode ──▶ Length ─┬─ 0 to 125 ──────────────▶ Rest ── key and payload passed ──▶ Opcode
///                     └─ 126, 127 ──▶ Extended ──▲ │
///                                        └─────────┴── a length that no frame has ──▶ Lost
/// </code>
/// </remarks>
public struct FrameScanner
{
    private const int CloseOpcode = 8;
    private const int MaskingKeyBytes = 4;

    private enum Stage : byte
    {
        Opcode,
        Length,
        Extended,
        Rest,
        Lost,
    }

    private Stage _stage;
    private bool _isData;
    private bool _isMasked;
    private byte _extendedLeft;
    private ulong _left;

    /// <summary>True when the next byte begins a frame.</summary>
    public readonly bool IsBetweenFrames => _stage == Stage.Opcode;

    /// <summary>True once a Close frame has begun: no frame follows it (RFC 6455 section 5.5.1).</summary>
    public bool HasClose { get; private set; }

    /// <summary>
    /// Goes on with what comes next. True when a byte of it belongs to a data frame: text, binary, a continuation of them, or an opcode
    /// that is reserved for more of their kind; false for nothing but control frames (ping, pong, close). Where the frames cannot be
    /// followed any more every byte counts as data.
    /// </summary>
    /// <param name="bytes">The bytes, in order.</param>
    public bool Scan(ReadOnlySpan<byte> bytes)
    {
        bool anyData = false;
        while (!bytes.IsEmpty)
        {
            int taken = 1;
            switch (_stage)
            {
                case Stage.Opcode:
                    int opcode = bytes[0] & 0x0F;
                    _isData = opcode < CloseOpcode;
                    HasClose |= opcode == CloseOpcode;
                    _stage = Stage.Length;
                    break;
                case Stage.Length:
                    TakeLength(bytes[0]);
                    break;
                case Stage.Extended:
                    _left = (_left << 8) | bytes[0];
                    if (--_extendedLeft == 0)
                    {
                        BeginRest();
                    }

                    break;
                case Stage.Rest:
                    taken = (int)Math.Min(_left, (ulong)bytes.Length);
                    _left -= (ulong)taken;
                    _stage = _left == 0 ? Stage.Opcode : Stage.Rest;
                    break;
                default:
                    return true;
            }

            anyData |= _isData;
            bytes = bytes[taken..];
        }

        return anyData;
    }

    private void TakeLength(byte second)
    {
        _isMasked = (second & 0x80) != 0;
        int length = second & 0x7F;
        _extendedLeft = length switch
        {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if (_extendedLeft > 0)
        {
            _left = 0;
            _stage = Stage.Extended;
            return;
        }

        _left = (ulong)length;
        BeginRest();
    }

    private void BeginRest()
    {
        if (_left > long.MaxValue)
        {
            // The most significant bit must be 0: this is no frame.
            _stage = Stage.Lost;
            _isData = true;
            return;
        }

        _left += _isMasked ? (ulong)MaskingKeyBytes : 0;
        _stage = _left == 0 ? Stage.Opcode : Stage.Rest;
    }
}
