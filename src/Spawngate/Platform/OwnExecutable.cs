namespace Spawngate.Platform;

/// <summary>How to execute this very program again.</summary>
internal static class OwnExecutable
{
    private const string Name = "spawngate";

    // Run as `dotnet spawngate.dll`, the process is the host and the program an argument of it.
    private static readonly bool IsHosted = Path.GetFileNameWithoutExtension((Environment.ProcessPath ?? Name).AsSpan())
        .Equals("dotnet", StringComparison.OrdinalIgnoreCase);

    /// <summary>The file this process was started from, as a path; another version may lie there by now.</summary>
    public static string FilePath => Environment.ProcessPath ?? Name;

    /// <summary>
    /// The program this process runs, whatever lies at its path now: the same version for certain, where the system can name it.
    /// </summary>
    public static string ImagePath => Libc.IsLinux && File.Exists("/proc/self/exe") ? "/proc/self/exe" : FilePath;

    /// <summary>The arguments that follow the program's file to call it with <paramref name="arguments"/>.</summary>
    public static IReadOnlyList<string> After(IReadOnlyList<string> arguments) =>
        IsHosted
            ? [Path.Combine(AppContext.BaseDirectory, typeof(OwnExecutable).Assembly.GetName().Name + ".dll"), .. arguments]
            : arguments;

    /// <summary>The same with the program's own name first, as argv has it.</summary>
    public static string[] Arguments(IReadOnlyList<string> arguments) => [IsHosted ? FilePath : Name, .. After(arguments)];
}
