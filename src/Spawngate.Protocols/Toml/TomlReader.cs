using System.Buffers;
using System.Text;

namespace Spawngate.Protocols.Toml;

/// <summary>
/// Reads TOML 1.0 (https://toml.io/en/v1.0.0) into a tree in which every key and value knows its line and column. Never throws for
/// what the text contains: errors come as values, all of them in one pass, because reading goes on at the next line
/// that can be understood.
/// </summary>
public static class TomlReader
{
    /// <summary>Reads a file's bytes. They must be UTF-8; a byte order mark at the start is passed over.</summary>
    /// <param name="utf8">The bytes.</param>
    /// <param name="depthMax">How deep tables and arrays may nest.</param>
    /// <param name="errorsMax">After how many errors reading ends.</param>
    public static TomlDocument Read(ReadOnlySpan<byte> utf8, int depthMax, int errorsMax)
    {
        if (utf8.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || utf8.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            var start = new TomlPosition(1, 1);
            var error = new TomlError(start, "", "found a UTF-16 byte order mark, the file must be saved as UTF-8");
            return new TomlDocument(new TomlTable(start, TomlTableOrigin.Header), [error]);
        }

        var encodingErrors = System.Text.Unicode.Utf8.IsValid(utf8) ? [] : FindEncodingErrors(utf8, errorsMax);
        // A character takes at least one byte, a byte that is none becomes one replacement character.
        using var decoded = new TomlScratch(utf8.Length);
        var count = Encoding.UTF8.GetChars(utf8, decoded.Chars);
        return Parse(decoded.Chars[..count], depthMax, errorsMax, encodingErrors);
    }

    /// <summary>Reads a text. A byte order mark at the start is passed over.</summary>
    /// <param name="text">The text.</param>
    /// <param name="depthMax">How deep tables and arrays may nest.</param>
    /// <param name="errorsMax">After how many errors reading ends.</param>
    public static TomlDocument Read(ReadOnlySpan<char> text, int depthMax, int errorsMax) =>
        Parse(text, depthMax, errorsMax, FindLoneSurrogates(text, errorsMax));

    private static TomlDocument Parse(ReadOnlySpan<char> text, int depthMax, int errorsMax, List<TomlError> encodingErrors)
    {
        if (text.StartsWith("\uFEFF"))
        {
            text = text[1..];
        }

        var document = new TomlParser(text, depthMax, errorsMax).Parse();
        return encodingErrors.Count == 0 ? document : document with { Errors = Merge(encodingErrors, document.Errors) };
    }

    /// <summary>A line whose encoding is broken is reported for that alone: what else seems wrong with it is a consequence.</summary>
    private static List<TomlError> Merge(List<TomlError> encodingErrors, IReadOnlyList<TomlError> others)
    {
        var lines = encodingErrors.Select(error => error.Position.Line).ToHashSet();
        encodingErrors.AddRange(others.Where(error => !lines.Contains(error.Position.Line)));
        encodingErrors.Sort((a, b) => a.Position.CompareTo(b.Position));
        return encodingErrors;
    }

    private static List<TomlError> FindEncodingErrors(ReadOnlySpan<byte> utf8, int errorsMax)
    {
        var errors = new List<TomlError>();
        for (var line = 1; !utf8.IsEmpty && errors.Count < errorsMax; line++)
        {
            var lineEnd = utf8.IndexOf((byte)'\n');
            var bytes = lineEnd < 0 ? utf8 : utf8[..lineEnd];
            utf8 = lineEnd < 0 ? [] : utf8[(lineEnd + 1)..];
            var column = 1;
            while (!bytes.IsEmpty && Rune.DecodeFromUtf8(bytes, out _, out var consumed) == OperationStatus.Done)
            {
                bytes = bytes[consumed..];
                column++;
            }

            if (!bytes.IsEmpty)
            {
                errors.Add(
                    new TomlError(
                        new TomlPosition(line, column),
                        "",
                        $"found the byte 0x{bytes[0]:X2}, which is not UTF-8; the file must be saved as UTF-8"
                    )
                );
            }
        }

        return errors;
    }

    private static List<TomlError> FindLoneSurrogates(ReadOnlySpan<char> text, int errorsMax)
    {
        var errors = new List<TomlError>();
        for (var line = 1; text.IndexOfAnyInRange('\uD800', '\uDFFF') >= 0 && errors.Count < errorsMax; line++)
        {
            var lineEnd = text.IndexOf('\n');
            var chars = lineEnd < 0 ? text : text[..lineEnd];
            text = lineEnd < 0 ? [] : text[(lineEnd + 1)..];
            var column = 1;
            while (!chars.IsEmpty && Rune.DecodeFromUtf16(chars, out _, out var consumed) == OperationStatus.Done)
            {
                chars = chars[consumed..];
                column++;
            }

            if (!chars.IsEmpty)
            {
                errors.Add(new TomlError(new TomlPosition(line, column), "", "found half of a surrogate pair, which is no character"));
            }
        }

        return errors;
    }
}
