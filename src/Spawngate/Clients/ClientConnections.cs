using Spawngate.Backends;
using Spawngate.Clients.Shared;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;

namespace Spawngate.Clients;

/// <summary>All open client connections: their ticks, their number, and their end.</summary>
internal sealed class ClientConnections : IClientHoldings, IDisposable
{
    private readonly Lock _gate = new();
    private readonly CoarseClock _clock;
    private readonly Action<ClientConnection, long> _tick;
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ClientConnection?[] _slots = new ClientConnection?[256];
    private ClientConnection?[] _walk = [];
    private int _count;
    private long _accepted;
    private long _held;
    private long _holding;
    private long _closeIdleAtMs = long.MaxValue;

    /// <summary>Ticks on <paramref name="clock"/>.</summary>
    public ClientConnections(CoarseClock clock)
    {
        _clock = clock;
        _tick = (connection, now) => _holding += connection.OnTick(now);
        clock.Tick += OnTick;
    }

    /// <summary>Raised after a connection has ended, on its last thread.</summary>
    public event Action? Removed;

    /// <summary>On once <see cref="DrainAsync"/> was called: every response says <c>Connection: close</c>.</summary>
    public DrainSignal Drain { get; } = new();

    /// <summary>Connections that were ever opened.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>Open connections.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    public long HeldBytes => Interlocked.Read(ref _held);

    /// <summary>Adds a connection before it runs.</summary>
    public void Add(ClientConnection connection)
    {
        lock (_gate)
        {
            if (_count == _slots.Length)
            {
                Array.Resize(ref _slots, _slots.Length * 2);
            }

            _accepted++;
            connection.Slot = _count;
            _slots[_count++] = connection;
        }
    }

    /// <summary>Removes a connection that has ended.</summary>
    public void Remove(ClientConnection connection)
    {
        lock (_gate)
        {
            var last = _slots[--_count]!;
            _slots[_count] = null;
            if (!ReferenceEquals(last, connection))
            {
                _slots[connection.Slot] = last;
                last.Slot = connection.Slot;
            }

            if (Drain.IsOn && _count == 0)
            {
                _empty.TrySetResult();
            }
        }

        Removed?.Invoke();
    }

    /// <summary>
    /// Begins to drain: exchanges in progress end with <c>Connection: close</c>; idle connections get a last moment for a request that
    /// is on its way, then they are closed. Completes when no connection is left.
    /// </summary>
    public Task DrainAsync()
    {
        lock (_gate)
        {
            Drain.Set();
            _closeIdleAtMs = _clock.NowMs + ConnectionLimits.DrainIdleMs;
            if (_count == 0)
            {
                _empty.TrySetResult();
            }
        }

        return _empty.Task;
    }

    /// <summary>What holds a backend at this moment: up to so many of its open requests and tunnels, oldest first.</summary>
    public IReadOnlyList<ActiveRequest> FindActiveRequests(Backend backend, int max)
    {
        var search = new ActiveRequestSearch(backend, max, _clock.NowMs);
        ClientConnection[] connections;
        lock (_gate)
        {
            connections = _slots.AsSpan(0, _count).ToArray()!;
        }

        foreach (var connection in connections)
        {
            connection.AddTo(search);
        }

        return search.Found;
    }

    /// <inheritdoc/>
    public void AddTo(HoldingSurvey survey) => Walk((connection, _) => connection.AddTo(survey));

    /// <summary>Cuts every connection.</summary>
    public void AbortAll() => Walk(static (connection, _) => connection.Abort());

    /// <inheritdoc/>
    public void Dispose() => _clock.Tick -= OnTick;

    private void OnTick()
    {
        _holding = 0;
        Walk(_tick);
        Interlocked.Exchange(ref _held, _holding);
        if (_clock.NowMs >= Interlocked.Read(ref _closeIdleAtMs))
        {
            Walk(static (connection, _) => connection.CloseIfIdle());
        }
    }

    /// <summary>Walks a copy, so that no connection's work happens under the lock.</summary>
    private void Walk(Action<ClientConnection, long> visit)
    {
        int count;
        ClientConnection?[] walk;
        lock (_gate)
        {
            count = _count;
            if (_walk.Length < count)
            {
                _walk = new ClientConnection?[_slots.Length];
            }

            walk = _walk;
            _walk = [];
            Array.Copy(_slots, walk, count);
        }

        long now = _clock.NowMs;
        for (int i = 0; i < count; i++)
        {
            var connection = walk[i]!;
            walk[i] = null;
            try
            {
                visit(connection, now);
            }
            catch (Exception fault)
            {
                CallbackGuard.OnFault(fault, nameof(ClientConnections), owner: null);
                connection.Abort();
            }
        }

        _walk = walk;
    }
}
