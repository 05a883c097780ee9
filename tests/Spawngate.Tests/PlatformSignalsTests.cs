using Spawngate.Platform;

namespace Spawngate.Tests;

internal sealed class PlatformSignalsTests
{
    [Test, Platform("Linux,MacOsX")]
    public async Task Signals_become_events()
    {
        using var signals = new Signals();
        var stop = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var interrupted = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var kill = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reload = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        signals.StopRequested += name => (name == "SIGTERM" ? stop : interrupted).TrySetResult(name);
        signals.KillRequested += () => kill.TrySetResult();
        signals.ReloadRequested += () => reload.TrySetResult();

        Send(1);
        await reload.Task.WaitAsync(PlatformScene.Patience);
        Send(15);
        await stop.Task.WaitAsync(PlatformScene.Patience);
        Assert.That(kill.Task.IsCompleted, Is.False);
        Send(2);
        await interrupted.Task.WaitAsync(PlatformScene.Patience);
        Assert.That(kill.Task.IsCompleted, Is.False);
        Send(2);
        await kill.Task.WaitAsync(PlatformScene.Patience);
        Send(13); // Ignored: the test is still here.

        static void Send(int signal) => Assert.That(Libc.Kill(Environment.ProcessId, signal), Is.Zero);
    }
}
