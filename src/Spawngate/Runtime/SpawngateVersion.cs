using System.Reflection;

namespace Spawngate.Runtime;

/// <summary>The version of this build, as <c>--version</c> and the admin API show it.</summary>
internal static class SpawngateVersion
{
    /// <summary>Name of the program.</summary>
    public const string Name = "spawngate";

    /// <summary>For example <c>0.1.0</c>; set in Directory.Build.props.</summary>
    public static string Text { get; } =
        typeof(SpawngateVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
