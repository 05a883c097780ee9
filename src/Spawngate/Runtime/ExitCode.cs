namespace Spawngate.Runtime;

/// <summary>Exit codes of the program.</summary>
internal static class ExitCode
{
    /// <summary>Clean stop, or the command did what it says.</summary>
    public const int Success = 0;

    /// <summary>It could not run: a port is taken, the gateway is not reachable.</summary>
    public const int CannotRun = 1;

    /// <summary>Bad usage or configuration.</summary>
    public const int Usage = 2;
}
