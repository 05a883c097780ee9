using Spawngate.Overload;
using Spawngate.Protocols.Http1;

namespace Spawngate.Forwarding;

/// <summary>Whose request an exchange serves, and whether it is counted for that address.</summary>
internal struct ExchangeClient
{
    private ClientAddress? _source;
    private bool _isCounted;

    /// <summary>The client: the peer, or whom a trusted peer names; null before the first request. From any thread.</summary>
    public readonly ClientAddress? Source => Volatile.Read(in _source);

    /// <summary>Finds out whose request it is, and whether it is served. <see cref="Leave"/> follows either way.</summary>
    public ProxyError Enter(ForwardingContext context, RequestHead request, ReadOnlySpan<byte> head, ClientIdentity peer)
    {
        var limits = context.ClientLimits;
        var source = limits.ClientOf(request, head, peer.Source, peer.IsTrusted, context.Clock.NowMs);
        Volatile.Write(ref _source, source);
        return limits.Enter(source, peer.Source, peer.IsTrusted, out _isCounted) switch
        {
            ClientVerdict.Served => ProxyError.None,
            ClientVerdict.TooMany => ProxyError.TooManyRequests,
            _ => ProxyError.Overloaded,
        };
    }

    /// <summary>The request has ended.</summary>
    public void Leave()
    {
        if (_isCounted)
        {
            _isCounted = false;
            _source!.RemoveRequest();
        }
    }
}
