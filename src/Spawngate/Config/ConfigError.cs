using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>One thing wrong with a configuration file.</summary>
/// <param name="File">The file as the user named it.</param>
/// <param name="Position">Line and column, counted from 1.</param>
/// <param name="KeyPath">The key's full path; empty where the error belongs to no key.</param>
/// <param name="Message">What was found and what is allowed.</param>
internal sealed record ConfigError(string File, TomlPosition Position, string KeyPath, string Message)
{
    /// <summary><c>file:line:column: full.key.path: message</c>, as editors and terminals make it clickable.</summary>
    public override string ToString() => KeyPath.Length == 0 ? $"{File}:{Position}: {Message}" : $"{File}:{Position}: {KeyPath}: {Message}";
}

/// <summary>A configuration, or all that is wrong with it.</summary>
/// <param name="Config">The configuration; null when there are errors.</param>
/// <param name="Errors">All errors in file order; empty when there is a configuration.</param>
internal sealed record ConfigLoadResult(GatewayConfig? Config, IReadOnlyList<ConfigError> Errors);
