using Spawngate.Runtime;
using Spawngate.Telemetry;

namespace Spawngate.Overload;

/// <summary>The client connections, as far as it matters what they hold.</summary>
internal interface IClientHoldings
{
    /// <summary>Bytes that all of them hold together, as of this tick.</summary>
    long HeldBytes { get; }

    /// <summary>How many there are.</summary>
    int Count { get; }

    /// <summary>Adds what each of them holds, and for whom.</summary>
    void AddTo(HoldingSurvey survey);
}

/// <summary>How much of something is used, and how much there is.</summary>
/// <param name="Used">How much is used.</param>
/// <param name="Bound">How much there is; 0 when that is not known.</param>
internal readonly record struct Usage(long Used, long Bound);

/// <summary>
/// Looks on every tick how much of each resource is used, and has the <see cref="LoadShedder"/> act; see docs/concepts/overload.md.
/// </summary>
internal sealed class OverloadMonitor : IDisposable
{
    private readonly CoarseClock _clock;
    private readonly ClientLimits _limits;
    private readonly IClientHoldings _clients;
    private readonly LoadShedder _shedder;
    private readonly HeapTrimmer _heap;

    /// <summary>Begins to look.</summary>
    /// <param name="clients">The client connections, which have ticked before it does.</param>
    /// <param name="limits">Who is let in.</param>
    /// <param name="clock">The tick.</param>
    /// <param name="log">Log of category <c>spawngate.overload</c>.</param>
    /// <param name="collect">Gives the heap's free memory back.</param>
    public OverloadMonitor(IClientHoldings clients, ClientLimits limits, CoarseClock clock, ILogger log, Action collect)
    {
        _clients = clients;
        _limits = limits;
        _clock = clock;
        _shedder = new LoadShedder(limits, log) { Survey = clients.AddTo };
        _heap = new HeapTrimmer(collect);
        clock.Tick += OnTick;
    }

    /// <summary>Bytes that clients may hold together.</summary>
    public required long MemoryBytesMax { get; init; }

    /// <summary>What is collected now and then; null for nothing.</summary>
    public YoungHeap? Young { get; init; }

    /// <summary>Client connections at once.</summary>
    public required int ConnectionsMax { get; init; }

    /// <summary>Descriptors of this process.</summary>
    public Func<Usage> Descriptors { get; init; } = static () => default;

    /// <summary>Local ports towards the backend that most are in use towards.</summary>
    public Func<Usage> Ports { get; init; } = static () => default;

    /// <summary>What clients hold, and what has been done about it.</summary>
    public OverloadNumbers Numbers =>
        new()
        {
            HeldBytes = _clients.HeldBytes,
            HeldBytesMax = MemoryBytesMax,
            Addresses = _limits.Addresses.Count,
            Resources = [.. Enum.GetValues<Resource>().Select(each => (LoadShedder.NameOf(each), _shedder.IsLow(each)))],
            Refused =
            [
                ("connection", "overload", _limits.RefusedConnections),
                ("connection", "limit", _limits.LimitedConnections),
                ("request", "overload", _limits.RefusedRequests),
                ("request", "limit", _limits.LimitedRequests),
                ("idle_connection", "overload", _shedder.ClosedIdle),
                ("in_use", "overload", _shedder.Cut),
            ],
        };

    /// <inheritdoc/>
    public void Dispose()
    {
        _clock.Tick -= OnTick;
        _limits.Growth.Open();
    }

    private void OnTick()
    {
        try
        {
            Look();
        }
        catch
        {
            _limits.Growth.Retry(); // It is waited for.
            throw;
        }
    }

    private void Look()
    {
        long now = _clock.NowMs;
        long held = _clients.HeldBytes;
        var descriptors = Descriptors();
        var ports = Ports();
        var uses = _shedder.Uses;
        uses[(int)Resource.Memory] = ResourceUse.OfVolume(held, MemoryBytesMax);
        uses[(int)Resource.Connections] = ResourceUse.OfPlaces(_clients.Count, ConnectionsMax);
        uses[(int)Resource.Descriptors] = ResourceUse.OfPlaces(descriptors.Used, descriptors.Bound);
        uses[(int)Resource.Ports] = ports.Bound > 0 ? ResourceUse.OfVolume(ports.Used, ports.Bound) : ResourceUse.Unbounded;
        _limits.MemoryIsTight = held > MemoryBytesMax / OverloadLimits.TightShare;
        _shedder.Look(now);
        _limits.Growth.Set(uses[(int)Resource.Memory], uses[(int)Resource.Descriptors], uses[(int)Resource.Ports]);
        _heap.Look(held, now);
        Young?.Look();
        _limits.Addresses.Sweep(now);
    }
}
