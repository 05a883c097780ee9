using Microsoft.AspNetCore.Connections;
using Spawngate.Platform;

namespace Spawngate.Admin;

/// <summary>What is being done on a connection to the admin API.</summary>
internal enum AdminWork
{
    /// <summary>Nothing: it is idle.</summary>
    None,

    /// <summary>An answer that takes a moment.</summary>
    Answer,

    /// <summary>An answer that lasts: a stream, or a wait.</summary>
    Stream,
}

/// <summary>One connection to the admin API: whether a request is being answered on it, and since when not.</summary>
internal sealed class AdminConnection
{
    private readonly AdminConnections _all;
    private readonly ConnectionContext _transport;

    internal AdminConnection(AdminConnections all, ConnectionContext transport)
    {
        _all = all;
        _transport = transport;
        Place = new LinkedListNode<AdminConnection>(this);
    }

    /// <summary>
    /// Its place in the list of those that are idle, busy, or stream; guarded by the lock of <see cref="AdminConnections"/>.
    /// </summary>
    internal LinkedListNode<AdminConnection> Place { get; }

    /// <summary>Since when it is idle, or busy, or streams.</summary>
    internal long SinceTimestamp { get; set; }

    /// <summary>A request has arrived whole.</summary>
    public void BeginRequest() => _all.Move(this, AdminWork.Answer);

    /// <summary>The answer to the request is one that lasts: a stream or a wait. False when there are as many as there may be.</summary>
    public bool TryBeginStream() => _all.Move(this, AdminWork.Stream);

    /// <summary>As <see cref="TryBeginStream()"/>, for the connection of a request.</summary>
    public static bool TryBeginStream(HttpContext context) => context.Features.Get<AdminConnection>()?.TryBeginStream() ?? true;

    /// <summary>It has been answered.</summary>
    public void EndRequest() => _all.Move(this, AdminWork.None);

    /// <summary>Ends it from outside.</summary>
    internal void Close() => _transport.Abort(new ConnectionAbortedException("another connection needs its place"));
}

/// <summary>
/// The connections to the admin API. A new one always gets in: when there are too many, the one that has been idle for longest is closed
/// for it, be it that its client keeps it for later or that it is slow to send a head; and when none is idle, the one whose answer has
/// taken longest. Streams and waits, which last and are in use, are never closed for it: they may only have so many places that there is
/// always one without.
/// </summary>
/// <remarks>
/// <code>
///            ┌──── request ─────▶ busy ── the answer lasts, and there is a place for it ──▶ stream
///   opened ─▶ idle                 │                                                          │
///            ◀──── answered ───────┴──────────────────────────────────────────────────────────┘
///   idle ─▶ closed: places are needed, or it is idle for long while many are open
///   busy ─▶ closed: places are needed, and none is idle
/// </code>
/// The lists are in the order of time, so the connection to close is the first.
/// </remarks>
internal sealed class AdminConnections(int max, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<AdminConnection> _idle = [];
    private readonly LinkedList<AdminConnection> _busy = [];
    private readonly LinkedList<AdminConnection> _streams = [];

    // Those that are being closed still hold their places for a moment.
    private readonly SemaphoreSlim _places = new(max + AdminLimits.AdminClosingMax, max + AdminLimits.AdminClosingMax);

    /// <summary>Open connections that are not being closed.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return Open;
            }
        }
    }

    /// <summary>Answers that may last at once. Half of all, where there are very few.</summary>
    public int StreamsMax { get; } = Math.Max(max / 2, max - Math.Max(AdminLimits.AdminShortMin, max / AdminLimits.AdminShortShare));

    private int Open => _idle.Count + _busy.Count + _streams.Count;

    /// <summary>Waits for a place, which only takes as long as it takes to close others.</summary>
    public Task TakePlaceAsync(CancellationToken cancel) => _places.WaitAsync(cancel);

    /// <summary>Gives a place back.</summary>
    public void ReturnPlace() => _places.Release();

    /// <summary>Keeps the connections of a listener here, which <see cref="AdminTransport"/> accepts for it.</summary>
    public void Serve(IConnectionBuilder listener) => listener.Use(next => transport => ServeAsync(next, transport));

    /// <summary>Adds a connection that has a place.</summary>
    public AdminConnection Add(ConnectionContext transport)
    {
        var added = new AdminConnection(this, transport);
        List<AdminConnection> victims = [];
        lock (_gate)
        {
            long now = time.GetTimestamp();
            while (Open >= max)
            {
                victims.Add(TakeFirst(_idle.Count > 0 ? _idle : _busy));
            }

            while (
                _idle.First is { Value: var oldest }
                && Open >= max / AdminLimits.AdminCrowdedShare
                && time.GetElapsedTime(oldest.SinceTimestamp, now).TotalMilliseconds >= AdminLimits.AdminCrowdedIdleMs
            )
            {
                victims.Add(TakeFirst(_idle));
            }

            added.SinceTimestamp = now;
            _idle.AddLast(added.Place);
        }

        victims.ForEach(static victim => victim.Close());
        return added;
    }

    /// <summary>Closes the connection that has been idle for longest, so that its descriptor can be had. False when none is.</summary>
    public bool CloseOldestIdle()
    {
        AdminConnection oldest;
        lock (_gate)
        {
            if (_idle.Count == 0)
            {
                return false;
            }

            oldest = TakeFirst(_idle);
        }

        oldest.Close();
        return true;
    }

    /// <summary>A connection has ended.</summary>
    public void Remove(AdminConnection connection)
    {
        lock (_gate)
        {
            connection.Place.List?.Remove(connection.Place);
        }
    }

    /// <summary>Moves a connection to where its work belongs. False when there is no place for it.</summary>
    internal bool Move(AdminConnection connection, AdminWork work)
    {
        lock (_gate)
        {
            // One that is being closed is in no list any more.
            if (connection.Place.List is not { } list || (work == AdminWork.Stream && list != _streams && _streams.Count >= StreamsMax))
            {
                return false;
            }

            list.Remove(connection.Place);
            connection.SinceTimestamp = time.GetTimestamp();
            (
                work switch
                {
                    AdminWork.Stream => _streams,
                    AdminWork.Answer => _busy,
                    _ => _idle,
                }
            ).AddLast(connection.Place);
            return true;
        }
    }

    private async Task ServeAsync(ConnectionDelegate next, ConnectionContext transport)
    {
        DescriptorBudget.Shared.Take(DescriptorUse.Admin);
        var connection = Add(transport);
        try
        {
            transport.Features.Set(connection);
            await next(transport);
        }
        finally
        {
            Remove(connection);
            ReturnPlace();
            DescriptorBudget.Shared.Release(DescriptorUse.Admin);
        }
    }

    private static AdminConnection TakeFirst(LinkedList<AdminConnection> list)
    {
        var first = list.First!.Value;
        list.RemoveFirst();
        return first;
    }
}
