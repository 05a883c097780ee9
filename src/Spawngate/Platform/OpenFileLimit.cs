namespace Spawngate.Platform;

/// <summary>
/// The limit of open descriptors (RLIMIT_NOFILE). The soft one is raised to the hard one for this process, which may then have as many as
/// it is allowed to. Children get back the soft limit that we were started with: it is low by custom because of programs that use
/// <c>select</c>, or close every number up to it.
/// </summary>
/// <remarks>
/// <code>
///                      ┌ few descriptors open:  lowered ─▶ spawn ─▶ raised again     (a child inherits the limit in the moment it is made)
///                      │                           └ many now: raised at once ─▶ spawn ends: the child's own limit is lowered
///  started ──▶ raised ─┤
///                      └ many:                  spawn ─▶ the child's own limit is lowered
/// </code>
/// A spawn lasts until the child has executed its file: a millisecond, but seconds when that file lies on a file system that hangs. A
/// lowered limit does not matter as long as half of it is free. The other way is a moment late: the child may have read its limit already.
/// A runtime that raised the limit before this program began has done so for the children, too.
/// </remarks>
internal sealed unsafe class OpenFileLimit
{
    private const int Resource = 7; // RLIMIT_NOFILE
    private const int Self = 0;

    private readonly Lock _gate = new();
    private ulong _children;
    private ulong _soft;
    private ulong _hard;
    private long _lowering;
    private int _spawns;
    private volatile bool _isLowered;

    /// <summary>Reads the limit of this process.</summary>
    public OpenFileLimit() =>
        (_soft, _hard) = Libc.IsLinux ? Read(Self) ?? (ulong.MaxValue, ulong.MaxValue) : (ulong.MaxValue, ulong.MaxValue);

    /// <summary>That of this process.</summary>
    public static OpenFileLimit Own { get; } = new();

    /// <summary>How many descriptors may be open; null when that is not known, or when there is no bound.</summary>
    public long? Soft => _soft > long.MaxValue ? null : (long)_soft;

    /// <summary>Raises the soft limit as far as it goes, and as far as event loops can watch.</summary>
    public void Raise() => Raise(Math.Min(_hard, PlatformLimits.DescriptorsMax));

    /// <summary>Raises the soft limit to a number, and remembers for children what it was. No effect where it is as high already.</summary>
    public void Raise(ulong soft)
    {
        lock (_gate)
        {
            if (Libc.IsLinux && soft > _soft && Write(Self, soft, _hard))
            {
                _children = _soft;
                _soft = soft;
            }
        }
    }

    /// <summary>
    /// Whether it is that of the children at the moment. Then <see cref="RaiseIfShort"/> is to be asked for each descriptor that is opened.
    /// </summary>
    public bool IsLowered => _isLowered;

    /// <summary>A spawn begins. Its result goes to <see cref="EndSpawn"/>.</summary>
    /// <param name="open">Descriptors that are open, about.</param>
    /// <returns>By which number what is spawned now gets the children's limit by itself; 0 when it does not.</returns>
    public long BeginSpawn(long open)
    {
        lock (_gate)
        {
            RaiseIfShort(open);

            // Spawns overlap: the first lowers it, the last raises it again.
            if (_children == 0 || IsShort(open) || (_spawns == 0 && !Write(Self, _children, _hard)))
            {
                return 0;
            }

            _lowering += _spawns == 0 ? 1 : 0;
            _spawns++;
            _isLowered = true;
            return _lowering;
        }
    }

    /// <summary>Raises it again in the middle of spawns when many descriptors are open by now.</summary>
    /// <param name="open">Descriptors that are open, about.</param>
    public void RaiseIfShort(long open)
    {
        lock (_gate)
        {
            if (_isLowered && IsShort(open))
            {
                RaiseAgain();
            }
        }
    }

    /// <summary>A spawn has ended.</summary>
    /// <param name="lowering">The result of <see cref="BeginSpawn"/>.</param>
    /// <param name="pid">The child; 0 when there is none.</param>
    public void EndSpawn(long lowering, int pid)
    {
        lock (_gate)
        {
            if (_isLowered && lowering == _lowering)
            {
                if (--_spawns == 0)
                {
                    RaiseAgain();
                }
            }
            else if (_children != 0 && pid > 0 && Read(pid) is { } limit)
            {
                Write(pid, Math.Min(_children, limit.Hard), limit.Hard);
            }
        }
    }

    private bool IsShort(long open) => (ulong)open >= _children / 2;

    private void RaiseAgain()
    {
        Write(Self, _soft, _hard);
        _spawns = 0;
        _isLowered = false;
    }

    private static (ulong Soft, ulong Hard)? Read(int pid)
    {
        ulong* limit = stackalloc ulong[2];
        return Libc.LinuxPrlimit(pid, Resource, null, limit) == 0 ? (limit[0], limit[1]) : null;
    }

    private static bool Write(int pid, ulong soft, ulong hard)
    {
        ulong* limit = stackalloc ulong[] { soft, hard };
        return Libc.LinuxPrlimit(pid, Resource, limit, null) == 0;
    }
}
