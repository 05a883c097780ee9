using System.Globalization;
using System.Text;

namespace TestBackend;

/// <summary>One request head exactly as it came, and the little of it that routes need.</summary>
internal sealed class Request
{
    private readonly Dictionary<string, string> _query = [];

    /// <summary>Takes a complete head, from the method to the empty line.</summary>
    public Request(byte[] rawHead)
    {
        RawHead = rawHead;
        string[] lines = Encoding.Latin1.GetString(rawHead).Split("\r\n");
        string[] parts = lines[0].Split(' ');
        Method = parts[0];
        Target = parts.Length > 1 ? parts[1] : "";
        Version = parts.Length > 2 ? parts[2] : "";
        foreach (string line in lines.Skip(1).Where(each => each.Length > 0))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            Headers.Add((line[..colon], line[(colon + 1)..].Trim()));
        }

        AwaitsContinue =
            (IsChunked || ContentLength > 0) && string.Equals(Header("Expect"), "100-continue", StringComparison.OrdinalIgnoreCase);
        int mark = Target.IndexOf('?', StringComparison.Ordinal);
        Path = mark < 0 ? Target : Target[..mark];
        foreach (string pair in (mark < 0 ? "" : Target[(mark + 1)..]).Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] sides = pair.Split('=', 2);
            _query[sides[0]] = sides.Length > 1 ? Uri.UnescapeDataString(sides[1]) : "1";
        }
    }

    /// <summary>The bytes of the head, empty line included.</summary>
    public byte[] RawHead { get; }

    /// <summary>Method as sent.</summary>
    public string Method { get; }

    /// <summary>Target as sent.</summary>
    public string Target { get; }

    /// <summary>Protocol version as sent.</summary>
    public string Version { get; }

    /// <summary>Target up to the question mark.</summary>
    public string Path { get; }

    /// <summary>Header fields in order and raw case.</summary>
    public List<(string Name, string Value)> Headers { get; } = [];

    /// <summary>Trailer fields, once the body has been read.</summary>
    public List<(string Name, string Value)> Trailers { get; } = [];

    /// <summary>True while the client waits for 100 before it sends its body.</summary>
    public bool AwaitsContinue { get; set; }

    /// <summary>True when the body, if any, has been read to its end.</summary>
    public bool BodyDone { get; set; }

    /// <summary>True for a chunked body.</summary>
    public bool IsChunked => Header("Transfer-Encoding") is not null;

    /// <summary>Value of Content-Length, 0 without one.</summary>
    public long ContentLength => Header("Content-Length") is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : 0;

    /// <summary>True when the connection may serve another request afterwards.</summary>
    public bool KeepAlive => Version == "HTTP/1.1" && !string.Equals(Header("Connection"), "close", StringComparison.OrdinalIgnoreCase);

    /// <summary>First value of a header field, null without one.</summary>
    public string? Header(string name)
    {
        foreach ((string each, string value) in Headers)
        {
            if (string.Equals(each, name, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>A query parameter, or <paramref name="otherwise"/>.</summary>
    public string Query(string name, string otherwise = "") => _query.GetValueOrDefault(name, otherwise);

    /// <summary>A numeric query parameter, or <paramref name="otherwise"/>.</summary>
    public long QueryNumber(string name, long otherwise) =>
        _query.TryGetValue(name, out string? text) ? long.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
