namespace Spawngate.Platform;

/// <summary>
/// A descriptor that is kept open for nothing, to be given up for a connection to the admin API when there is no other: whoever wants to
/// know why the gateway is full gets an answer. Who waits for a descriptor for clients fills it up first.
/// </summary>
internal sealed class SpareDescriptor
{
    private readonly Lock _gate = new();
    private int _fd = -1;
    private bool _lent;

    /// <summary>That of this process.</summary>
    public static SpareDescriptor Shared { get; } = new();

    /// <summary>
    /// Opens it if it is not there. False when it cannot be had, and once after it has been given up for somebody: who waits for others
    /// lets that one go first.
    /// </summary>
    public bool TryRefill()
    {
        lock (_gate)
        {
            if (_lent)
            {
                _lent = false;
                return false;
            }

            if (_fd < 0 && Libc.IsLinux)
            {
                _fd = Libc.Open("/dev/null", Libc.O_RDONLY | Libc.O_CLOEXEC);
            }

            return _fd >= 0 || !Libc.IsLinux;
        }
    }

    /// <summary>Gives it up for the caller, who settles it. False when it was not there.</summary>
    public bool TryGiveUp()
    {
        lock (_gate)
        {
            _lent = _fd >= 0;
            Descriptors.Close(_fd);
            _fd = -1;
            return _lent;
        }
    }

    /// <summary>The caller has got its descriptor: the next that is free is the spare one.</summary>
    public void Settle()
    {
        lock (_gate)
        {
            _lent = false;
        }
    }
}
