using System.Text;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;

namespace Spawngate.Sessions;

/// <summary>What came of a call.</summary>
/// <param name="Session">The session; null when there is none.</param>
/// <param name="IsNew">Whether the call made it.</param>
/// <param name="Error">Why there is none.</param>
internal readonly record struct SpawnOutcome(Session? Session, bool IsNew, SpawnError? Error);

/// <summary>
/// Makes sessions and knows all of them: which live, which key belongs to which, which have to end when. One lock, under which nothing
/// waits; requests never take it.
/// </summary>
/// <remarks>
/// <code>
///   Spawn ─▶ live, keys, lifetimes ── backend ended ─▶ remembered (the latest so many) ─▶ forgotten
///            └──────────── SessionIndex ──────────────────────────────────────────────┘
/// </code>
/// </remarks>
internal sealed class SessionSet
{
    private readonly BackendEnvironment _env;
    private readonly Lock _gate = new();
    private readonly Dictionary<SessionId, Session> _live = [];
    private readonly Dictionary<string, Session> _byKey = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Session, long> _lifetimes = new();
    private readonly Queue<Session> _remembered = new();
    private readonly Dictionary<string, SessionTotals> _totals = new(StringComparer.Ordinal);
    private SessionsConfig? _config;
    private long _nextLifetimeMs = long.MaxValue;
    private long _made;
    private bool _closed;

    /// <summary>Makes a set without sessions; <see cref="Apply"/> says which may be made.</summary>
    public SessionSet(BackendEnvironment env)
    {
        _env = env;
        env.Clock.Tick += EndOverdue;
    }

    /// <summary>All of them by id, for requests.</summary>
    public SessionIndex Index { get; } = new();

    /// <summary>The settings in force; null when no sessions are configured.</summary>
    public SessionsConfig? Config => Volatile.Read(ref _config);

    /// <summary>Called with the host of a session that has ended, and once more when it is forgotten.</summary>
    public Action<string>? OnGone { get; set; }

    /// <summary>The backends of those that live, in the order of their creation.</summary>
    public IReadOnlyList<Backend> Backends => [.. Live().Select(static session => session.Backend).OfType<Backend>()];

    /// <summary>What is counted, by template.</summary>
    public IReadOnlyList<SessionNumbers> ReadNumbers()
    {
        SessionTotals[] totals;
        lock (_gate)
        {
            totals = [.. _totals.Values];
        }

        ILookup<SessionTotals, Session> live = Live().ToLookup(static session => session.Totals);
        return [.. totals.Select(each => NumbersOf(each, live[each]))];
    }

    /// <summary>The session of an id that lives or is remembered.</summary>
    public Session? Find(string id) => SessionId.TryParse(id, out var parsed) ? Index.Find(parsed) : null;

    /// <summary>The backend of a session's host, normalised.</summary>
    public Backend? FindHost(string hostname) => Index.Find(Encoding.UTF8.GetBytes(hostname), out _);

    /// <summary>Takes over new settings; sessions that live keep theirs.</summary>
    public void Apply(SessionsConfig? config)
    {
        lock (_gate)
        {
            Volatile.Write(ref _config, config);
            HashSet<SessionTotals> used = [.. _live.Values.Select(static session => session.Totals)];
            foreach (
                SessionTotals totals in _totals
                    .Values.Where(each =>
                        !used.Contains(each) && each.Template != SessionTotals.NoTemplate && config?.FindTemplate(each.Template) is null
                    )
                    .ToList()
            )
            {
                // A series that nothing will ever be counted in again.
                _totals.Remove(totals.Template);
            }
        }
    }

    /// <summary>Makes a session and begins its start, or finds the one that lives under the key.</summary>
    public SpawnOutcome Spawn(SpawnRequest request)
    {
        if (Config is not { } config)
        {
            return None(SpawnError.NoSessions);
        }

        if (FindKey(request.Key) is { } existing)
        {
            return new SpawnOutcome(existing, false, null);
        }

        var plan = SpawnPlan.Make(config, request, out var error);
        return plan is null ? None(error!) : SpawnNew(config, plan, request.Key);
    }

    /// <summary>Drains and ends a session; nothing happens to one that has ended.</summary>
    public void End(Session session, StopReason reason)
    {
        lock (_gate)
        {
            session.MarkEnding();
            ForgetKey(session);
        }

        session.Backend?.Close(LifecycleInput.Remove, reason);
    }

    /// <summary>From now on none is made: the gateway is about to stop.</summary>
    public void Refuse()
    {
        lock (_gate)
        {
            _closed = true;
        }
    }

    /// <summary>Ends all of them, and makes no more.</summary>
    /// <returns>Tasks that complete when each has ended.</returns>
    internal IReadOnlyList<Task> Close(LifecycleInput input)
    {
        Refuse();
        List<Task> ended = [];
        foreach (Session session in Live())
        {
            session.Backend?.Close(input);
            ended.Add(session.Ended);
        }

        return ended;
    }

    private static SpawnOutcome None(SpawnError error) => new(null, false, error);

    private Session[] Live()
    {
        lock (_gate)
        {
            return [.. _live.Values.OrderBy(static session => session.Serial)];
        }
    }

    private static SessionNumbers NumbersOf(SessionTotals totals, IEnumerable<Session> live)
    {
        int[] states = new int[(int)SessionState.Failed + 1];
        int inFlight = 0,
            passiveCount = 0,
            waiting = 0;
        foreach (Session session in live)
        {
            states[(int)session.Status.State]++;
            if (session.Backend?.GetStatus() is { } status)
            {
                inFlight += (int)status.InFlight;
                passiveCount += (int)status.PassiveCount;
                waiting += status.Waiting;
            }
        }

        return new SessionNumbers(totals, states, inFlight, passiveCount, waiting);
    }

    private Session? FindKey(string? key)
    {
        if (key is null)
        {
            return null;
        }

        lock (_gate)
        {
            return !_closed && _byKey.TryGetValue(key, out var session) && session.TryUse() ? session : null;
        }
    }

    private SpawnOutcome SpawnNew(SessionsConfig config, SpawnPlan plan, string? key)
    {
        Session session;
        Backend backend;
        lock (_gate)
        {
            if (_closed)
            {
                return None(SpawnError.ShuttingDown);
            }

            if (key is not null && _byKey.TryGetValue(key, out var existing) && existing.TryUse())
            {
                return new SpawnOutcome(existing, false, null);
            }

            if (_live.Count >= config.Max)
            {
                return None(SpawnError.Full(config.Max));
            }

            session = Construct(config, plan, key);
            backend = session.Backend!;
            Register(session, plan.LifetimeLimitSecs);

            // Under the lock, so that whoever closes the set meets a backend whose start has begun.
            backend.Begin(new WakeCause(WakeKind.Admin, "spawn"));
        }

        return new SpawnOutcome(session, true, null);
    }

    private Session Construct(SessionsConfig config, SpawnPlan plan, string? key)
    {
        if (!_totals.TryGetValue(plan.Template, out var totals))
        {
            _totals.Add(plan.Template, totals = new SessionTotals(plan.Template));
        }

        var id = SessionId.New();
        var session = new Session(_env, id, config.Domain, totals, OnEnded)
        {
            Url = config.UrlTemplateOf(_env.Server).Replace(SessionsConfig.IdMark, id.ToString(), StringComparison.Ordinal),
            Key = key,
            Serial = ++_made,
        };
        totals.CountCreated();
        session.Attach(
            new Backend(
                _env,
                plan.For(session.Hostname, session.Name, key),
                null,
                new EphemeralLifetime(plan.Template, totals.Traffic, session.Watch)
            )
        );
        return session;
    }

    private void Register(Session session, int lifetimeSecs)
    {
        Index.Add(session);
        _live.Add(session.Id, session);
        if (session.Key is { } key)
        {
            _byKey[key] = session;
        }

        if (lifetimeSecs > 0)
        {
            // The coarse clock may be a tick behind, so a tick is added: never early.
            _lifetimes.Enqueue(session, _env.Clock.NowMs + (lifetimeSecs * 1000L) + RuntimeLimits.ClockTickMs);
            ArmLifetimes();
        }
    }

    /// <summary>Called by the lifecycle of its backend, once.</summary>
    private void OnEnded(Session session)
    {
        Session? forgotten = null;
        lock (_gate)
        {
            _live.Remove(session.Id);
            ForgetKey(session);
            _lifetimes.Remove(session, out _, out _);
            ArmLifetimes();
            session.Detach();
            session.Totals.CountEnded(session.Status.State);
            _remembered.Enqueue(session);
            if (_remembered.Count > SessionLimits.SessionsRemembered)
            {
                forgotten = _remembered.Dequeue();
                Index.Remove(forgotten);
            }
        }

        OnGone?.Invoke(session.Hostname);
        _env.Feed.Publish(new HistoryNews(session.Hostname, null));
        if (forgotten is not null)
        {
            // Lines of output that came late have been kept until now.
            OnGone?.Invoke(forgotten.Hostname);
        }
    }

    private void ForgetKey(Session session)
    {
        if (session.Key is { } key && _byKey.TryGetValue(key, out var active) && ReferenceEquals(active, session))
        {
            _byKey.Remove(key);
        }
    }

    private void ArmLifetimes() => Volatile.Write(ref _nextLifetimeMs, _lifetimes.TryPeek(out _, out long dueMs) ? dueMs : long.MaxValue);

    private void EndOverdue()
    {
        while (Volatile.Read(ref _nextLifetimeMs) <= _env.Clock.NowMs)
        {
            Session session;
            lock (_gate)
            {
                if (_lifetimes.Count == 0)
                {
                    return;
                }

                session = _lifetimes.Dequeue();
                ArmLifetimes();
            }

            End(session, StopReason.Lifetime);
        }
    }
}
