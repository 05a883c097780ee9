using System.Globalization;
using System.Text;
using Spawngate.Composition;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Workloads;
using Spawngate.Workloads.Processes;

namespace Spawngate.Commands;

/// <summary>
/// The guard: <c>spawngate guard PID</c>, started by the gateway with that pid and never by hand. It reads <see cref="GuardRecord"/>s from
/// its stdin and does nothing else, until the pipe ends. It shares the gateway's stderr, to which it says what it did after the gateway's
/// death.
/// </summary>
internal static class GuardProgram
{
    private const int SetName = 15; // PR_SET_NAME
    private const int Stdin = 0;
    private const int Stderr = 2;

    /// <summary>Runs the guard.</summary>
    /// <param name="arguments">What follows the subcommand.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments.Length != 1 || !int.TryParse(arguments[0], NumberStyles.None, CultureInfo.InvariantCulture, out int gateway))
        {
            Say("spawngate: guard is started by the gateway itself; a configuration file of that name is given as ./guard");
            return ExitCode.Usage;
        }

        NameThisThread();
        var list = new GuardList(static pid => ProcessTable.Find(pid)?.Start ?? 0);
        if (!ReadToEnd(list))
        {
            return ExitCode.CannotRun;
        }

        if (list.Instances.Count + list.Resources.Count > 0)
        {
            // A gateway that closes the pipe with instances left is about to exit, having given them up. As long as it lives they are its
            // own.
            AwaitEndOf(gateway);
            Task orphans = EndOrphansAsync(list.Resources, gateway, TimeProvider.System);
            EndProcesses(list.Instances, gateway, TimeProvider.System);
            await orphans.ConfigureAwait(false);
        }

        return ExitCode.Success;
    }

    // It was executed by way of /proc/self/exe, so ps and top would call it "exe".
    private static unsafe void NameThisThread()
    {
        if (Libc.IsLinux)
        {
            fixed (byte* name = "spawngate-guard\0"u8)
            {
                _ = Libc.LinuxPrctl(SetName, (nuint)name, 0, 0, 0);
            }
        }
    }

    private static unsafe bool ReadToEnd(GuardList list)
    {
        byte* buffer = stackalloc byte[CommandLimits.GuardReadBytes];
        while (true)
        {
            nint length = Libc.Read(Stdin, buffer, CommandLimits.GuardReadBytes);
            if (length == 0)
            {
                return true;
            }

            if (length > 0 ? !list.Take(new ReadOnlySpan<byte>(buffer, (int)length)) : Libc.Errno != Libc.EINTR)
            {
                return false;
            }
        }
    }

    private static void AwaitEndOf(int gateway)
    {
        while (Libc.ParentPid() == gateway)
        {
            Pause();
        }
    }

    private static async Task EndOrphansAsync(IReadOnlyList<GuardedResource> resources, int gateway, TimeProvider time)
    {
        foreach (GuardedResource resource in resources)
        {
            OrphansEnded ended = await RegisteredKinds.EndOrphansAsync(resource, time).ConfigureAwait(false);
            Log(
                time,
                $"gateway=\"{gateway}\" kind=\"{resource.Kind}\" address=\"{resource.Address}\" removed=\"{ended.Removed}\" {ended.Outcome}"
            );
        }
    }

    private static void EndProcesses(IReadOnlyDictionary<InstanceToken, GuardedInstance> instances, int gateway, TimeProvider time)
    {
        if (instances.Count == 0)
        {
            return;
        }

        long begun = time.GetTimestamp();
        Log(time, $"gateway=\"{gateway}\" runs=\"{instances.Count}\" The gateway has died: ending what it started");
        var ending = new TreeEnding(instances, 0, ProcessTable.TokenOf, Environment.ProcessId);
        var table = new List<ProcessEntry>();
        int quiet = 0,
            alive = 0;
        double nowMs = 0;
        while (quiet < CommandLimits.GuardQuietLooks && nowMs < ending.LastKillAtMs + (double)WorkloadLimits.KillWaitMs)
        {
            ReadTable(instances, table);
            nowMs = time.GetElapsedTime(begun).TotalMilliseconds;
            alive = ending.Step((long)nowMs, table, ProcessTable.Signal);
            quiet = alive == 0 ? quiet + 1 : 0;
            Pause();
        }

        Log(
            time,
            $"gateway=\"{gateway}\" killed=\"{ending.Killed}\" left=\"{alive}\" duration_ms=\"{(long)nowMs}\" "
                + "What the gateway had started has ended"
        );
    }

    private static void ReadTable(IReadOnlyDictionary<InstanceToken, GuardedInstance> instances, List<ProcessEntry> table)
    {
        table.Clear();
        ProcessTable.Read(table);
        if (ProcessTable.IsAvailable)
        {
            return;
        }

        // Without a table to read the groups are all that can be asked for.
        foreach (GuardedInstance instance in instances.Values)
        {
            if (instance.Pid != 0 && Libc.Kill(-instance.Pid, 0) == 0)
            {
                table.Add(new ProcessEntry(instance.Pid, 1, instance.Pid, instance.Pid, instance.Start, IsZombie: false));
            }
        }
    }

    private static unsafe void Pause() => _ = Libc.Poll(null, 0, CommandLimits.GuardLookMs);

    private static void Log(TimeProvider time, string message) =>
        Say(
            string.Create(CultureInfo.InvariantCulture, $"{time.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss.fff'Z'} WARN spawngate.guard: {message}")
        );

    // Only if it can be written at once: a reader that has stopped reading must not keep the guard from its work.
    private static unsafe void Say(string line)
    {
        var stderr = new Libc.PollFd { Fd = Stderr, Events = Libc.POLLOUT };
        if (Libc.Poll(&stderr, 1, 0) == 1 && stderr.Revents == Libc.POLLOUT)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
            fixed (byte* start = bytes)
            {
                _ = Libc.Write(Stderr, start, (nuint)bytes.Length);
            }
        }
    }
}
