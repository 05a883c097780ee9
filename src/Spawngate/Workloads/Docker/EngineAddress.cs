namespace Spawngate.Workloads.Docker;

/// <summary>Where a Docker engine listens: a Unix socket or a TCP port.</summary>
/// <param name="Text">As people write it: <c>unix:///path</c> or <c>tcp://host:port</c>.</param>
/// <param name="SocketPath">The path of the socket; null for TCP.</param>
/// <param name="Host">The host for TCP.</param>
/// <param name="Port">The port for TCP.</param>
internal sealed record EngineAddress(string Text, string? SocketPath, string Host, int Port)
{
    private const string UnixPrefix = "unix://";

    /// <summary>What requests are addressed to. The name in place of a socket's is what Docker's own client sends.</summary>
    public string Authority => SocketPath is null ? $"{Host}:{Port}" : "docker";

    /// <summary>The address of a socket.</summary>
    public static EngineAddress OfSocket(string path) => new(UnixPrefix + path, path, "", 0);

    /// <summary>Reads <c>unix:///path</c> and <c>tcp://host:port</c>; null for anything else.</summary>
    public static EngineAddress? Parse(string text)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            return text.Length > UnixPrefix.Length ? OfSocket(text[UnixPrefix.Length..]) : null;
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "tcp" or "http" && uri.Port > 0 && uri.Host.Length > 0
            ? new EngineAddress($"tcp://{uri.Authority}", null, uri.Host, uri.Port)
            : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
