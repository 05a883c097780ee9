using System.Buffers;
using System.Globalization;
using System.Text;

namespace Spawngate.Hello;

/// <summary>How far reading a head got.</summary>
internal enum HelloParse
{
    /// <summary>The head is not complete yet.</summary>
    NeedMore,

    /// <summary>A request was read.</summary>
    Complete,

    /// <summary>What came is not a request this server reads.</summary>
    Bad,
}

/// <summary>
/// One request to the demo backend. The proxy's own parser is built for speed and exactness; this one for being small:
/// it takes what a well-behaved client or proxy sends and refuses everything else.
/// </summary>
internal sealed class HelloRequest
{
    private static readonly SearchValues<char> _tokenCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>Everything below a space except the tab, and DEL (RFC 9110 5.5).</summary>
    private static readonly SearchValues<char> _controls = SearchValues.Create(
        "\0\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\n\u000b\f\r\u000e\u000f"
            + "\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\u007f"
    );

    private readonly List<KeyValuePair<string, string>> _fields = [];
    private bool _hasLength;

    private HelloRequest(string method, string target, bool isHttp11)
    {
        Method = method;
        Target = target;
        IsHttp11 = isHttp11;
        KeepsAlive = isHttp11;
    }

    /// <summary>For example <c>GET</c>.</summary>
    public string Method { get; }

    /// <summary>Target as received.</summary>
    public string Target { get; }

    /// <summary>HTTP/1.1, else HTTP/1.0.</summary>
    public bool IsHttp11 { get; }

    /// <summary>Header fields as received, in their order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Fields => _fields;

    /// <summary>Value of Host; empty when there is none.</summary>
    public string Host { get; private set; } = "";

    /// <summary>Whether the connection stays open after the answer.</summary>
    public bool KeepsAlive { get; private set; }

    /// <summary>Length of the body in bytes; 0 when it is chunked.</summary>
    public long BodyBytes { get; private set; }

    /// <summary>Whether the body comes in chunks.</summary>
    public bool IsChunked { get; private set; }

    /// <summary>The client waits for 100 before it sends the body.</summary>
    public bool ExpectsContinue { get; private set; }

    /// <summary>Reads a head from the start of <paramref name="input"/>.</summary>
    /// <param name="input">Bytes received.</param>
    /// <param name="consumed">Bytes of the head, when complete.</param>
    /// <param name="request">The request, when complete.</param>
    public static HelloParse Read(ReadOnlySpan<byte> input, out int consumed, out HelloRequest? request)
    {
        consumed = 0;
        request = null;

        // RFC 9112 2.2: an empty line before the request line is to be ignored.
        int skipped = input.StartsWith("\r\n"u8) ? 2 : 0;
        int end = input[skipped..].IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return LooksBad(input[skipped..]) ? HelloParse.Bad : HelloParse.NeedMore;
        }

        string[] lines = Encoding.Latin1.GetString(input.Slice(skipped, end)).Split("\r\n");
        request = ReadRequestLine(lines[0]);
        if (request is null || !request.ReadFields(lines.AsSpan(1)))
        {
            return HelloParse.Bad;
        }

        consumed = skipped + end + 4;
        return HelloParse.Complete;
    }

    /// <summary>Refuses binary noise at its first line end or control character instead of waiting for a head that never ends.</summary>
    private static bool LooksBad(ReadOnlySpan<byte> partial)
    {
        int lineEnd = partial.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = lineEnd < 0 ? partial : partial[..lineEnd];
        if (lineEnd >= 0)
        {
            return !line.EndsWith("\r"u8) || ReadRequestLine(Encoding.Latin1.GetString(line[..^1])) is null;
        }

        return line.Length > 0 && line[..^1].ContainsAnyInRange((byte)0, (byte)31);
    }

    private static HelloRequest? ReadRequestLine(string line)
    {
        string[] parts = line.Split(' ');
        if (parts is not [var method, { Length: > 0 } target, "HTTP/1.1" or "HTTP/1.0"] || !IsToken(method) || HasControls(line))
        {
            return null;
        }

        return new HelloRequest(method, target, parts[2] == "HTTP/1.1");
    }

    private bool ReadFields(ReadOnlySpan<string> lines)
    {
        foreach (string line in lines)
        {
            int colon = line.IndexOf(':');
            if (colon <= 0 || !IsToken(line.AsSpan(0, colon)) || HasControls(line))
            {
                return false;
            }

            string name = line[..colon];
            string value = line.AsSpan(colon + 1).Trim(" \t").ToString();
            _fields.Add(new(name, value));
            if (!TakeField(name, value))
            {
                return false;
            }
        }

        // RFC 9112 6.3: both framings in one request are a smuggling attempt.
        return !IsChunked || !_hasLength;
    }

    private bool TakeField(string name, string value)
    {
        switch (name.ToLowerInvariant())
        {
            case "host":
                Host = value;
                return true;
            case "connection":
                KeepsAlive = IsHttp11 ? !HasOption(value, "close") : HasOption(value, "keep-alive");
                return true;
            case "expect":
                ExpectsContinue = value.Equals("100-continue", StringComparison.OrdinalIgnoreCase);
                return true;
            case "content-length":
                bool isFirst = !_hasLength;
                _hasLength = true;
                bool isNumber = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long bytes);
                BodyBytes = bytes;
                return isFirst && isNumber;
            case "transfer-encoding":
                bool isKnown = !IsChunked && value.Equals("chunked", StringComparison.OrdinalIgnoreCase);
                IsChunked = true;
                return isKnown;
            default:
                return true;
        }
    }

    private static bool HasOption(string value, string option)
    {
        foreach (string part in value.Split(','))
        {
            if (part.Trim().Equals(option, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsToken(ReadOnlySpan<char> text) => text.Length > 0 && !text.ContainsAnyExcept(_tokenCharacters);

    private static bool HasControls(string line) => line.AsSpan().IndexOfAny(_controls) >= 0;
}
