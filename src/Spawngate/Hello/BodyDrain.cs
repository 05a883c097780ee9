using System.Globalization;

namespace Spawngate.Hello;

/// <summary>Finds the end of a request body without keeping it.</summary>
/// <remarks>
/// <code>
/// chunked:  Size ── "1f\r\n" ──▶ Data ── 31 bytes ──▶ AfterData ── "\r\n" ──▶ Size
///             └─── "0\r\n" ───▶ Trailer ── lines … empty line ──▶ end
/// </code>
/// </remarks>
internal sealed class BodyDrain
{
    private enum Step
    {
        Data,
        AfterData,
        Size,
        Trailer,
    }

    private readonly bool _isChunked;
    private Step _step;
    private long _left;

    /// <summary>Starts at the first byte of the body.</summary>
    public BodyDrain(HelloRequest request)
    {
        _isChunked = request.IsChunked;
        _step = _isChunked ? Step.Size : Step.Data;
        _left = request.BodyBytes;
    }

    /// <summary>Takes what of <paramref name="input"/> belongs to the body.</summary>
    /// <param name="input">Bytes received and not yet taken.</param>
    /// <param name="consumed">How many of them were taken.</param>
    public HelloParse Take(ReadOnlySpan<byte> input, out int consumed)
    {
        consumed = 0;
        while (true)
        {
            if (_step == Step.Data)
            {
                int taken = (int)Math.Min(_left, input.Length - consumed);
                consumed += taken;
                _left -= taken;
                if (_left > 0)
                {
                    return HelloParse.NeedMore;
                }

                if (!_isChunked)
                {
                    return HelloParse.Complete;
                }

                _step = Step.AfterData;
            }

            ReadOnlySpan<byte> rest = input[consumed..];
            int end = rest.IndexOf("\r\n"u8);
            if (end < 0)
            {
                return rest.Length > HelloLimits.HelloChunkLineBytesMax ? HelloParse.Bad : HelloParse.NeedMore;
            }

            consumed += end + 2;
            if (TakeLine(rest[..end]) is { } done)
            {
                return done;
            }
        }
    }

    private HelloParse? TakeLine(ReadOnlySpan<byte> line)
    {
        switch (_step)
        {
            case Step.AfterData:
                _step = Step.Size;
                return line.IsEmpty ? null : HelloParse.Bad;
            case Step.Trailer:
                return line.IsEmpty ? HelloParse.Complete : null;
            default:
                int semicolon = line.IndexOf((byte)';');
                ReadOnlySpan<byte> digits = (semicolon < 0 ? line : line[..semicolon]).TrimEnd(" \t"u8);
                if (!long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _left) || _left < 0)
                {
                    return HelloParse.Bad;
                }

                _step = _left == 0 ? Step.Trailer : Step.Data;
                return null;
        }
    }
}
