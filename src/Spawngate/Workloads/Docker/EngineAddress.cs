using System.Net;

namespace Spawngate.Workloads.Docker;

/// <summary>Where a Docker engine listens: a Unix socket or a TCP port.</summary>
/// <param name="Text">As people write it: <c>unix:///path</c> or <c>tcp://host:port</c>.</param>
/// <param name="SocketPath">The path of the socket; null for TCP.</param>
/// <param name="Host">The host for TCP.</param>
/// <param name="Port">The port for TCP.</param>
internal sealed record EngineAddress(string Text, string? SocketPath, string Host, int Port)
{
    private const string UnixPrefix = "unix://";
    private const char BeforeTlsDir = ' ';

    /// <summary>Folder with what TLS needs, see <see cref="EngineTls"/>; null for no TLS.</summary>
    public string? TlsDir { get; private init; }

    /// <summary>What requests are addressed to. The name in place of a socket's is what Docker's own client sends.</summary>
    public string Authority => SocketPath is null ? $"{Host}:{Port}" : "docker";

    /// <summary>
    /// Whether it is most likely the engine of another machine. Where a connection to it leads says it for certain:
    /// <see cref="EngineDialer.Machine"/>.
    /// </summary>
    public bool IsElsewhere =>
        SocketPath is null && Host != "localhost" && !(IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>All of it in one line, for the guard, which finds the engine by it: see <see cref="OfLine"/>.</summary>
    public string Line => TlsDir is null ? Text : $"{Text}{BeforeTlsDir}{TlsDir}";

    /// <summary>The address of a socket.</summary>
    public static EngineAddress OfSocket(string path) => new(UnixPrefix + path, path, "", 0);

    /// <summary>Reads <c>unix:///path</c> and <c>tcp://host:port</c>; null for anything else.</summary>
    /// <param name="text">The text.</param>
    /// <param name="tlsDir">Folder with what TLS needs, which sockets do not have; null for no TLS.</param>
    public static EngineAddress? Parse(string text, string? tlsDir = null)
    {
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            return text.Length > UnixPrefix.Length ? OfSocket(text[UnixPrefix.Length..]) : null;
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "tcp" or "http" && uri.Port > 0 && uri.Host.Length > 0
            ? new EngineAddress($"tcp://{uri.Authority}", null, uri.Host, uri.Port) { TlsDir = tlsDir }
            : null;
    }

    /// <summary>Reads a <see cref="Line"/>; null for anything else.</summary>
    public static EngineAddress? OfLine(string line)
    {
        var end = line.StartsWith(UnixPrefix, StringComparison.Ordinal) ? -1 : line.IndexOf(BeforeTlsDir, StringComparison.Ordinal);
        return end < 0 ? Parse(line) : Parse(line[..end], line[(end + 1)..]);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
