using System.Runtime.InteropServices;
using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX"), NonParallelizable]
internal sealed class SignalsTests
{
    private const int Hangup = 1,
        Pipe = 13,
        Terminate = 15;

    private readonly SemaphoreSlim _arrived = new(0);
    private PosixSignalRegistration[] _besides = [];

    [SetUp]
    public void ListenBesides() =>
        _besides = [
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnArrived),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnArrived),
        ];

    [TearDown]
    public void StopListening() => Array.ForEach(_besides, static each => each.Dispose());

    [OneTimeTearDown]
    public void DisposeSemaphore() => _arrived.Dispose();

    [Test]
    public async Task Each_signal_asks_for_its_own()
    {
        using var signals = new Signals();
        await using var reloads = signals.ReloadsRequested.GetAsyncEnumerator();
        var reload = reloads.MoveNextAsync().AsTask();
        await SendAsync(Hangup);
        Assert.That(await reload.WaitAsync(PlatformScene.Patience), Is.True);
        Assert.That(signals.StopRequested.IsCompleted, Is.False);
        await SendAsync(Terminate);
        Assert.That(await signals.StopRequested.WaitAsync(PlatformScene.Patience), Is.EqualTo("SIGTERM"));
        Kill(Pipe); // Ignored: the test is still here.
        Assert.That(signals.KillRequested.IsCompleted, Is.False);
    }

    [TestCase(false, false, ExpectedResult = "reload")]
    [TestCase(true, true, ExpectedResult = "SIGHUP, the terminal was closed")]
    [TestCase(false, true, ExpectedResult = "SIGHUP, the terminal was closed", Description = "a moment after the signal")]
    public async Task<string> A_hang_up_of_the_terminal_stops_and_any_other_reloads(bool isGoneAtOnce, bool isGoneThen)
    {
        int looks = 0;
        using var signals = new Signals(() => looks++ == 0 ? isGoneAtOnce : isGoneThen);
        var reloads = signals.ReloadsRequested.GetAsyncEnumerator();
        var reload = reloads.MoveNextAsync().AsTask();
        await SendAsync(Hangup);
        Task first = await Task.WhenAny(signals.StopRequested, reload).WaitAsync(PlatformScene.Patience);
        string told = first == reload ? "reload" : await signals.StopRequested;
        signals.Dispose();
        await reload;
        await reloads.DisposeAsync();
        return told;
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
        await SendAsync(Hangup);
        await SendAsync(Hangup);
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

    /// <summary>Until it has arrived: once nobody listens any more, it would end the process.</summary>
    private async Task SendAsync(int signal)
    {
        Kill(signal);
        Assert.That(await _arrived.WaitAsync(PlatformScene.Patience));
    }

    private void OnArrived(PosixSignalContext context)
    {
        context.Cancel = true;
        _arrived.Release();
    }

    private static void Kill(int signal) => Assert.That(Libc.Kill(Environment.ProcessId, signal), Is.Zero);
}
