using System.Diagnostics.CodeAnalysis;

namespace Spawngate.Protocols.Toml;

/// <summary>A key of a table and what it holds.</summary>
/// <param name="Name">The key, unquoted.</param>
/// <param name="Position">Where the key was first written.</param>
/// <param name="Value">Its value.</param>
public sealed record TomlEntry(string Name, TomlPosition Position, TomlValue Value);

/// <summary>How a table came to be; TOML lets each kind be added to by different notations.</summary>
internal enum TomlTableOrigin
{
    /// <summary>Only passed through by the header of a table below it; a header of its own may still come.</summary>
    Implicit,

    /// <summary>By its own <c>[header]</c> or <c>[[header]]</c>, or the root.</summary>
    Header,

    /// <summary>By a dotted key; only dotted keys of the same table may add to it.</summary>
    DottedKey,

    /// <summary>Written as <c>{ … }</c>; closed for good.</summary>
    Inline,
}

/// <summary>A table: keys and values in file order.</summary>
public sealed class TomlTable : TomlValue
{
    private readonly OrderedDictionary<string, TomlEntry> _entries = new(StringComparer.Ordinal);

    internal TomlTable(TomlPosition position, TomlTableOrigin origin) : base(position)
    {
        Origin = origin;
        HeaderPosition = position;
    }

    /// <summary>The keys with their values, in file order.</summary>
    public IReadOnlyList<TomlEntry> Entries => _entries.Values;

    /// <summary>Where the table's own header stands, or its first mention if it has none.</summary>
    public TomlPosition HeaderPosition { get; private set; }

    /// <summary>Whether a statement of this table could not be read: keys may seem to be missing that are in the text.</summary>
    public bool IsIncomplete { get; internal set; }

    /// <inheritdoc/>
    public override string Kind => "a table";

    internal TomlTableOrigin Origin { get; private set; }

    /// <summary>Finds a key.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out TomlEntry? entry) => _entries.TryGetValue(name, out entry);

    internal void Add(TomlEntry entry) => _entries.Add(entry.Name, entry);

    internal void DefineByHeader(TomlPosition position)
    {
        Origin = TomlTableOrigin.Header;
        HeaderPosition = position;
    }

    internal void DefineByDottedKey() => Origin = TomlTableOrigin.DottedKey;
}
