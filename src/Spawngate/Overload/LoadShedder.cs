namespace Spawngate.Overload;

/// <summary>How much of a resource is used, and when that is too much.</summary>
/// <param name="Used">How much is used.</param>
/// <param name="High">From here on whoever holds most is refused.</param>
/// <param name="Cut">From here on whoever holds most is cut.</param>
/// <param name="Calm">Below it, it is over.</param>
/// <param name="Rest">What those that are not marked may hold together.</param>
internal readonly record struct ResourceUse(long Used, long High, long Cut, long Calm, long Rest)
{
    /// <summary>One that can never run low.</summary>
    public static ResourceUse Unbounded => new(0, long.MaxValue, long.MaxValue, long.MaxValue, long.MaxValue);

    /// <summary>One that is high at 3/4 of its bound: what it is short of takes long to come back.</summary>
    public static ResourceUse OfVolume(long used, long bound) => new(used, bound / 4 * 3, bound / 8 * 7, bound / 8 * 5, bound / 2);

    /// <summary>One of places that are free again at once, of which fewer have to be left.</summary>
    public static ResourceUse OfPlaces(long used, long bound) =>
        bound < OverloadLimits.ShedPlacesMin
            ? Unbounded
            : new(used, bound - (bound / 16), bound - (bound / 32), bound - (bound / 8), bound / 2);
}

/// <summary>
/// When something runs low, has those go who hold most; see docs/concepts/overload.md. On the tick, on one thread at a time.
/// </summary>
/// <remarks>
/// <code>
///            high                       cut
///  Calm ─────────▶ Refusing ───────────────────▶ Cutting (acts once a survey, until below high)
///    ▲               │  ▲                           │
///    └─ below calm ──┘  └──────── below high ───────┘
/// </code>
/// </remarks>
internal sealed class LoadShedder
{
    private readonly ClientLimits _limits;
    private readonly ILogger _log;
    private readonly ResourceUse[] _uses = new ResourceUse[(int)Resource.Ports + 1];
    private readonly bool[] _isLow = new bool[(int)Resource.Ports + 1];
    private List<ClientAddress> _marked = [];
    private long _nextSurveyMs;
    private long _closedIdle;
    private long _cut;

    /// <summary>Makes one that is calm.</summary>
    /// <param name="limits">Who refuses what is marked.</param>
    /// <param name="log">Log of category <c>spawngate.overload</c>.</param>
    public LoadShedder(ClientLimits limits, ILogger log)
    {
        _limits = limits;
        _log = log;
    }

    /// <summary>Finds who holds what.</summary>
    public Action<HoldingSurvey> Survey { get; set; } = static _ => { };

    /// <summary>How much of each resource is used, by <see cref="Resource"/>; set before each look.</summary>
    public Span<ResourceUse> Uses => _uses;

    /// <summary>Idle connections that were closed to make room.</summary>
    public long ClosedIdle => Interlocked.Read(ref _closedIdle);

    /// <summary>Connections and requests that were cut.</summary>
    public long Cut => Interlocked.Read(ref _cut);

    /// <summary>True while a resource is low.</summary>
    public bool IsLow(Resource resource) => Volatile.Read(ref _isLow[(int)resource]);

    /// <summary>Looks whether something runs low, and acts.</summary>
    public void Look(long nowMs)
    {
        bool any = false;
        bool cuts = false;
        for (int i = 0; i < _uses.Length; i++)
        {
            any |= UpdateLow((Resource)i, _uses[i]);
            cuts |= _uses[i].Used >= _uses[i].Cut;
        }

        if (!any)
        {
            Unmark();
            return;
        }

        if (nowMs >= _nextSurveyMs || cuts)
        {
            _nextSurveyMs = nowMs + OverloadLimits.ShedSurveyMs;
            Act();
        }
    }

    private bool UpdateLow(Resource resource, in ResourceUse use)
    {
        bool was = _isLow[(int)resource];
        bool isLow = use.Used >= (was ? use.Calm : use.High);
        if (isLow != was)
        {
            Volatile.Write(ref _isLow[(int)resource], isLow);
            if (isLow)
            {
                OverloadLog.RunsLow(_log, NameOf(resource), use.Used, use.High);
            }
            else
            {
                OverloadLog.Calm(_log, NameOf(resource), use.Used, _limits.RefusedConnections + _limits.RefusedRequests, ClosedIdle, Cut);
            }
        }

        return isLow;
    }

    private void Act()
    {
        var survey = new HoldingSurvey();
        Survey(survey);
        var marked = new HashSet<ClientAddress>();
        for (int i = 0; i < _uses.Length; i++)
        {
            if (_isLow[i])
            {
                Act((Resource)i, _uses[i], survey, marked);
            }
        }

        Mark(marked);
    }

    private void Act(Resource resource, in ResourceUse use, HoldingSurvey survey, HashSet<ClientAddress> marked)
    {
        if (resource != Resource.Memory && survey.Addresses is [{ Address.SpeaksForOthers: true }])
        {
            return; // All is a proxy's: nobody would have anything of it, and whom it speaks for would notice.
        }

        var byWeight = new PriorityQueue<AddressHoldings, long>();
        long left = 0;
        long used = use.Used;
        foreach (var holdings in survey.Addresses)
        {
            long weight = holdings.Of(resource);
            left += weight;
            used -= holdings.EndingOf(resource);
            byWeight.Enqueue(holdings, -weight);
        }

        var heaviest = new List<AddressHoldings>();
        while (left > use.Rest && byWeight.TryDequeue(out var next, out long weight) && weight < 0)
        {
            left += weight;
            heaviest.Add(next);
            marked.Add(next.Address);
        }

        long excess = used - use.High;
        if (excess >= 0)
        {
            excess = CloseIdle(resource, excess, heaviest);
        }

        if (used >= use.Cut)
        {
            CutDown(resource, excess, heaviest);
        }
    }

    /// <summary>Closes idle connections of those that hold most, as many as it takes. What is left of the excess.</summary>
    private long CloseIdle(Resource resource, long excess, List<AddressHoldings> heaviest)
    {
        foreach (var holdings in heaviest)
        {
            foreach (var holding in holdings.Holdings)
            {
                if (excess < 0)
                {
                    return excess;
                }

                if (holding is { IsIdle: true, IsEnding: false } && holding.Of(resource) > 0)
                {
                    holding.Target.CloseIfIdle();
                    excess -= holding.Of(resource);
                    Interlocked.Increment(ref _closedIdle);
                }
            }
        }

        return excess;
    }

    /// <summary>Cuts, always from the address that holds most at that moment, what holds most.</summary>
    private void CutDown(Resource resource, long excess, List<AddressHoldings> heaviest)
    {
        var queue = new PriorityQueue<Remaining, long>();
        foreach (var holdings in heaviest)
        {
            var remaining = new Remaining(holdings, resource);
            queue.Enqueue(remaining, -remaining.Weight);
        }

        while (excess > 0 && queue.TryDequeue(out var remaining, out _))
        {
            if (remaining.TakeLargest() is { } holding)
            {
                holding.Target.Shed();
                excess -= holding.Of(resource);
                Interlocked.Increment(ref _cut);
                queue.Enqueue(remaining, -remaining.Weight);
            }
        }
    }

    private void Mark(HashSet<ClientAddress> marked)
    {
        foreach (var address in _marked)
        {
            address.IsMarked = marked.Contains(address);
        }

        foreach (var address in marked)
        {
            if (!address.IsMarked)
            {
                address.IsMarked = true;
                OverloadLog.Refused(_log, address.Text, address.Connections);
            }
        }

        _marked = [.. marked];
        _limits.Marks = _marked.Count > 0;
    }

    private void Unmark()
    {
        if (_marked.Count > 0)
        {
            _limits.Marks = false;
            foreach (var address in _marked)
            {
                address.IsMarked = false;
            }

            _marked = [];
        }
    }

    /// <summary>A resource, for logs and metrics.</summary>
    public static string NameOf(Resource resource) =>
        resource switch
        {
            Resource.Memory => "memory",
            Resource.Connections => "connections",
            Resource.Descriptors => "descriptors",
            _ => "ports",
        };

    /// <summary>What an address still holds while it is being cut.</summary>
    private sealed class Remaining
    {
        private readonly Resource _resource;
        private readonly List<ClientHolding> _ascending;

        public Remaining(AddressHoldings holdings, Resource resource)
        {
            _resource = resource;
            _ascending = [.. holdings.Holdings.Where(static each => !each.IsEnding)];
            _ascending.Sort((one, other) => one.Of(resource).CompareTo(other.Of(resource)));
            Weight = holdings.Of(resource);
        }

        public long Weight { get; private set; }

        public ClientHolding? TakeLargest()
        {
            if (_ascending.Count == 0 || _ascending[^1].Of(_resource) == 0)
            {
                return null;
            }

            var largest = _ascending[^1];
            _ascending.RemoveAt(_ascending.Count - 1);
            Weight -= largest.Of(_resource);
            return largest;
        }
    }
}
