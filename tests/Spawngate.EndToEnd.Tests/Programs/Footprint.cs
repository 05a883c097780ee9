using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>
/// The processes of one run of a program, by number and time of start. They are found by descent from the gateway, to which orphans fall
/// back: some programs clear or overwrite their environment.
/// </summary>
internal sealed class Footprint
{
    private readonly List<(int Pid, string Started)> _processes;

    private Footprint(List<(int, string)> processes) => _processes = processes;

    /// <summary>How many there are.</summary>
    public int Count => _processes.Count;

    /// <summary>Takes down who runs below a gateway now.</summary>
    public static Footprint Below(GatewayProcess gateway)
    {
        var found = new List<(int, string)>();
        var parents = new Queue<int>([gateway.Pid]);
        while (parents.TryDequeue(out int parent))
        {
            foreach (var (pid, state) in ProcessScan.ChildrenOf(parent))
            {
                if (state != 'Z' && !ProcessScan.IsGuard(pid) && Started(pid) is { } started)
                {
                    found.Add((pid, started));
                    parents.Enqueue(pid);
                }
            }
        }

        return new Footprint(found);
    }

    /// <summary>Those that still run, with their command lines.</summary>
    public List<string> Running() =>
        [.. _processes.Where(each => Started(each.Pid) == each.Started).Select(each => ProcessScan.CommandLine(each.Pid))];

    /// <summary>Waits until none of them runs any more.</summary>
    public Task GoneAsync(GatewayProcess gateway) =>
        gateway.UntilAsync("all processes of the program are gone", () => Task.FromResult(Running().Count == 0));

    // The time of start is the 22nd field; those after the name begin with the third. A zombie runs no more.
    private static string? Started(int pid)
    {
        try
        {
            string text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] == "Z" ? null : fields[22 - 3];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
