namespace Spawngate.Overload;

/// <summary>Something that holds memory, descriptors or ports for a client, and can be made to give them up.</summary>
internal interface ISheddable
{
    /// <summary>Ends it if it waits for a request: nothing is lost.</summary>
    void CloseIfIdle();

    /// <summary>True once it was shed and has not ended yet.</summary>
    bool IsEnding { get; }

    /// <summary>Cuts it: what has no answer yet is told why.</summary>
    void Shed();
}

/// <summary>What can run low.</summary>
internal enum Resource : byte
{
    /// <summary>Memory, in bytes.</summary>
    Memory,

    /// <summary>Client connections.</summary>
    Connections,

    /// <summary>File descriptors.</summary>
    Descriptors,

    /// <summary>Local ports towards one backend.</summary>
    Ports,
}

/// <summary>One thing that is held for a client.</summary>
/// <param name="target">What can be ended.</param>
/// <param name="bytes">Memory, ours and the kernel's.</param>
/// <param name="connections">1 for a client connection, 0 for a request on one.</param>
/// <param name="upstreams">Connections to backends.</param>
/// <param name="isIdle">True when it waits for a request.</param>
internal sealed class ClientHolding(ISheddable target, long bytes, int connections, int upstreams, bool isIdle)
{
    /// <summary>What can be ended.</summary>
    public ISheddable Target => target;

    /// <summary>True when it waits for a request.</summary>
    public bool IsIdle => isIdle;

    /// <summary>True when what it holds is given up already.</summary>
    public bool IsEnding => target.IsEnding;

    /// <summary>How much it holds of a resource.</summary>
    public long Of(Resource resource) =>
        resource switch
        {
            Resource.Memory => bytes,
            Resource.Connections => connections,
            Resource.Descriptors => connections + upstreams,
            _ => upstreams,
        };
}

/// <summary>All that is held for one address.</summary>
internal sealed class AddressHoldings(ClientAddress address)
{
    private readonly List<ClientHolding> _holdings = [];

    /// <summary>The address.</summary>
    public ClientAddress Address => address;

    /// <summary>What is held.</summary>
    public IReadOnlyList<ClientHolding> Holdings => _holdings;

    /// <summary>Adds something.</summary>
    public void Add(ClientHolding holding) => _holdings.Add(holding);

    /// <summary>How much there is of a resource, all together.</summary>
    public long Of(Resource resource)
    {
        long sum = 0;
        foreach (var holding in _holdings)
        {
            sum += holding.IsEnding ? 0 : holding.Of(resource);
        }

        return sum;
    }

    /// <summary>How much of a resource is given up already, and only not free yet.</summary>
    public long EndingOf(Resource resource)
    {
        long sum = 0;
        foreach (var holding in _holdings)
        {
            sum += holding.IsEnding ? holding.Of(resource) : 0;
        }

        return sum;
    }
}

/// <summary>Who holds what at a moment; made only when something runs low.</summary>
internal sealed class HoldingSurvey
{
    private readonly Dictionary<ulong, AddressHoldings> _addresses = [];
    private readonly List<AddressHoldings> _list = [];

    /// <summary>What is held, by address.</summary>
    public IReadOnlyList<AddressHoldings> Addresses => _list;

    /// <summary>Adds something that is held for an address.</summary>
    public void Add(ClientAddress address, ClientHolding holding)
    {
        if (!_addresses.TryGetValue(address.Key, out var holdings))
        {
            _addresses.Add(address.Key, holdings = new AddressHoldings(address));
            _list.Add(holdings);
        }

        holdings.Add(holding);
    }
}
