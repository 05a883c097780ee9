using System.Text;
using System.Text.Json;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>The message broke off before its framing said that it is complete.</summary>
internal sealed class IncompleteMessageException(string where) : Exception($"the connection ended {where}");

/// <summary>The peer sent what is not HTTP.</summary>
internal sealed class NotHttpException(string what) : Exception(what);

/// <summary>How the end of a body was marked.</summary>
internal enum Framing
{
    /// <summary>No body at all.</summary>
    None,

    /// <summary>By Content-Length.</summary>
    Length,

    /// <summary>By the last chunk.</summary>
    Chunked,

    /// <summary>By the end of the connection.</summary>
    Close,
}

/// <summary>One response as it was on the wire.</summary>
internal sealed class RawResponse(string version, int status, IReadOnlyList<(string Name, string Value)> headers)
{
    /// <summary>Protocol version of the status line.</summary>
    public string Version { get; } = version;

    /// <summary>Status code.</summary>
    public int Status { get; } = status;

    /// <summary>Header fields in order and raw case.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; } = headers;

    /// <summary>Interim responses that came before.</summary>
    public List<RawResponse> Interim { get; } = [];

    /// <summary>Trailer fields.</summary>
    public List<(string Name, string Value)> Trailers { get; } = [];

    /// <summary>How the body ended.</summary>
    public Framing Framing { get; set; }

    /// <summary>The body; only its first MiB for larger ones.</summary>
    public byte[] Body { get; set; } = [];

    /// <summary>Length of the whole body.</summary>
    public long BodyLength { get; set; }

    /// <summary>SHA-256 of the whole body.</summary>
    public string Sha256 { get; set; } = "";

    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>True when the response says that the connection ends with it.</summary>
    public bool Closes => string.Equals(Header("Connection"), "close", StringComparison.OrdinalIgnoreCase);

    /// <summary>The value of a header field that may occur once; null when it does not occur.</summary>
    public string? Header(string name) =>
        Headers.SingleOrDefault(each => string.Equals(each.Name, name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>For a response of <c>/echo</c>: the request as the backend received it.</summary>
    public EchoedRequest Echoed => new(Text);
}

/// <summary>A request head as a backend received it.</summary>
internal sealed class EchoedRequest
{
    /// <summary>Takes the head apart.</summary>
    public EchoedRequest(string head)
    {
        string[] lines = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        RequestLine = lines[0];
        Headers = [.. lines.Skip(1).Select(line => line.Split(':', 2)).Select(sides => (sides[0], sides[1].Trim()))];
    }

    /// <summary>Method, target and version.</summary>
    public string RequestLine { get; }

    /// <summary>Header fields in order and raw case.</summary>
    public IReadOnlyList<(string Name, string Value)> Headers { get; }

    /// <summary>The value of a header field that may occur once; null when it does not occur.</summary>
    public string? Header(string name) =>
        Headers.SingleOrDefault(each => string.Equals(each.Name, name, StringComparison.OrdinalIgnoreCase)).Value;
}
