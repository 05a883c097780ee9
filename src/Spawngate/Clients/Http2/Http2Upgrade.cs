using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Transport;

namespace Spawngate.Clients.Http2;

/// <summary>
/// Finds out whether a connection that begins as HTTP/1 goes on as HTTP/2: by the preface, or by a request that asks to upgrade.
/// </summary>
internal struct Http2Upgrade
{
    /// <summary>With so many bytes, "PRI ", the preface differs from every method.</summary>
    private const int MethodBytes = 4;

    private bool _isHttp1;

    /// <summary>True once the whole preface was seen.</summary>
    public bool HasPreface { get; private set; }

    /// <summary>
    /// Looks at the first bytes of a connection, and at nothing behind them. False when they are, or may still become, the preface.
    /// </summary>
    public bool IsHttp1(ReadOnlySpan<byte> received)
    {
        if (_isHttp1 || received.IsEmpty)
        {
            return true;
        }

        var match = Http2Preface.Match(received);
        HasPreface = match == PrefaceMatch.Complete;
        _isHttp1 = match == PrefaceMatch.No;
        return !HasPreface && (_isHttp1 || received.Length < MethodBytes);
    }

    /// <summary>
    /// Takes up <c>Upgrade: h2c</c> (RFC 7540 section 3.2) for a request without a body, and writes the 101. Null for others: they are
    /// served over HTTP/1.1, as if they had not asked.
    /// </summary>
    public static Http2Connection? TryTakeUp(
        ForwardingContext context,
        ClientConnections connections,
        ClientIdentity identity,
        SocketChannel client,
        RequestHead request
    )
    {
        var settings = ProxyHeaders.SettingsOfH2cUpgrade(request, client.Received);
        if (settings.IsEmpty || connections.IsDraining)
        {
            return null;
        }

        var http2 = new Http2Connection(context, connections, identity, client);
        if (!http2.TryAdopt(settings))
        {
            return null;
        }

        client.Write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"u8);
        return http2;
    }
}
