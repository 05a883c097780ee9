using System.Diagnostics;
using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Signals that come while the gateway starts: as soon as they do not end the process, they are answered.</summary>
[Platform("Linux")]
internal sealed class SignalTests : GatewayTest
{
    [Test, Repeat(5)]
    public async Task A_stop_asked_for_during_the_start_happens([Values(ProcessScan.Term, ProcessScan.Int)] int signal)
    {
        GatewayProcess gateway = Scene.Launch(new ConfigFile().TestBackend(Host));
        await CatchesAsync(gateway.Pid, signal);
        gateway.Signal(signal);
        int code = await gateway.ExitAsync();
        if (code == 128 + signal && !Executables.GatewayIsNative)
        {
            return; // The runtime that hosts it catches these signals from the beginning, and ends the process.
        }

        Assert.That(code, Is.Zero);
        Assert.That(
            gateway.LogText,
            Is.Empty.Or.Contains($"reason=\"{(signal == ProcessScan.Term ? "SIGTERM" : "SIGINT")}\""),
            "nothing had begun, or it has been ended in order"
        );
    }

    [Test, Repeat(5)]
    public async Task A_reload_asked_for_during_the_start_happens_after_it()
    {
        GatewayProcess gateway = Scene.Launch(new ConfigFile().TestBackend(Host));
        await CatchesAsync(gateway.Pid, ProcessScan.Hup);
        gateway.Signal(ProcessScan.Hup);
        await gateway.LogsAsync("Configuration reloaded");
        Assert.That(
            gateway.LogText.IndexOf("Proxy is listening", StringComparison.Ordinal),
            Is.InRange(0, gateway.LogText.IndexOf("Configuration reloaded", StringComparison.Ordinal))
        );
    }

    [Test]
    public async Task A_stop_does_not_wait_for_a_file_that_never_comes()
    {
        string pipe = Path.Combine(Scene.Folder, "config.pipe");
        Assert.That((await Tool.RunAsync("mkfifo", pipe)).Code, Is.Zero);
        using Process process = Process.Start(GatewayProcess.StartInfo([pipe], Scene.Folder, Scene.Environment))!;
        await CatchesAsync(process.Id, ProcessScan.Hup);
        ProcessScan.Signal(process.Id, ProcessScan.Term);
        await process.WaitForExitAsync().InTimeAsync("exit");
        Assert.That(process.ExitCode, Executables.GatewayIsNative ? Is.Zero : Is.Zero.Or.EqualTo(128 + ProcessScan.Term));
    }

    // Without a pause between two looks: what is tested lasts for milliseconds.
    private static async Task CatchesAsync(int pid, int signal)
    {
        long begun = Stopwatch.GetTimestamp();
        while (!Catches(pid, signal))
        {
            Assert.That(Stopwatch.GetElapsedTime(begun), Is.LessThan(Patience.Default), "handles the signal");
            await Task.Yield();
        }
    }

    private static bool Catches(int pid, int signal)
    {
        string line = File.ReadLines($"/proc/{pid}/status").First(static each => each.StartsWith("SigCgt:", StringComparison.Ordinal));
        return (ulong.Parse(line["SigCgt:".Length..].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) >> (signal - 1) & 1)
            == 1;
    }
}
