using System.Buffers;
using System.Text;

namespace Spawngate.Config.Toml;

/// <summary>
/// Reads TOML 1.1 (https://toml.io/en/v1.1.0) into a tree in which every key and value knows its line and column. Never throws for what
/// the text contains: errors come as values, all of them at once, because reading goes on at the next line that can be understood.
/// <code>
///   bytes ─▶ TomlReader ──whole lines──▶ TomlTokens ──tokens──▶ TomlStatements ──▶ TomlDefinitions ─▶ TomlTable
///                ▲    encoding            Tomlyn's lexer          │ what follows what    what may be defined where
///                └──── next line ◀──── TomlRecovery ◀── failed ───┘
/// </code>
/// Tomlyn reads characters, strings, numbers and dates. Its two parsers are not used: the one that makes a tree takes seven times as long
/// for ten thousand backends and does not find its way back after an error, the other does not tell a header from its repetition.
/// </summary>
internal static class TomlReader
{
    /// <summary>Reads a file's bytes. They must be UTF-8; a byte order mark at the start is passed over.</summary>
    /// <param name="utf8">The bytes.</param>
    /// <param name="depthMax">How deep tables and arrays may nest.</param>
    /// <param name="errorsMax">After how many errors reading ends.</param>
    /// <param name="pieceBytes">How much is read at a time.</param>
    public static TomlDocument Read(ReadOnlySpan<byte> utf8, int depthMax, int errorsMax, int pieceBytes = TomlLimits.PieceBytes)
    {
        if (utf8.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || utf8.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            var start = new TomlPosition(1, 1);
            var error = new TomlError(start, "", "found a UTF-16 byte order mark, the file must be saved as UTF-8");
            return new TomlDocument(new TomlTable(start, TomlTableOrigin.Header), [error]);
        }

        utf8 = utf8.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? utf8[3..] : utf8;
        var document = ReadPieces(utf8, depthMax, errorsMax, pieceBytes);
        return System.Text.Unicode.Utf8.IsValid(utf8)
            ? document
            : document with
            {
                Errors = Merge(FindEncodingErrors(utf8, errorsMax), document.Errors),
            };
    }

    /// <summary>Reads piece by piece, so that neither the text nor what its reader notes becomes one large object.</summary>
    private static TomlDocument ReadPieces(ReadOnlySpan<byte> rest, int depthMax, int errorsMax, int pieceBytes)
    {
        var statements = new TomlStatements(depthMax, errorsMax);
        var pool = new TomlTextPool();
        var line = 1;
        var room = pieceBytes;
        while (!rest.IsEmpty && !statements.IsLost)
        {
            var piece = CutLines(rest, room);
            var tokens = new TomlTokens(piece, line, pool);
            var end = statements.Read(tokens, isLast: piece.Length == rest.Length);
            var lines = tokens.Text.AsSpan(0, end).Count('\n');
            var bytes = end == tokens.Text.Length ? piece.Length : LengthOf(piece, lines);
            rest = rest[bytes..];
            line += lines;

            // A statement that is longer than the piece is read again with more of it.
            room = bytes == 0 ? 2 * Math.Max(room, piece.Length) : pieceBytes;
        }

        return statements.Document;
    }

    /// <summary>As many whole lines as there is room for, at least one.</summary>
    private static ReadOnlySpan<byte> CutLines(ReadOnlySpan<byte> utf8, int room)
    {
        if (utf8.Length <= room)
        {
            return utf8;
        }

        var end = utf8[..room].LastIndexOf((byte)'\n');
        end = end < 0 ? utf8.IndexOf((byte)'\n') : end;
        return end < 0 ? utf8 : utf8[..(end + 1)];
    }

    private static int LengthOf(ReadOnlySpan<byte> utf8, int lines)
    {
        var length = 0;
        for (; lines > 0; lines--)
        {
            length += utf8[length..].IndexOf((byte)'\n') + 1;
        }

        return length;
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
}
