namespace Spawngate.Config.Toml;

/// <summary>One thing wrong with a TOML text.</summary>
/// <param name="Position">Where.</param>
/// <param name="KeyPath">The full path of the key it belongs to, written as TOML writes it; empty where no key was recognised.</param>
/// <param name="Message">A sentence: what was found, what is allowed.</param>
internal sealed record TomlError(TomlPosition Position, string KeyPath, string Message);

/// <summary>What a TOML text holds: all of it when there are no errors, else what could be read around them.</summary>
/// <param name="Root">The top-level table.</param>
/// <param name="Errors">All errors by position; empty for a valid text.</param>
internal sealed record TomlDocument(TomlTable Root, IReadOnlyList<TomlError> Errors)
{
    /// <summary>Whether the text is valid TOML 1.1.</summary>
    public bool IsValid => Errors.Count == 0;
}
