using System.Globalization;
using Spawngate.Config;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Workloads.Processes;

/// <summary>What of a local backend is set as a service manager does it: the keys that are named after those of a systemd unit.</summary>
internal sealed record UnitSettings
{
    /// <summary>Nothing of it.</summary>
    public static readonly UnitSettings None = new();

    /// <summary>Whether the program is started with a listening socket (<c>listen = "fd"</c>).</summary>
    public bool PassesSocket { get; init; }

    /// <summary>Name or number of the user it runs as; null for our own.</summary>
    public string? User { get; init; }

    /// <summary>Name or number of its group; null for that of the user.</summary>
    public string? Group { get; init; }

    /// <summary>File of variables; null for none.</summary>
    public string? EnvFile { get; init; }

    /// <summary>Whether that file may be missing.</summary>
    public bool IsEnvFileOptional { get; init; }

    /// <summary>Memory that it and all that it starts may have, in bytes; null for no limit.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Processor time for all of it, in billionths of a core; null for no limit.</summary>
    public long? NanoCpus { get; init; }

    /// <summary>How nice it is, -20 to 19; null for as nice as we are.</summary>
    public int? Nice { get; init; }

    /// <summary>Permissions that its files do not get, in octal digits; null for ours.</summary>
    public string? Umask { get; init; }

    /// <summary>Whether it needs a control group of its own.</summary>
    public bool NeedsControlGroup => MemoryBytes is not null || NanoCpus is not null;

    /// <summary>The memory limit as people write it.</summary>
    public string MemoryText =>
        MemoryBytes switch
        {
            null => "none",
            { } bytes when bytes % (1 << 30) == 0 => Number(bytes >> 30) + "g",
            { } bytes when bytes % (1 << 20) == 0 => Number(bytes >> 20) + "m",
            { } bytes when bytes % (1 << 10) == 0 => Number(bytes >> 10) + "k",
            { } bytes => Number(bytes) + "b",
        };

    /// <summary>Writes the keys for <c>spawngate check</c>.</summary>
    public void Print(ConfigLines to)
    {
        to.Line(UnitKeys.Listen, PassesSocket ? Quoted(UnitKeys.ListenFd) : "# on $PORT, by itself");
        to.Line(UnitKeys.User, User is null ? "# that of Spawngate" : Quoted(User));
        to.Line(
            UnitKeys.Group,
            Group is not null ? Quoted(Group)
                : User is null ? "# that of Spawngate"
                : "# that of the user"
        );
        to.Line(UnitKeys.EnvFile, EnvFile is null ? "# none" : Quoted(IsEnvFileOptional ? $"-{EnvFile}" : EnvFile));
        to.Line(UnitKeys.Memory, MemoryBytes is null ? "# no limit" : Quoted(MemoryText));
        to.Line(
            UnitKeys.Cpus,
            NanoCpus is { } nano ? Quoted((nano / 1e9m).ToString("0.0########", CultureInfo.InvariantCulture)) : "# no limit"
        );
        to.Line(UnitKeys.Nice, Nice is { } nice ? Number(nice) : "# that of Spawngate");
        to.Line(UnitKeys.Umask, Umask is null ? "# that of Spawngate" : Quoted(Umask));
    }
}
