using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Spawngate.Tests.Fakes;

/// <summary>A message as <see cref="StrictHttp"/> read it.</summary>
internal sealed record StrictMessage(string StartLine, IReadOnlyList<(string Name, string Value)> Fields)
{
    public byte[] Body { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> Trailers { get; init; } = [];

    /// <summary>Sizes of its chunks, in order.</summary>
    public IReadOnlyList<int> Chunks { get; init; } = [];

    public string Text => Encoding.Latin1.GetString(Body);

    public int Status => int.Parse(StartLine.AsSpan(9, 3), CultureInfo.InvariantCulture);

    /// <summary>All values of a field, joined with "|"; null when it is absent.</summary>
    public string? this[string name] =>
        Fields.Any(f => Is(f.Name, name)) ? string.Join('|', Fields.Where(f => Is(f.Name, name)).Select(f => f.Value)) : null;

    public IEnumerable<string> Names => Fields.Select(f => f.Name);

    private static bool Is(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}

/// <summary>
/// An HTTP/1.1 reader of its own, by regular expressions over text, that takes only what a careful sender writes: it shares no code
/// and no leniency with the codecs under test.
/// </summary>
internal static partial class StrictHttp
{
    /// <summary>Reads one message off the front. Null while it is incomplete.</summary>
    /// <param name="bytes">What was received.</param>
    /// <param name="ended">True when no more will come.</param>
    /// <param name="toHead">True for the answer to HEAD.</param>
    /// <param name="consumed">Bytes of the message.</param>
    /// <exception cref="FormatException">It is not strictly well-formed.</exception>
    public static StrictMessage? TryRead(ReadOnlySpan<byte> bytes, bool ended, bool toHead, out int consumed)
    {
        consumed = 0;
        string text = Encoding.Latin1.GetString(bytes);
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return null;
        }

        string[] lines = text[..end].Split("\r\n");
        bool isRequest = !lines[0].StartsWith("HTTP/", StringComparison.Ordinal);
        Check((isRequest ? RequestLine() : StatusLine()).IsMatch(lines[0]), lines[0]);
        var message = new StrictMessage(lines[0], [.. lines.Skip(1).Select(ReadField)]);
        consumed = end + 4;
        var read = ReadBody(message, text, ended, isRequest, toHead, ref consumed);
        consumed = read is null ? 0 : consumed;
        return read;
    }

    private static StrictMessage? ReadBody(StrictMessage message, string text, bool ended, bool isRequest, bool toHead, ref int at)
    {
        string? coding = message["Transfer-Encoding"];
        string? length = message["Content-Length"];
        Check(coding is null || length is null, "both framings");
        Check(coding is null or "chunked", coding);
        Check(length is null || Number().IsMatch(length), length);
        if (!isRequest && (toHead || message.Status < 200 || message.Status is 204 or 304))
        {
            Check(coding is null, "a coding without a body");
            return message;
        }

        if (coding is not null)
        {
            return ReadChunks(message, text, ref at);
        }

        if (length is null && !isRequest)
        {
            Check(message["Connection"] == "close", "a body without an end");
            int from = at;
            at = text.Length;
            return ended ? message with { Body = Encoding.Latin1.GetBytes(text[from..]) } : null;
        }

        int count = length is null ? 0 : int.Parse(length, CultureInfo.InvariantCulture);
        int start = at;
        at += count;
        return text.Length < at ? null : message with { Body = Encoding.Latin1.GetBytes(text[start..at]) };
    }

    private static StrictMessage? ReadChunks(StrictMessage message, string text, ref int at)
    {
        var body = new StringBuilder();
        var sizes = new List<int>();
        var trailers = new List<(string, string)>();
        while (TakeLine(text, ref at) is { } line)
        {
            Check(ChunkSize().IsMatch(line), line);
            int size = int.Parse(line, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                while (TakeLine(text, ref at) is { } trailer)
                {
                    if (trailer.Length == 0)
                    {
                        return message with { Body = Encoding.Latin1.GetBytes(body.ToString()), Trailers = trailers, Chunks = sizes };
                    }

                    trailers.Add(ReadField(trailer));
                }

                return null;
            }

            if (text.Length < at + size + 2)
            {
                return null;
            }

            body.Append(text, at, size);
            sizes.Add(size);
            at += size + 2;
            Check(text[(at - 2)..at] == "\r\n", "a chunk without its end");
        }

        return null;
    }

    private static string? TakeLine(string text, ref int at)
    {
        int end = text.IndexOf("\r\n", at, StringComparison.Ordinal);
        if (end < 0)
        {
            return null;
        }

        string line = text[at..end];
        at = end + 2;
        return line;
    }

    private static (string Name, string Value) ReadField(string line)
    {
        var match = FieldLine().Match(line);
        Check(match.Success, line);
        return (match.Groups[1].Value, match.Groups[2].Value);
    }

    private static void Check(bool good, string? what)
    {
        if (!good)
        {
            throw new FormatException($"Not strict: {what}");
        }
    }

    [GeneratedRegex(@"^[!#$%&'*+.^_`|~0-9A-Za-z-]+ (/[\x21\x22\x24-\x7e]*|\*) HTTP/1\.1\z")]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"^HTTP/1\.1 [1-9][0-9][0-9] [\t\x20-\x7e\x80-\xff]*\z")]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)\z")]
    private static partial Regex FieldLine();

    [GeneratedRegex(@"^(0|[1-9][0-9]*)\z")]
    private static partial Regex Number();

    [GeneratedRegex(@"^(0|[1-9a-f][0-9a-f]*)\z")]
    private static partial Regex ChunkSize();
}
