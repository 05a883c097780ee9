namespace Spawngate.Platform;

/// <summary>
/// The terminal that this process was started from, by the one of its standard descriptors that leads there. A daemon has none, nor has
/// what was started with its input and errors elsewhere.
/// </summary>
internal sealed class ControllingTerminal
{
    private const int Stdin = 0;

    private readonly int _fd;

    private ControllingTerminal(int fd) => _fd = fd;

    /// <summary>Finds it. Null when there is none.</summary>
    public static ControllingTerminal? Find()
    {
        foreach (int fd in (ReadOnlySpan<int>)[Stdin, Descriptors.Stderr])
        {
            if (!OperatingSystem.IsWindows() && IsOurs(fd))
            {
                return new ControllingTerminal(fd);
            }
        }

        return null;
    }

    /// <summary>Whether it is not ours any more: its window was closed, the connection has ended, or the shell.</summary>
    public bool IsGone => !IsOurs(_fd);

    // Answered only for the controlling terminal of the caller, and not after that was hung up (tty_ioctl(4): ENOTTY, EIO).
    private static bool IsOurs(int fd) => Libc.ForegroundGroup(fd) >= 0;
}
