using System.Text;

namespace Spawngate.Config;

/// <summary>
/// Reads files of <c>KEY=VALUE</c> lines as systemd reads its <c>EnvironmentFile=</c> (systemd.exec(5)); what systemd passes over in
/// silence, a line without <c>=</c> or with an odd name, is an error here.
/// </summary>
/// <remarks>
/// <code>
///   key ── = ──▶ before a value ── other ──▶ value ── end of line ──▶ key
///    │             │  ▲    │  └─ \ ─▶ the next character as it is; an end of line joins the lines
///    │           ' or "    └─ end of line ─▶ key
///    │             ▼  │ the same again
///    │            quoted (in "…", \ stands before ", \, `, $ and an end of line)
///    └─ # or ; at the beginning ─▶ comment ── end of line ──▶ key
/// </code>
/// </remarks>
internal sealed class EnvironmentFile
{
    private const string Escapable = "\"\\`$";

    private readonly string _text;
    private readonly List<KeyValuePair<string, string>> _variables = [];
    private int _at;
    private int _line = 1;
    private string? _problem;

    private EnvironmentFile(string text) => _text = text;

    /// <summary>Reads a file.</summary>
    /// <param name="path">Its path; errors repeat it as given.</param>
    /// <param name="isOptional">Whether it may be missing.</param>
    /// <param name="problem">What is wrong with it, with its path and, if that matters, the line; null for nothing.</param>
    /// <returns>Its variables in order; none if something is wrong.</returns>
    public static IReadOnlyList<KeyValuePair<string, string>> Read(string path, bool isOptional, out string? problem)
    {
        problem = null;
        byte[] bytes;
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            bytes = new byte[ConfigLimits.EnvironmentFileBytesMax + 1];
            bytes = bytes[..file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            problem = isOptional ? null : $"{path}: found no such file";
            return [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = $"{path}: the file cannot be read: {e.Message}";
            return [];
        }

        if (bytes.Length > ConfigLimits.EnvironmentFileBytesMax)
        {
            problem = $"{path}: found more than {ConfigLimits.EnvironmentFileBytesMax / 1024} KiB, a file of variables may not be larger";
            return [];
        }

        var variables = Parse(bytes, out string? fault);
        problem = fault is null ? null : $"{path}:{fault}";
        return variables;
    }

    /// <summary>Reads a text. Of equal names the last wins with whoever takes them in order.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="problem">What is wrong, with the line: <c>3: found …</c>; null for nothing.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> Parse(ReadOnlySpan<byte> utf8, out string? problem)
    {
        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            problem = "1: found bytes that are not UTF-8";
            return [];
        }

        var file = new EnvironmentFile(text.TrimStart('\uFEFF'));
        file.ReadAll();
        problem = file._problem;
        return problem is null ? file._variables : [];
    }

    private static bool IsEnd(char c) => c is '\n' or '\r';

    private static bool IsBlank(char c) => c is ' ' or '\t';

    private char Next()
    {
        char c = _text[_at++];
        _line += c == '\n' ? 1 : 0;
        return c;
    }

    private void ReadAll()
    {
        while (_at < _text.Length && _problem is null)
        {
            char first = _text[_at];
            if (IsEnd(first) || IsBlank(first))
            {
                Next();
            }
            else if (first is '#' or ';')
            {
                SkipComment();
            }
            else
            {
                ReadAssignment();
            }
        }
    }

    private void SkipComment()
    {
        while (_at < _text.Length && !IsEnd(Next())) { }
    }

    private void ReadAssignment()
    {
        int line = _line;
        int begin = _at;
        while (_at < _text.Length && _text[_at] != '=' && !IsEnd(_text[_at]))
        {
            _at++;
        }

        string name = _text[begin.._at].TrimEnd();
        if (_at == _text.Length || _text[_at] != '=')
        {
            _problem = $"{line}: found no =, allowed are lines KEY=VALUE, comments that begin with # or ;, and empty lines";
            return;
        }

        if (!IsName(name))
        {
            string hint = name.StartsWith("export ", StringComparison.Ordinal) ? "; this is no shell script, leave out export" : "";
            _problem = $"{line}: found a name that is none, allowed are letters, digits and _, the first no digit{hint}";
            return;
        }

        _at++;
        string value = ReadValue(line);
        if (value.Contains('\0', StringComparison.Ordinal))
        {
            _problem ??= $"{line}: found a value that contains NUL, allowed is one without it";
        }

        _variables.Add(new(name, value));
    }

    private static bool IsName(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_');

    /// <summary>Pieces in quotes and without follow each other; only blanks at the very end, outside of quotes, are left out.</summary>
    private string ReadValue(int line)
    {
        var value = new StringBuilder();
        int kept = 0;
        bool begins = true; // Quotes mean something here only, as does a blank.
        while (_at < _text.Length)
        {
            char c = Next();
            if (IsEnd(c))
            {
                break;
            }

            if (begins && c is '"' or '\'')
            {
                ReadQuoted(c, value, line);
                kept = value.Length;
            }
            else if (c == '\\')
            {
                begins = false;
                AppendEscaped(value);
                kept = value.Length;
            }
            else if (!begins || !IsBlank(c))
            {
                begins = false;
                value.Append(c);
                kept = IsBlank(c) ? kept : value.Length;
            }
        }

        value.Length = kept;
        return value.ToString();
    }

    private void AppendEscaped(StringBuilder value)
    {
        if (_at < _text.Length && Next() is var escaped && !IsEnd(escaped))
        {
            value.Append(escaped);
        }
    }

    private void ReadQuoted(char quote, StringBuilder value, int line)
    {
        while (_at < _text.Length)
        {
            char c = Next();
            if (c == quote)
            {
                return;
            }

            if (c != '\\' || quote == '\'' || _at == _text.Length)
            {
                value.Append(c);
                continue;
            }

            char escaped = Next();
            if (!IsEnd(escaped))
            {
                value.Append(Escapable.Contains(escaped, StringComparison.Ordinal) ? "" : "\\").Append(escaped);
            }
        }

        _problem ??= $"{line}: found a quote ({quote}) that is not closed";
    }
}
