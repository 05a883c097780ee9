using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;

namespace Spawngate.Tests;

internal sealed class PlatformPortsAndSignalsTests
{
    [Test]
    public void Ports_are_free_and_not_handed_out_twice_in_a_row()
    {
        var ports = new LoopbackPorts();
        int[] taken = [.. Enumerable.Range(0, 100).Select(_ => ports.Take())];
        Assert.That(taken, Is.Unique);
        using var listener = new TcpListener(IPAddress.Loopback, taken[^1]);
        Assert.That(listener.Start, Throws.Nothing);
    }

    [Test]
    public void Recent_and_reserved_ports_are_passed_over()
    {
        var answers = new Queue<int>([1000, 1000, 1001, 1002, 1003]);
        var ports = new LoopbackPorts(answers.Dequeue);
        Assert.That(ports.Take(), Is.EqualTo(1000));
        Assert.That(ports.Take(static port => port == 1001), Is.EqualTo(1002));
        Assert.That(ports.Take(), Is.EqualTo(1003));
    }

    [Test]
    public void A_system_with_one_port_left_still_gets_it()
    {
        var ports = new LoopbackPorts(static () => 1000);
        Assert.That(ports.Take(), Is.EqualTo(1000));
        Assert.That(ports.Take(), Is.EqualTo(1000));
    }

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
