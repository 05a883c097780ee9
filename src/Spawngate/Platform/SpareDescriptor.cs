namespace Spawngate.Platform;

/// <summary>
/// A descriptor that is kept open as a reserve. It is given up for a connection to the admin API when no other descriptor is free, so that
/// somebody who asks why the gateway is full gets an answer. Code that waits for a descriptor for clients refills the reserve first.
/// </summary>
internal sealed class SpareDescriptor
{
    private readonly Lock _gate = new();
    private int _fd = -1;
    private bool _lent;

    /// <summary>That of this process.</summary>
    public static SpareDescriptor Shared { get; } = new();

    /// <summary>
    /// Opens it if it is not open. False when no descriptor is free, and once after it has been given up: the connection that it was given
    /// up for goes first.
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
