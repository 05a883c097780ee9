using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Finds every process that descends from a test, by a variable of its environment, and sends signals.</summary>
internal static partial class ProcessScan
{
    /// <summary>Numbers of the signals used here; they are the same on all Linux platforms.</summary>
    public const int Hup = 1,
        Int = 2,
        Kill = 9,
        Term = 15,
        Stop = 19,
        Continue = 18;

    /// <summary>Process ids whose environment contains the marker; zombies have no environment and are not found.</summary>
    public static List<int> Find(string marker)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(marker);
        var found = new List<int>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && Contains(folder, wanted)
            )
            {
                found.Add(pid);
            }
        }

        return found;
    }

    /// <summary>Sends a signal; a process that has ended already is no error.</summary>
    public static void Signal(int pid, int signal) => _ = SendSignal(pid, signal);

    /// <summary>
    /// Sends SIGSTOP and waits until it holds: the signal is sent at once, but threads that run or wait for a processor stop one after the
    /// other.
    /// </summary>
    public static async Task FreezeAsync(int pid)
    {
        Signal(pid, Stop);
        long begun = Stopwatch.GetTimestamp();
        while (!Directory.EnumerateDirectories($"/proc/{pid}/task").All(static thread => StatOf($"{thread}/stat") is null or ["T", ..]))
        {
            Assert.That(Stopwatch.GetElapsedTime(begun), Is.LessThan(Patience.Default), "all threads stop");
            await Task.Yield();
        }
    }

    /// <summary>Command line of a process, for messages.</summary>
    public static string CommandLine(int pid)
    {
        try
        {
            return $"{pid} [{File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ').Trim()}]";
        }
        catch (IOException)
        {
            return $"{pid} [gone]";
        }
    }

    /// <summary>Whether a process is the guard of a gateway.</summary>
    public static bool IsGuard(int pid) =>
        System.Text.RegularExpressions.Regex.IsMatch(CommandLine(pid), @"spawngate(\.dll)? guard \d+\]$");

    /// <summary>The children of a process with the letter of their state (Z for zombies).</summary>
    public static List<(int Pid, char State)> ChildrenOf(int parent)
    {
        var found = new List<(int, char)>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && StatOf($"/proc/{pid}/stat") is { } stat
                && stat[1] == parent.ToString(CultureInfo.InvariantCulture)
            )
            {
                found.Add((pid, stat[0][0]));
            }
        }

        return found;
    }

    // State, parent and what follows: the fields after the name, which may have blanks and brackets of its own.
    private static string[]? StatOf(string file)
    {
        try
        {
            string text = File.ReadAllText(file);
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Waits until none of the processes with the marker lives any more; returns those that outlast the limit.</summary>
    public static async Task<List<int>> OutlastingAsync(string marker, TimeSpan limit)
    {
        long deadline = Stopwatch.GetTimestamp() + (long)(limit.TotalSeconds * Stopwatch.Frequency);
        while (true)
        {
            List<int> alive = Find(marker);
            if (alive.Count == 0 || Stopwatch.GetTimestamp() > deadline)
            {
                return alive;
            }

            using var tick = new PeriodicTimer(Patience.Look);
            await tick.WaitForNextTickAsync();
        }
    }

    /// <summary>Bytes of memory that the process has resident.</summary>
    public static long ResidentBytes(int pid) => StatusBytes(pid, "VmRSS:");

    /// <summary>The most that it ever had resident.</summary>
    public static long PeakResidentBytes(int pid) => StatusBytes(pid, "VmHWM:");

    private static long StatusBytes(int pid, string field)
    {
        string line = File.ReadLines($"/proc/{pid}/status").First(each => each.StartsWith(field, StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }

    private static bool Contains(string folder, byte[] wanted)
    {
        try
        {
            return File.ReadAllBytes(Path.Combine(folder, "environ")).AsSpan().IndexOf(wanted) >= 0;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
