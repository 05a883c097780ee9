using System.Runtime.InteropServices;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX"), NonParallelizable]
internal sealed class SignalsTests
{
    private const int Hangup = 1,
        Pipe = 13,
        Terminate = 15;

    [Test]
    public async Task Each_signal_asks_for_its_own()
    {
        using var signals = new Signals();
        await using var reloads = signals.ReloadsRequested.GetAsyncEnumerator();
        var reload = reloads.MoveNextAsync().AsTask();
        Send(Hangup);
        Assert.That(await reload.WaitAsync(PlatformScene.Patience), Is.True);
        Assert.That(signals.StopRequested.IsCompleted, Is.False);
        Send(Terminate);
        Assert.That(await signals.StopRequested.WaitAsync(PlatformScene.Patience), Is.EqualTo("SIGTERM"));
        Send(Pipe); // Ignored: the test is still here.
        Assert.That(signals.KillRequested.IsCompleted, Is.False);
    }

    [Test]
    public async Task The_first_interrupt_stops_and_the_second_kills()
    {
        using var signals = new Signals();
        Interrupt(signals);
        Assert.That(await signals.StopRequested.WaitAsync(PlatformScene.Patience), Is.EqualTo("SIGINT"));
        Assert.That(signals.KillRequested.IsCompleted, Is.False);
        Interrupt(signals);
        await signals.KillRequested.WaitAsync(PlatformScene.Patience);
    }

    [Test]
    public async Task What_came_before_anybody_asked_is_kept()
    {
        var signals = new Signals();
        Send(Hangup);
        Send(Hangup);
        Interrupt(signals);
        await signals.StopRequested.WaitAsync(PlatformScene.Patience);
        Interrupt(signals);
        await signals.KillRequested.WaitAsync(PlatformScene.Patience);

        // Each signal is handled on a pool thread of its own: the hang-ups may come last.
        await using var reloads = signals.ReloadsRequested.GetAsyncEnumerator();
        Assert.That(await reloads.MoveNextAsync().AsTask().WaitAsync(PlatformScene.Patience), Is.True);
        Assert.That(reloads.Current, Is.EqualTo(PosixSignal.SIGHUP));
        signals.Dispose();
        while (await reloads.MoveNextAsync().AsTask().WaitAsync(PlatformScene.Patience))
        {
            Assert.That(reloads.Current, Is.EqualTo(PosixSignal.SIGHUP), "until it ends");
        }
    }

    /// <summary>
    /// Told directly: where the tests run beside a shell, this process has inherited SIGINT as ignored, and the runtime leaves it so. The
    /// end-to-end tests send it.
    /// </summary>
    private static void Interrupt(Signals signals) => signals.OnSignal(new PosixSignalContext(PosixSignal.SIGINT));

    private static void Send(int signal) => Assert.That(Libc.Kill(Environment.ProcessId, signal), Is.Zero);
}
