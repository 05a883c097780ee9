namespace Spawngate.Workloads.Docker;

/// <summary>
/// Watches a stream of JSON messages, each on one line, as engines send events and the progress of pulls, for whoever reads them: the
/// library keeps what is no whole message until the rest of it comes, however much that gets. So a line ends with its message, and is
/// bounded together with the blank lines before it.
/// <code>
///              { [                          "
///   between ────────▶ within, depth 1… ◀─────────▶ text ◀── \ ──▶ escaped
///      ▲  ◀── } ] ──        │                        │
///      │                    └──────── newline ───────┴──▶ error
///      └─ newline: the next line
/// </code>
/// </summary>
internal sealed class MessageLines
{
    private int _depth;
    private int _lineBytes;
    private bool _isBlank = true;
    private bool _isText;
    private bool _isEscaped;

    /// <summary>Whether no message has begun that has not ended.</summary>
    public bool IsBetween => _depth == 0 && !_isText;

    /// <summary>Takes the next bytes.</summary>
    /// <returns>What is wrong with them; null when nothing is.</returns>
    public string? Take(ReadOnlySpan<byte> bytes)
    {
        foreach (var each in bytes)
        {
            if (++_lineBytes > DockerLimits.EngineLineBytesMax)
            {
                return $"a message of the stream is longer than {DockerLimits.EngineLineBytesMax} bytes";
            }

            if (each == (byte)'\n')
            {
                if (!IsBetween)
                {
                    return "a message of the stream is not what the Engine API describes";
                }

                _lineBytes = _isBlank ? _lineBytes : 0;
                _isBlank = true;
            }
            else if (_isText)
            {
                TakeText(each);
            }
            else
            {
                Take(each);
            }
        }

        return null;
    }

    private void Take(byte each)
    {
        _isBlank &= each is (byte)' ' or (byte)'\t' or (byte)'\r';
        _isText = each == (byte)'"';
        _depth = each switch
        {
            (byte)'{' or (byte)'[' => _depth + 1,
            (byte)'}' or (byte)']' => Math.Max(0, _depth - 1),
            _ => _depth,
        };
    }

    private void TakeText(byte each)
    {
        _isText = _isEscaped || each != (byte)'"';
        _isEscaped = !_isEscaped && each == (byte)'\\';
    }
}
