namespace Spawngate.Platform;

/// <summary>Variables that are meant for this process alone: no child gets them, unless its own table sets them.</summary>
internal static class OwnVariables
{
    /// <summary>The token of the admin API, for commands that call it. Whoever has it may start and stop every backend.</summary>
    public const string AdminToken = "SPAWNGATE_ADMIN_TOKEN";

    /// <summary>Which gateway this is among those that share a container engine; a gateway that runs as a backend is another.</summary>
    public const string Instance = "SPAWNGATE_INSTANCE";

    /// <summary>All that children do not inherit.</summary>
    public static readonly HashSet<string> Withheld = [AdminToken, Instance, .. SupervisorVariables.Withheld];
}
