using System.Globalization;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>What a process holds of the machine at one moment, as the kernel counts it.</summary>
/// <param name="Descriptors">Open descriptors.</param>
/// <param name="Threads">Threads.</param>
/// <param name="Zombies">Children that have ended and were not reaped.</param>
/// <param name="ResidentBytes">Resident memory.</param>
/// <param name="CpuMs">Processor time used so far, in user and kernel mode.</param>
internal sealed record ProcessVitals(int Descriptors, int Threads, int Zombies, long ResidentBytes, long CpuMs)
{
    private const int MsPerTick = 10; // USER_HZ is 100 on every Linux platform.
    private const int State = 0,
        ParentPid = 1,
        UserTime = 11,
        KernelTime = 12; // Fields of /proc/PID/stat behind the name.

    /// <summary>Reads them.</summary>
    public static ProcessVitals Of(int pid)
    {
        string[] stat = Stat(pid)!;
        return new ProcessVitals(
            Directory.GetFileSystemEntries($"/proc/{pid}/fd").Length,
            Directory.GetDirectories($"/proc/{pid}/task").Length,
            ZombiesOf(pid),
            ProcessScan.ResidentBytes(pid),
            MsPerTick * (Number(stat[UserTime]) + Number(stat[KernelTime]))
        );
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Descriptors} descriptors, {Threads} threads, {Zombies} zombies, {ResidentBytes / 1e6:F1} MB, {CpuMs} ms of CPU";

    private static int ZombiesOf(int pid)
    {
        int count = 0;
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int child)
                && Stat(child) is { } stat
                && stat[State] == "Z"
                && Number(stat[ParentPid]) == pid
            )
            {
                count++;
            }
        }

        return count;
    }

    /// <summary>The fields behind the name, which may itself contain spaces and brackets; null when the process is gone.</summary>
    private static string[]? Stat(int pid)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{pid}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
