namespace Spawngate.Clients.Http2;

/// <summary>How the reader of a connection goes on.</summary>
internal enum ReaderPause : byte
{
    /// <summary>With what it receives.</summary>
    None,

    /// <summary>After others of its thread had their turn.</summary>
    ForOthers,

    /// <summary>After the next look at what clients hold (<see cref="Overload.GrowthQuota"/>).</summary>
    ForLook,

    /// <summary>When the client has taken of what waits to be sent to it.</summary>
    ForRoom,
}

/// <summary>The wait of a connection's reader until the client has taken of what waits to be sent to it.</summary>
/// <remarks>
/// <code>
///  reading ── Begin ──▶ waiting ── End ──▶ woken ── Resume ──▶ reading
///           (in the gate)       (in the gate)    (outside)
/// </code>
/// </remarks>
internal sealed class ReaderWait
{
    private readonly Signal<bool> _room = new();
    private bool _waits;
    private int _woken;

    /// <summary>True while the reader waits; within the gate.</summary>
    public bool IsWaiting => _waits;

    /// <summary>The reader is going to wait.</summary>
    public void Begin()
    {
        _room.Reset();
        _waits = true;
    }

    /// <summary>It need not wait any more, if it does.</summary>
    public void End()
    {
        if (_waits)
        {
            _waits = false;
            Volatile.Write(ref _woken, 1);
        }
    }

    /// <summary>Lets it go on, here and now, if it was woken.</summary>
    public void Resume()
    {
        if (Volatile.Read(ref _woken) != 0 && Interlocked.Exchange(ref _woken, 0) != 0)
        {
            _room.Set(true);
        }
    }

    /// <summary>Waits for <see cref="Resume"/>, which may have been called.</summary>
    public ValueTask<bool> WaitAsync() => _room.WaitAsync();
}
