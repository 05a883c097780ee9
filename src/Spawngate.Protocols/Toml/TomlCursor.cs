namespace Spawngate.Protocols.Toml;

/// <summary>
/// The place that reading has reached, which line that is, and the errors met so far. Columns are counted on demand
/// from the last place that was asked for, so that a long line with many values costs one pass.
/// </summary>
internal ref struct TomlCursor
{
    private readonly ReadOnlySpan<char> _text;
    private readonly int _errorsMax;
    private readonly TomlTextPool _pool = new();
    private int _lineStart;
    private int _columnOffset;
    private int _columnAtOffset;

    public TomlCursor(ReadOnlySpan<char> text, List<TomlError> errors, int errorsMax)
    {
        _text = text;
        _errorsMax = errorsMax;
        Errors = errors;
        Line = 1;
        _columnAtOffset = 1;
    }

    /// <summary>Index of the next character.</summary>
    public int Offset { get; private set; }

    /// <summary>The line of the next character, counted from 1.</summary>
    public int Line { get; private set; }

    /// <summary>All errors so far.</summary>
    public List<TomlError> Errors { get; }

    /// <summary>Set when nothing sensible can be read any more: reading ends.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Index of the first character of the current line.</summary>
    public readonly int LineStart => _lineStart;

    /// <summary>What is still to be read.</summary>
    public readonly ReadOnlySpan<char> Rest => _text[Offset..];

    /// <summary>Whether everything has been read.</summary>
    public readonly bool AtEnd => Offset >= _text.Length;

    /// <summary>Whether the next character ends the line (a lone CR does not).</summary>
    public readonly bool AtNewline => Peek() == '\n' || (Peek() == '\r' && Peek(1) == '\n');

    /// <summary>Whether the line or the file ends here.</summary>
    public readonly bool AtLineEnd => AtEnd || AtNewline;

    /// <summary>The place of the next character.</summary>
    public TomlPosition Position => PositionOf(Offset);

    /// <summary>The character <paramref name="ahead"/> places on, or NUL past the end (use <see cref="AtEnd"/> where it matters).</summary>
    public readonly char Peek(int ahead = 0) => Offset + ahead < _text.Length ? _text[Offset + ahead] : '\0';

    /// <summary>The text as a string, the same one as before if it was met not long ago.</summary>
    public readonly string Text(ReadOnlySpan<char> text) => _pool.Get(text);

    /// <summary>Passes over characters that contain no line break.</summary>
    public void Advance(int count) => Offset += count;

    /// <summary>Passes over LF or CR LF.</summary>
    public void AdvanceNewline()
    {
        Offset += Peek() == '\r' ? 2 : 1;
        Line++;
        _lineStart = Offset;
        _columnOffset = Offset;
        _columnAtOffset = 1;
    }

    /// <summary>Goes back to the beginning of the current line.</summary>
    public void ReturnToLineStart() => Offset = _lineStart;

    /// <summary>Passes over blanks and tabs.</summary>
    public void SkipBlanks()
    {
        while (Peek() is ' ' or '\t')
        {
            Offset++;
        }
    }

    /// <summary>Goes to the end of the current line, without passing it.</summary>
    public void SkipToLineEnd()
    {
        var length = Rest.IndexOf('\n');
        Offset = length < 0 ? _text.Length : Offset + length;
    }

    /// <summary>The place of a character of the current line.</summary>
    public TomlPosition PositionOf(int offset)
    {
        if (offset < _columnOffset)
        {
            _columnOffset = _lineStart;
            _columnAtOffset = 1;
        }

        foreach (var c in _text[_columnOffset..offset])
        {
            _columnAtOffset += char.IsLowSurrogate(c) ? 0 : 1;
        }

        _columnOffset = offset;
        return new TomlPosition(Line, _columnAtOffset);
    }

    /// <summary>Notes an error at the next character.</summary>
    public void Report(string message) => Report(Position, message);

    /// <summary>Notes an error. When there are too many, reading ends.</summary>
    public void Report(TomlPosition position, string message)
    {
        if (IsLost)
        {
            return;
        }

        Errors.Add(new TomlError(position, "", message));
        if (Errors.Count >= _errorsMax)
        {
            Errors.Add(new TomlError(position, "", "too many errors, the rest of the file was not read"));
            IsLost = true;
        }
    }

    /// <summary>Notes an error after which the meaning of the rest of the file is unknown.</summary>
    public void ReportAndStop(TomlPosition position, string message)
    {
        Report(position, message);
        IsLost = true;
    }
}
