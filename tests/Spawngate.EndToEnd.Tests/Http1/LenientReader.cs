using System.Globalization;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>A request that a lenient reader believes to have seen.</summary>
internal sealed record LenientRequest(string Method, string Target, string Body, string Trailers)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Method} {Target}{(Body.Length > 0 ? " " : "")}{Body}{Trailers}";
}

/// <summary>How a sloppy server decides where parsers disagree.</summary>
/// <param name="Name">For messages.</param>
/// <param name="LengthFirst">Content-Length counts even where there is a Transfer-Encoding.</param>
/// <param name="LastWins">Of repeated fields the last counts, not the first.</param>
/// <param name="CrEndsLine">A CR alone ends a line.</param>
/// <param name="JoinsFolds">A line that begins with white space continues the one before; otherwise it is a field of its own.</param>
/// <param name="ChunkedAnywhere">Any Transfer-Encoding that contains the word means chunked; otherwise only the exact word.</param>
internal sealed record LenientWays(string Name, bool LengthFirst, bool LastWins, bool CrEndsLine, bool JoinsFolds, bool ChunkedAnywhere);

/// <summary>
/// Reads requests the way sloppy servers do: LF alone, odd numbers, both framings, control characters and other spellings are all taken.
/// </summary>
internal static class LenientReader
{
    /// <summary>The one that answers.</summary>
    public static readonly LenientWays Live = new("chunked first", false, false, false, true, true);

    /// <summary>All of them.</summary>
    public static readonly LenientWays[] All =
    [
        Live,
        new LenientWays("length first", true, false, false, true, true),
        new LenientWays("last length", true, true, false, false, true),
        new LenientWays("CR ends lines", false, true, true, false, true),
        new LenientWays("exact chunked", false, false, false, false, false),
        new LenientWays("CR and length", true, false, true, true, false),
    ];

    /// <summary>All complete requests of a stream.</summary>
    public static List<LenientRequest> ReadAll(ReadOnlySpan<byte> stream, LenientWays ways)
    {
        var requests = new List<LenientRequest>();
        while (TryRead(stream, ways, out int used, out LenientRequest request))
        {
            requests.Add(request);
            stream = stream[used..];
        }

        return requests;
    }

    /// <summary>Reads one request; false when it is not complete.</summary>
    public static bool TryRead(ReadOnlySpan<byte> stream, LenientWays ways, out int used, out LenientRequest request)
    {
        request = null!;
        used = 0;
        string? first;
        do
        {
            first = NextLine(stream, ways, ref used);
        } while (first is { } text && text.Trim().Length == 0);

        var fields = new List<(string Name, string Value)>();
        if (first is null || !ReadFields(stream, ways, ref used, fields))
        {
            return false;
        }

        string[] words = first.Split([' ', '\t', '\v', '\f'], StringSplitOptions.RemoveEmptyEntries);
        string body = "";
        string trailers = "";
        string? coding = Find(fields, "transferencoding", ways);
        string? length = Find(fields, "contentlength", ways);
        bool chunked =
            coding is not null
            && (ways.ChunkedAnywhere ? coding.Contains("chunked", StringComparison.OrdinalIgnoreCase) : coding == "chunked");
        bool complete =
            chunked && !(ways.LengthFirst && length is not null)
                ? ReadChunks(stream, ways, ref used, ref body, ref trailers)
                : length is null || ReadLength(stream, Leading(length, NumberStyles.None), ref used, ref body);
        request = new LenientRequest(words.ElementAtOrDefault(0) ?? "", words.ElementAtOrDefault(1) ?? "", body, trailers);
        return complete;
    }

    private static bool ReadFields(ReadOnlySpan<byte> stream, LenientWays ways, ref int used, List<(string Name, string Value)> fields)
    {
        while (NextLine(stream, ways, ref used) is { } line)
        {
            if (line.Length == 0)
            {
                return true;
            }

            if (ways.JoinsFolds && line[0] is ' ' or '\t' && fields.Count > 0)
            {
                fields[^1] = (fields[^1].Name, fields[^1].Value + " " + line.Trim());
                continue;
            }

            int colon = line.IndexOf(':', StringComparison.Ordinal);
            string name = colon < 0 ? line : line[..colon];
            fields.Add((new string([.. name.Where(char.IsAsciiLetter)]).ToLowerInvariant(), colon < 0 ? "" : line[(colon + 1)..].Trim()));
        }

        return false;
    }

    private static bool ReadLength(ReadOnlySpan<byte> stream, long length, ref int used, ref string body)
    {
        if (stream.Length - used < length)
        {
            return false;
        }

        body = Encoding.Latin1.GetString(stream.Slice(used, (int)length));
        used += (int)length;
        return true;
    }

    private static bool ReadChunks(ReadOnlySpan<byte> stream, LenientWays ways, ref int used, ref string body, ref string trailers)
    {
        while (NextLine(stream, ways, ref used) is { } line)
        {
            long size = Leading(line, NumberStyles.AllowHexSpecifier);
            if (size == 0)
            {
                var fields = new List<(string Name, string Value)>();
                bool complete = ReadFields(stream, ways, ref used, fields);
                trailers = string.Concat(fields.Select(each => " +" + each.Name));
                return complete;
            }

            string part = "";
            if (!ReadLength(stream, size, ref used, ref part))
            {
                return false;
            }

            body += part;
            used +=
                stream[used..].StartsWith("\r\n"u8) ? 2
                : used < stream.Length && stream[used] is (byte)'\r' or (byte)'\n' ? 1
                : 0;
        }

        return false;
    }

    /// <summary>The number that a text begins with, as C's strtol reads it.</summary>
    private static long Leading(string text, NumberStyles style)
    {
        text = text.Trim().TrimStart('+', '-').Replace("0x", "", StringComparison.OrdinalIgnoreCase);
        bool hex = style == NumberStyles.AllowHexSpecifier;
        string digits = new([.. text.TakeWhile(hex ? char.IsAsciiHexDigit : char.IsAsciiDigit)]);
        return long.TryParse(digits, style, CultureInfo.InvariantCulture, out long number) && number is >= 0 and < int.MaxValue
            ? number
            : 0;
    }

    private static string? Find(List<(string Name, string Value)> fields, string name, LenientWays ways)
    {
        IEnumerable<string> values = fields.Where(each => each.Name == name).Select(each => each.Value);
        return ways.LastWins ? values.LastOrDefault() : values.FirstOrDefault();
    }

    private static string? NextLine(ReadOnlySpan<byte> stream, LenientWays ways, ref int used)
    {
        ReadOnlySpan<byte> rest = stream[used..];
        int end = ways.CrEndsLine ? rest.IndexOfAny((byte)'\r', (byte)'\n') : rest.IndexOf((byte)'\n');
        if (end < 0)
        {
            return null;
        }

        int next = rest[end] == '\r' && end + 1 < rest.Length && rest[end + 1] == '\n' ? end + 2 : end + 1;
        used += next;
        return Encoding.Latin1.GetString(rest[..end]).TrimEnd('\r');
    }
}
