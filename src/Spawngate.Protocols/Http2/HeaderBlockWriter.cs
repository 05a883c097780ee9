using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Text;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Http2;

/// <summary>
/// Writes one field section, coded, straight into the span of the frames it becomes: HEADERS, and CONTINUATION where the peer wants shorter
/// frames.
/// </summary>
public ref struct HeaderBlockWriter
{
    private readonly HpackEncoder _encoder;
    private readonly Span<byte> _target;
    private readonly bool _isTunnel;
    private int _length;

    internal HeaderBlockWriter(HpackEncoder encoder, Span<byte> target, bool isTunnel)
    {
        _encoder = encoder;
        _target = target;
        _isTunnel = isTunnel;
        _length = FrameHeader.Size;
        _length += encoder.Begin(target[_length..]);
    }

    /// <summary>True once a status of 200 or more was written.</summary>
    internal bool IsFinal { get; private set; }

    /// <summary>Writes <c>:status</c>; of a head the first.</summary>
    public void Status(int status)
    {
        IsFinal = status >= 200;
        _length += _encoder.EncodeStatus(_target[_length..], status);
    }

    /// <summary>Writes a field.</summary>
    /// <param name="name">In lower case.</param>
    /// <param name="value">Without white space around it.</param>
    public void Field(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value) =>
        _length += _encoder.Encode(_target[_length..], name, value);

    /// <summary>Writes a field with a number.</summary>
    /// <param name="name">In lower case.</param>
    /// <param name="value">The number.</param>
    public void Field(scoped ReadOnlySpan<byte> name, long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        Field(name, digits[..length]);
    }

    /// <summary>Writes a field whose name may be in any case, as HTTP/1.1 has it.</summary>
    [SkipLocalsInit]
    public void FieldOfAnyCase(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value)
    {
        Span<byte> lower = stackalloc byte[Math.Min(name.Length, CodecLimits.LowerNameBytes)];
        if (name.Length > lower.Length)
        {
            lower = new byte[name.Length];
        }

        Ascii.ToLower(name, lower, out _);
        Field(lower, value);
    }

    /// <summary>
    /// Writes status and fields of a backend's response, interim or final: hop-by-hop fields and those that Connection names are left out,
    /// and of the 101 to a tunnel, which becomes 200, what only belongs to the handshake of HTTP/1.1 (RFC 8441 section 5).
    /// </summary>
    /// <param name="response">The response.</param>
    /// <param name="head">Its bytes.</param>
    public void Response(ResponseHead response, scoped ReadOnlySpan<byte> head)
    {
        bool opensTunnel = _isTunnel && response.Status == 101;
        Status(opensTunnel ? 200 : response.Status);
        var fields = response.Fields;
        foreach (ref readonly var field in fields.Fields)
        {
            var name = field.Name(head);
            switch (field.Known)
            {
                case KnownHeader.None when fields.ConnectionNominates && fields.IsNominated(head, field):
                case KnownHeader.None when opensTunnel && Grammar.EqualsIgnoreCase(name, "sec-websocket-accept"u8):
                    break;
                case KnownHeader.ContentLength:
                    if (response.Status is >= 200 and not 204)
                    {
                        Field("content-length"u8, fields.ContentLength);
                    }

                    break;
                default:
                    if (!KnownHeaders.IsHopByHop(field.Known))
                    {
                        FieldOfAnyCase(name, field.Value(head));
                    }

                    break;
            }
        }
    }

    /// <summary>
    /// Writes a line of a chunked body's trailers, as <see cref="ChunkedDecoder"/> yields it; what must not stand there is left out.
    /// </summary>
    /// <param name="line">Without its CRLF.</param>
    public void Trailer(scoped ReadOnlySpan<byte> line)
    {
        int colon = line.IndexOf((byte)':');
        if (!KnownHeaders.IsForbiddenInTrailer(line[..colon]))
        {
            FieldOfAnyCase(line[..colon], Grammar.TrimOws(line[(colon + 1)..]));
        }
    }

    /// <summary>Puts the frame headers where they belong. Returns the bytes of all frames.</summary>
    internal int Finish(int streamId, bool endStream, int frameSizeMax)
    {
        int block = _length - FrameHeader.Size;
        int frames = Math.Max(1, (block + frameSizeMax - 1) / frameSizeMax);
        var ends = endStream ? FrameFlags.EndStream : FrameFlags.None;

        // From the last frame to the first, so that each piece moves into room that is free.
        for (int i = frames - 1; i > 0; i--)
        {
            int from = i * frameSizeMax;
            int size = Math.Min(frameSizeMax, block - from);
            int to = from + (i * FrameHeader.Size);
            _target.Slice(FrameHeader.Size + from, size).CopyTo(_target[(to + FrameHeader.Size)..]);
            new FrameHeader(size, FrameType.Continuation, i == frames - 1 ? FrameFlags.EndHeaders : FrameFlags.None, streamId).Write(
                _target[to..]
            );
        }

        var flags = ends | (frames == 1 ? FrameFlags.EndHeaders : FrameFlags.None);
        new FrameHeader(Math.Min(block, frameSizeMax), FrameType.Headers, flags, streamId).Write(_target);
        return block + (frames * FrameHeader.Size);
    }
}
