using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// The signals that mean something to the gateway, as events on a pool thread. The default action of these signals is suppressed as long as
/// this object lives.
/// </summary>
internal sealed class Signals : IDisposable
{
    private const nint Ignore = 1; // SIG_IGN

    private readonly PosixSignalRegistration[] _registrations;
    private int _interrupts;

    /// <summary>Begins to listen.</summary>
    public Signals()
    {
        if (!OperatingSystem.IsWindows())
        {
            // A peer that closed its connection must show as an error of the write, not end the process. The runtime does the same; this does
            // not depend on it. Children get the default action back when they are spawned.
            _ = Libc.Signal(Libc.SIGPIPE, Ignore);
        }

        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        ];
    }

    /// <summary>SIGTERM or the first SIGINT: stop gracefully. The argument is the signal's name, for the log.</summary>
    public event Action<string>? StopRequested;

    /// <summary>A further SIGINT: someone does not want to wait, kill everything at once.</summary>
    public event Action? KillRequested;

    /// <summary>SIGHUP: reload the configuration.</summary>
    public event Action? ReloadRequested;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        switch (context.Signal)
        {
            case PosixSignal.SIGHUP:
                ReloadRequested?.Invoke();
                break;
            case PosixSignal.SIGINT when Interlocked.Increment(ref _interrupts) > 1:
                KillRequested?.Invoke();
                break;
            default:
                StopRequested?.Invoke(context.Signal == PosixSignal.SIGINT ? "SIGINT" : "SIGTERM");
                break;
        }
    }
}
