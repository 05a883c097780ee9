using System.Diagnostics;
using System.Text;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Spawngate.Config.Toml;

/// <summary>
/// The tokens of a piece of text, as the lexer of Tomlyn finds them, but for what its version 2.10.2 gets wrong. That is mended here:
/// <list type="bullet">
/// <item>It refuses U+FFFD: another character, which is not in the text, goes in for it.</item>
/// <item>Behind an error it finds others that are none: only the first counts, and nothing is read behind it.</item>
/// <item>It takes a backslash and a blank for the end of a line where there is none, and may refuse it where there is one.</item>
/// <item>Numbers of 64 bits with a prefix come out negative: they are too large.</item>
/// <item>It throws where a text ends within an escape: a blank goes behind the text.</item>
/// </list>
/// Left as it is, since no key takes a time: it refuses the year 0, second 60, and more than seven digits of a second.
/// </summary>
internal sealed class TomlTokens
{
    private const char Replacement = '\uFFFD';
    private const string MayBeFalse = "Invalid escape `\\`.";
    private static readonly TomlLexerOptions Decoded = new() { DecodeScalars = true };

    private readonly TomlTextPool _pool;
    private readonly TomlLexer _lexer;
    private readonly int _firstLine;
    private readonly char _standIn;
    private int _commentAt = -1;

    /// <summary>Makes the tokens of whole lines, the first of which begins a statement.</summary>
    public TomlTokens(ReadOnlySpan<byte> utf8, int firstLine, TomlTextPool pool)
    {
        Text = Encoding.UTF8.GetString(utf8);
        _standIn = Text.Contains(Replacement) ? FindStandIn(Text) : Replacement;
        _firstLine = firstLine;
        _pool = pool;

        // The lexer drops a byte order mark, but this need not be the beginning of the file.
        var mark = Text.StartsWith('\uFEFF') ? "\uFEFF" : "";
        var blank = Text.EndsWith('\n') ? "" : " ";
        _lexer = TomlLexer.Create(mark + Text.Replace(Replacement, _standIn) + blank, Decoded);
    }

    /// <summary>The text.</summary>
    public string Text { get; }

    /// <summary>What the token is; invalid if anything is wrong with it.</summary>
    public TokenKind Kind { get; private set; }

    /// <summary>What is wrong with the token, and where; null if it is sound, or no value: see <see cref="Word"/>.</summary>
    public (int Offset, string Message)? Problem { get; private set; }

    /// <summary>Index of the token.</summary>
    public int Offset => Math.Min(_lexer.Current.Start.Offset, Text.Length);

    /// <summary>Where the token is.</summary>
    public TomlPosition Position =>
        new(_firstLine + _lexer.Current.Start.Line, 1 + _lexer.Current.Start.Column - (_lexer.Current.Start.Offset - Offset));

    /// <summary>Index of the token, or of the comment before the end of its line: what is found instead of what is needed.</summary>
    public int FoundAt => _commentAt >= 0 && Kind is (TokenKind.NewLine or TokenKind.Eof) ? _commentAt : Offset;

    /// <summary>The text from the token on.</summary>
    public ReadOnlySpan<char> Rest => Text.AsSpan(Offset);

    /// <summary>The number, date, boolean or word that begins with the token; empty if there is none.</summary>
    public ReadOnlySpan<char> Word
    {
        get
        {
            var word = TomlWords.FirstWord(Rest);
            return _lexer.Current.Kind.IsDateTime() && word.Length < _lexer.Current.Length ? Raw : word;
        }
    }

    private ReadOnlySpan<char> Raw => Rest[..Math.Min(_lexer.Current.Length, Rest.Length)];

    /// <summary>Goes to the next token that is neither blank nor comment.</summary>
    /// <param name="mode">Whether a key or a value may come: <c>1.2</c> are two keys or a float.</param>
    public void Next(TomlLexerMode mode)
    {
        _lexer.Mode = mode;
        _commentAt = -1;
        while (_lexer.MoveNext())
        {
            Kind = _lexer.Current.Kind;
            _commentAt = Kind == TokenKind.Comment ? Offset : _commentAt;
            if (Kind is TokenKind.Whitespaces or TokenKind.Comment && !_lexer.HasErrors)
            {
                continue;
            }

            if (_lexer.HasErrors || (Kind is TokenKind.String or TokenKind.StringMulti && Raw.Contains('\\')))
            {
                Examine();
            }

            if (Kind is not (TokenKind.Whitespaces or TokenKind.Comment))
            {
                return;
            }
        }
    }

    /// <summary>The string, number, boolean, date or time that the token is; null if it is none, or only the beginning of a word.</summary>
    public TomlValue? ReadScalar()
    {
        if (Kind.IsString())
        {
            return new TomlString(Position, ReadText());
        }

        return _lexer.Current.Length < Word.Length ? null
            : Kind.IsInteger() ? ReadInteger()
            : Kind.IsFloat() ? new TomlFloat(Position, BitConverter.UInt64BitsToDouble(_lexer.Current.Data))
            : Kind is TokenKind.True or TokenKind.False ? new TomlBoolean(Position, Kind == TokenKind.True)
            : Kind.IsDateTime() ? ReadTime()
            : null;
    }

    /// <summary>The text of a key or string.</summary>
    public string ReadText()
    {
        if (Kind == TokenKind.BasicKey)
        {
            return _pool.Get(Raw);
        }

        var text = _lexer.Current.StringValue ?? throw new UnreachableException("strings are decoded");
        text = _standIn == Replacement ? text : text.Replace(_standIn, Replacement);
        return _pool.Get(text, text);
    }

    /// <summary>The place of a character. It is counted, so this is for errors.</summary>
    public TomlPosition PositionOf(int offset)
    {
        var before = Text.AsSpan(0, offset);
        var column = 1;
        foreach (var c in before[(before.LastIndexOf('\n') + 1)..])
        {
            column += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return new TomlPosition(_firstLine + before.Count('\n'), column);
    }

    /// <summary>One of the noncharacters that Unicode keeps for such use; if all are in the text, U+FFFD is refused.</summary>
    private static char FindStandIn(string text)
    {
        for (var c = '\uFDD0'; c <= '\uFDEF'; c++)
        {
            if (!text.Contains(c))
            {
                return c;
            }
        }

        return Replacement;
    }

    private TomlInteger? ReadInteger()
    {
        var value = (long)_lexer.Current.Data;
        return value >= 0 || Raw[0] == '-' ? new TomlInteger(Position, value) : null;
    }

    private TomlDateTime ReadTime()
    {
        var kind = Kind switch
        {
            TokenKind.LocalDate => "a date",
            TokenKind.LocalTime => "a time",
            _ => "a date-time",
        };
        return new TomlDateTime(Position, kind, Raw.ToString().Replace(' ', 'T').ToUpperInvariant());
    }

    private void Examine()
    {
        var error = _lexer.Errors.FirstOrDefault(static error => !error.Message.StartsWith(MayBeFalse, StringComparison.Ordinal));
        if (Kind.IsString())
        {
            Problem = FindProblemOfString(error);
        }
        else if (error is not null)
        {
            Problem = Kind switch
            {
                TokenKind.Comment => (error.Span.Start.Offset, TomlWords.Forbidden(Text[error.Span.Start.Offset], inComment: true)),
                TokenKind.NewLine => (Offset, TomlWords.LoneReturn),
                _ => null,
            };
        }

        if (Problem is not null || (error is not null && !Kind.IsString()))
        {
            Kind = TokenKind.Invalid;
        }
    }

    private (int Offset, string Message)? FindProblemOfString(DiagnosticMessage? error)
    {
        var at = error?.Span.Start.Offset ?? Text.Length;
        if (at == Offset && Raw.IndexOfAny(TomlWords.Controls) is var control and >= 0)
        {
            at += control; // The lexer says only in which string it is.
        }

        var blank = _lexer.Current.Kind is TokenKind.String or TokenKind.StringMulti ? FindBlankEscape(Raw) : -1;
        if (blank >= 0 && Offset + blank < at)
        {
            return Raw[blank + 1] is '\r' or '\n' ? (Offset, TomlWords.NoEnd(Rest)) : (Offset + blank, TomlWords.NoEscape(Raw[blank..]));
        }

        return error is null ? null : Describe(error, at);
    }

    private (int Offset, string Message) Describe(DiagnosticMessage error, int offset)
    {
        if (offset >= Text.Length || error.Message.Contains("End-Of-File", StringComparison.Ordinal) || IsLineEnd(Text.AsSpan(offset)))
        {
            return (Offset, TomlWords.NoEnd(Rest));
        }

        if (TomlWords.Controls.Contains(Text[offset]))
        {
            return (offset, TomlWords.Forbidden(Text[offset], inComment: false));
        }

        if (Text[offset] == '\r')
        {
            return (offset, TomlWords.LoneReturn);
        }

        var backslash = Math.Max(Offset, Text.LastIndexOf('\\', offset));
        return (backslash, TomlWords.NoEscape(Text.AsSpan(backslash)));
    }

    /// <summary>Index of the first backslash before a blank or line end that ends no line of a multi-line string; else -1.</summary>
    private static int FindBlankEscape(ReadOnlySpan<char> raw)
    {
        for (var at = raw.IndexOf('\\'); at >= 0 && at + 1 < raw.Length; )
        {
            if (raw[at + 1] is ' ' or '\t' or '\r' or '\n' && !(TomlWords.IsMultiline(raw) && IsLineEnd(raw[(at + 1)..].TrimStart(" \t"))))
            {
                return at;
            }

            var next = raw[(at + 2)..].IndexOf('\\');
            at = next < 0 ? -1 : at + 2 + next;
        }

        return -1;
    }

    private static bool IsLineEnd(ReadOnlySpan<char> text) => text.StartsWith("\n") || text.StartsWith("\r\n");
}
