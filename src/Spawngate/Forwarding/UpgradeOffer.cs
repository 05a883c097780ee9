using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>
/// What a request that was passed on as an upgrade asked for, kept until a 101 is held against it: a server must not switch to anything
/// else (RFC 9110 section 7.8). Of a WebSocket over HTTP/2 it is also the key, since there the client never sees the handshake and cannot
/// check it (RFC 8441 section 5).
/// </summary>
internal sealed class UpgradeOffer
{
    private readonly byte[] _protocols;
    private readonly byte[]? _key;

    private UpgradeOffer(byte[] protocols, byte[]? key)
    {
        _protocols = protocols;
        _key = key;
    }

    /// <summary>True when it asked for a WebSocket and nothing else (RFC 6455 section 4.1).</summary>
    public bool IsWebSocket => Grammar.EqualsIgnoreCase(_protocols, "websocket,"u8);

    /// <summary>What the request asks for; null when it is not passed on as an upgrade.</summary>
    /// <param name="request">The parsed head.</param>
    /// <param name="head">Its bytes.</param>
    /// <param name="protocol">How it was received.</param>
    public static UpgradeOffer? Of(RequestHead request, ReadOnlySpan<byte> head, ReceivedProtocol protocol)
    {
        if (!ProxyHeaders.IsForwardedUpgrade(request, head))
        {
            return null;
        }

        var protocols = new List<byte>();
        byte[]? key = null;
        bool isWebSocket = false;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.Upgrade)
            {
                protocols.AddRange(field.Value(head));

                // Only then the key is ours, and comes behind; that of another protocol means nothing to us.
                isWebSocket = protocol == ReceivedProtocol.Http2 && Grammar.EqualsIgnoreCase(field.Value(head), "websocket"u8);
                protocols.Add((byte)',');
            }
            else if (
                isWebSocket
                && field.Known == KnownHeader.None
                && field.ValueLength == WebSocketAccept.KeyBytes
                && Grammar.EqualsIgnoreCase(field.Name(head), "sec-websocket-key"u8)
            )
            {
                key = field.Value(head).ToArray();
            }
        }

        return new UpgradeOffer([.. protocols], key);
    }

    /// <summary>Why a 101 does not answer it; null when it does.</summary>
    /// <param name="offer">What was asked for; null for no upgrade.</param>
    /// <param name="response">The 101.</param>
    /// <param name="head">Its bytes.</param>
    public static string? FaultOf(UpgradeOffer? offer, ResponseHead response, ReadOnlySpan<byte> head) =>
        offer is null ? "a 101 although no upgrade was asked for" : offer.FaultOf(response, head);

    private string? FaultOf(ResponseHead response, ReadOnlySpan<byte> head)
    {
        int switched = 0;
        int accepts = 0;
        bool answered = false;
        foreach (ref readonly var field in response.Fields.Fields)
        {
            var rest = field.Known == KnownHeader.Upgrade ? field.Value(head) : default;
            while (FieldTable.NextListItem(ref rest, out var protocol))
            {
                // A switch to TLS names what it carries, too (RFC 2817 section 3.3).
                bool carried = switched > 0 && Grammar.EqualsIgnoreCase(protocol, "http/1.1"u8);
                if (!carried && !IsAskedFor(protocol))
                {
                    return "a 101 to a protocol that was not asked for";
                }

                switched++;
            }

            if (_key is not null && field.Known == KnownHeader.None && Grammar.EqualsIgnoreCase(field.Name(head), "sec-websocket-accept"u8))
            {
                accepts++;
                answered = WebSocketAccept.Answers(_key, field.Value(head));
            }
        }

        return switched == 0 ? "a 101 without an Upgrade field"
            : _key is null ? null
            : !response.Fields.ConnectionUpgrade ? "a 101 without Connection: Upgrade"
            : accepts == 0 ? "a 101 without Sec-WebSocket-Accept"
            : accepts > 1 || !answered ? "a 101 with a wrong Sec-WebSocket-Accept"
            : null;
    }

    /// <summary>Names are compared without case, and versions where both say one.</summary>
    private bool IsAskedFor(ReadOnlySpan<byte> protocol)
    {
        ReadOnlySpan<byte> rest = _protocols;
        while (FieldTable.NextListItem(ref rest, out var asked))
        {
            bool both = asked.Contains((byte)'/') == protocol.Contains((byte)'/');
            if (System.Text.Ascii.EqualsIgnoreCase(both ? asked : NameOf(asked), both ? protocol : NameOf(protocol)))
            {
                return true;
            }
        }

        return false;
    }

    private static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> protocol) =>
        protocol.IndexOf((byte)'/') is >= 0 and var slash ? protocol[..slash] : protocol;
}
