using Spawngate.Protocols.Http1;

namespace Spawngate.Forwarding;

/// <summary>Trailer lines that may pass, bounded by <see cref="Protocols.CodecLimits.TrailerBytesMax"/>.</summary>
internal sealed class TrailerBuffer
{
    private byte[] _bytes = [];
    private int _length;

    /// <summary>True when there are none.</summary>
    public bool IsEmpty => _length == 0;

    /// <summary>The lines, each with its CRLF.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

    /// <summary>Forgets them.</summary>
    public void Clear() => _length = 0;

    /// <summary>Adds one, without its CRLF, unless its name is not allowed in a trailer (RFC 9110 section 6.5.1).</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        if (KnownHeaders.IsForbiddenInTrailer(line[..line.IndexOf((byte)':')]))
        {
            return;
        }

        if (_bytes.Length < _length + line.Length + 2)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _length + line.Length + 2));
        }

        line.CopyTo(_bytes.AsSpan(_length));
        "\r\n"u8.CopyTo(_bytes.AsSpan(_length + line.Length));
        _length += line.Length + 2;
    }
}
