using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Spawngate.Platform;

/// <summary>
/// The signals that mean something to the gateway. Their default action is suppressed as long as this object lives, and what arrives is
/// kept until somebody asks: a signal may come while the gateway is still starting.
/// </summary>
internal sealed class Signals : IDisposable
{
    private const nint Ignore = 1; // SIG_IGN

    private readonly TaskCompletionSource<string> _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _kill = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<PosixSignal> _reloads = Channel.CreateBounded<PosixSignal>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Func<bool>? _isTerminalGone;
    private readonly TimeProvider _time;
    private int _interrupts;

    /// <summary>Begins to listen.</summary>
    /// <param name="isTerminalGone">
    /// Says whether the terminal that this process was started from is gone; null when it was not started from one.
    /// </param>
    /// <param name="time">The time.</param>
    public Signals(Func<bool>? isTerminalGone = null, TimeProvider? time = null)
    {
        _isTerminalGone = isTerminalGone;
        _time = time ?? TimeProvider.System;
        if (!OperatingSystem.IsWindows())
        {
            // A peer that closed its connection must show as an error of the write, not end the process. The runtime does the same; this
            // does not depend on it. Children get the default action back when they are spawned.
            _ = Libc.Signal(Libc.SIGPIPE, Ignore);
        }

        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        ];
    }

    /// <summary>
    /// SIGTERM, the first SIGINT, or SIGHUP of a terminal that is gone: stop gracefully. The value is the signal's name, for the log.
    /// </summary>
    public Task<string> StopRequested => _stop.Task;

    /// <summary>A further SIGINT: someone does not want to wait, kill everything at once.</summary>
    public Task KillRequested => _kill.Task;

    /// <summary>
    /// SIGHUP that is not the end of our terminal: reload the configuration. One that comes during a reload asks for another; those that
    /// come before that one begins are answered by it. Ends when this object is disposed of.
    /// </summary>
    public IAsyncEnumerable<PosixSignal> ReloadsRequested => _reloads.Reader.ReadAllAsync();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _reloads.Writer.TryComplete();
    }

    // When a shell ends, the signal comes a moment before the terminal is taken from those that it started.
    private async Task TakeHangUpAsync(Func<bool> isTerminalGone)
    {
        if (!isTerminalGone())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(PlatformLimits.HangUpLookMs), _time).ConfigureAwait(false);
        }

        if (isTerminalGone())
        {
            _stop.TrySetResult("SIGHUP, the terminal was closed");
        }
        else
        {
            _reloads.Writer.TryWrite(PosixSignal.SIGHUP);
        }
    }

    /// <summary>A signal has come. One that was inherited as ignored, as a shell does to what it starts with &amp;, never comes.</summary>
    internal void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        switch (context.Signal)
        {
            case PosixSignal.SIGHUP when _isTerminalGone is not null:
                _ = TakeHangUpAsync(_isTerminalGone);
                break;
            case PosixSignal.SIGHUP:
                _reloads.Writer.TryWrite(context.Signal);
                break;
            case PosixSignal.SIGINT when Interlocked.Increment(ref _interrupts) > 1:
                _stop.TrySetResult("SIGINT");
                _kill.TrySetResult();
                break;
            default:
                _stop.TrySetResult(context.Signal == PosixSignal.SIGINT ? "SIGINT" : "SIGTERM");
                break;
        }
    }
}
