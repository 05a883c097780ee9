using System.Globalization;
using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Tests.Fuzz;

/// <summary>
/// RFC 9112 section 6.3 once more, written for clarity and without the product's code: how long the body of a head that was accepted must
/// be.
/// </summary>
internal static class FramingRules
{
    /// <summary>Decides from the head's text; throws for a head that nobody should have accepted.</summary>
    public static (BodyKind Kind, long Length) Decide(string head, bool toHead)
    {
        string[] lines = head.TrimStart('\r', '\n').Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        bool isResponse = lines[0].StartsWith("HTTP/", StringComparison.Ordinal);
        bool isHttp10 = isResponse
            ? lines[0].StartsWith("HTTP/1.0", StringComparison.Ordinal)
            : lines[0].EndsWith("HTTP/1.0", StringComparison.Ordinal);
        string[] codings = [.. Values(lines, "Transfer-Encoding")];

        // Of a response the same number may come several times, in one line or more (RFC 9110 section 8.6).
        string[] lengths =
        [
            .. Values(lines, "Content-Length")
                .SelectMany(each => isResponse ? each.Split(',').Select(part => part.Trim(' ', '\t')) : [each]),
        ];
        if (codings.Length > 0 && (lengths.Length > 0 || isHttp10))
        {
            throw new InvalidDataException("a coding beside a length, or in HTTP/1.0");
        }

        string[] named = [.. string.Join(',', codings).Split(',').Select(each => each.Trim(' ', '\t')).Where(each => each.Length > 0)];
        if (codings.Length > 0 && !(named.Length == 1 && named[0].Equals("chunked", StringComparison.OrdinalIgnoreCase)))
        {
            throw new InvalidDataException("a coding other than chunked");
        }

        if (
            (!isResponse && lengths.Length > 1)
            || lengths.Any(each => each.Length == 0 || !each.All(char.IsAsciiDigit))
            || lengths.Select(each => long.Parse(each, CultureInfo.InvariantCulture)).Distinct().Count() > 1
        )
        {
            throw new InvalidDataException("a length that is not one plain number");
        }

        if (isResponse && (toHead || lines[0].Split(' ')[1] is ['1', ..] or "204" or "304"))
        {
            return (BodyKind.None, 0);
        }

        if (codings.Length > 0)
        {
            return (BodyKind.Chunked, 0);
        }

        if (lengths.Length == 0)
        {
            return (isResponse ? BodyKind.UntilClose : BodyKind.None, 0);
        }

        long length = long.Parse(lengths[0], CultureInfo.InvariantCulture);
        return (length > 0 ? BodyKind.Length : BodyKind.None, length);
    }

    private static IEnumerable<string> Values(string[] lines, string name) =>
        lines
            .Skip(1)
            .Select(line => line.Split(':', 2))
            .Where(sides => sides[0].Equals(name, StringComparison.OrdinalIgnoreCase))
            .Select(sides => sides[1].Trim(' ', '\t'));
}
