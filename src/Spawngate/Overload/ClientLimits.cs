using System.Net;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;

namespace Spawngate.Overload;

/// <summary>What becomes of a request, as far as its client's address decides.</summary>
internal enum ClientVerdict : byte
{
    /// <summary>It is served.</summary>
    Served,

    /// <summary>429: a hard limit of its address is reached.</summary>
    TooMany,

    /// <summary>503: something runs low, and its address is among those that hold most.</summary>
    Overloaded,
}

/// <summary>
/// Who may come in: whose address holds too much while something runs low, and whose is over a hard limit. Asked at every accept and every
/// request, from any thread; while nothing runs low and no limit is set, a request pays for one look.
/// </summary>
/// <param name="server">The hard limits, and who names clients.</param>
/// <param name="time">For rates.</param>
internal sealed class ClientLimits(ServerConfig server, TimeProvider time)
{
    private readonly bool _hasLimits =
        server.MaxRequestsPerAddress > 0 || server.RequestRatePerAddress > 0 || server.MaxConnectionsPerAddress > 0;
    private readonly (UInt128 Network, UInt128 Mask)[] _trusted = [.. server.TrustedProxies.Select(Bits)];
    private long _refusedConnections;
    private long _limitedConnections;
    private long _refusedRequests;
    private long _limitedRequests;
    private volatile bool _marks;
    private volatile bool _memoryIsTight;

    /// <summary>All addresses.</summary>
    public AddressTable Addresses { get; } = new();

    /// <summary>How much requests may take before the next look.</summary>
    public GrowthQuota Growth { get; } = new(DescriptorBudget.Shared);

    /// <summary>True while addresses are marked: then every request is looked at.</summary>
    public bool Marks
    {
        get => _marks;
        set => _marks = value;
    }

    /// <summary>
    /// True while clients hold more than a tenth of their bound: what the kernel holds for them is looked up at every tick then.
    /// </summary>
    public bool MemoryIsTight
    {
        get => _memoryIsTight;
        set => _memoryIsTight = value;
    }

    /// <summary>Connections that were closed because their address was marked.</summary>
    public long RefusedConnections => Interlocked.Read(ref _refusedConnections);

    /// <summary>Connections that were closed because of <c>max_connections_per_address</c>.</summary>
    public long LimitedConnections => Interlocked.Read(ref _limitedConnections);

    /// <summary>Requests that got OVERLOADED.</summary>
    public long RefusedRequests => Interlocked.Read(ref _refusedRequests);

    /// <summary>Requests that got TOO_MANY_REQUESTS.</summary>
    public long LimitedRequests => Interlocked.Read(ref _limitedRequests);

    /// <summary>The address of a peer.</summary>
    public ClientAddress Of(IPAddress peer, long nowMs) => Addresses.Get(AddressBits.KeyOf(AddressBits.Of(peer)), nowMs);

    /// <summary>Counts a connection in. False when it is to be closed; then it is not counted.</summary>
    /// <param name="peer">The peer's address.</param>
    /// <param name="isTrusted">True when it speaks for others: then only its requests are judged.</param>
    public bool TryConnect(ClientAddress peer, bool isTrusted)
    {
        int open = peer.AddConnection();
        if (isTrusted)
        {
            peer.SpeaksForOthers = true;
            return true;
        }

        bool marked = _marks && peer.IsMarked;
        if (!marked && (server.MaxConnectionsPerAddress == 0 || open <= server.MaxConnectionsPerAddress))
        {
            return true;
        }

        peer.RemoveConnection();
        Interlocked.Increment(ref marked ? ref _refusedConnections : ref _limitedConnections);
        return false;
    }

    /// <summary>The client of a request: the peer, or whom a trusted peer names.</summary>
    /// <param name="request">The head.</param>
    /// <param name="head">Its bytes.</param>
    /// <param name="peer">The peer's address.</param>
    /// <param name="isTrusted">True when it may name others.</param>
    /// <param name="nowMs">Coarse time.</param>
    public ClientAddress ClientOf(RequestHead request, ReadOnlySpan<byte> head, ClientAddress peer, bool isTrusted, long nowMs) =>
        isTrusted && request.Fields.Has(KnownHeader.ForwardedFor) && TryFindClient(request, head, out var bits)
            ? Addresses.Get(AddressBits.KeyOf(bits), nowMs)
            : peer;

    /// <summary>
    /// Decides about a request. When it is served and <paramref name="isCounted"/>, <see cref="ClientAddress.RemoveRequest"/> follows at
    /// its end.
    /// </summary>
    /// <param name="client">Who it is of.</param>
    /// <param name="peer">Who sent it.</param>
    /// <param name="isTrusted">True when the peer speaks for others.</param>
    /// <param name="isCounted">True when it is counted among the requests in flight.</param>
    public ClientVerdict Enter(ClientAddress client, ClientAddress peer, bool isTrusted, out bool isCounted)
    {
        if (_hasLimits || _marks)
        {
            return Judge(client, peer, isTrusted, out isCounted);
        }

        // A client that somebody names has no connection by which it is remembered.
        isCounted = !ReferenceEquals(client, peer) && client.TryAddRequest(int.MaxValue);
        return ClientVerdict.Served;
    }

    private ClientVerdict Judge(ClientAddress client, ClientAddress peer, bool isTrusted, out bool isCounted)
    {
        isCounted = false;
        if (_marks && client.IsMarked)
        {
            Interlocked.Increment(ref _refusedRequests);
            return ClientVerdict.Overloaded;
        }

        // A trusted peer that names nobody is a client like any other.
        bool overConnections =
            server.MaxConnectionsPerAddress > 0
            && isTrusted
            && ReferenceEquals(client, peer)
            && peer.Connections > server.MaxConnectionsPerAddress;
        if (
            overConnections
            || (
                server.RequestRatePerAddress > 0
                && !client.TryTakeToken(time.GetTimestamp(), time.TimestampFrequency, server.RequestRatePerAddress)
            )
        )
        {
            Interlocked.Increment(ref _limitedRequests);
            return ClientVerdict.TooMany;
        }

        if (server.MaxRequestsPerAddress == 0 && ReferenceEquals(client, peer))
        {
            return ClientVerdict.Served;
        }

        isCounted = client.TryAddRequest(server.MaxRequestsPerAddress > 0 ? server.MaxRequestsPerAddress : int.MaxValue);
        if (!isCounted)
        {
            Interlocked.Increment(ref _limitedRequests);
        }

        return isCounted ? ClientVerdict.Served : ClientVerdict.TooMany;
    }

    /// <summary>
    /// From the right, the first address in X-Forwarded-For that is no trusted proxy. What cannot be read ends the search: who wrote it is
    /// not known.
    /// </summary>
    private bool TryFindClient(RequestHead request, ReadOnlySpan<byte> head, out UInt128 bits)
    {
        bits = default;
        bool found = false;
        var fields = request.Fields.Fields;
        for (int i = fields.Length - 1; i >= 0; i--)
        {
            if (fields[i].Known != KnownHeader.ForwardedFor)
            {
                continue;
            }

            var rest = fields[i].Value(head);
            while (!rest.IsEmpty)
            {
                int comma = rest.LastIndexOf((byte)',');
                if (!AddressBits.TryParse(rest[(comma + 1)..], out var each))
                {
                    return found;
                }

                (bits, found) = (each, true);
                if (!IsTrusted(each))
                {
                    return true;
                }

                rest = comma < 0 ? default : rest[..comma];
            }
        }

        return found;
    }

    private bool IsTrusted(UInt128 bits)
    {
        foreach (var (network, mask) in _trusted)
        {
            if ((bits & mask) == network)
            {
                return true;
            }
        }

        return false;
    }

    private static (UInt128 Network, UInt128 Mask) Bits(IPNetwork network)
    {
        bool isIPv4 = network.BaseAddress.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;
        int length = network.PrefixLength + (isIPv4 ? 96 : 0);
        var mask = length == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - length);
        return (AddressBits.Of(network.BaseAddress) & mask, mask);
    }
}
