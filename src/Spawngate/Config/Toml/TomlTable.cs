namespace Spawngate.Config.Toml;

/// <summary>A key of a table and what it holds.</summary>
/// <param name="Name">The key, unquoted.</param>
/// <param name="Position">Where the key was first written.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct TomlEntry(string Name, TomlPosition Position, TomlValue Value);

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
/// <param name="position">Where it begins.</param>
/// <param name="origin">How it came to be.</param>
internal sealed class TomlTable(TomlPosition position, TomlTableOrigin origin) : TomlValue(position)
{
    private TomlEntry[] _entries = [];
    private int _count;
    private Dictionary<string, int>? _index;

    /// <summary>The keys with their values, in file order.</summary>
    public ReadOnlySpan<TomlEntry> Entries => _entries.AsSpan(0, _count);

    /// <summary>Where the table's own header stands, or its first mention if it has none.</summary>
    public TomlPosition HeaderPosition { get; private set; } = position;

    /// <summary>Whether a statement of this table could not be read: keys may seem to be missing that are in the text.</summary>
    public bool IsIncomplete { get; set; }

    /// <inheritdoc/>
    public override string Kind => "a table";

    /// <summary>How it came to be.</summary>
    public TomlTableOrigin Origin { get; private set; } = origin;

    /// <summary>Finds a key.</summary>
    public bool TryGet(string name, out TomlEntry entry)
    {
        var at = IndexOf(name);
        entry = at < 0 ? default : _entries[at];
        return at >= 0;
    }

    /// <summary>Adds a key, which must be new.</summary>
    public void Add(TomlEntry entry)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(TomlLimits.TableEntriesFirst, 2 * _count));
        }

        _entries[_count] = entry;
        _index?.Add(entry.Name, _count);
        _count++;
    }

    /// <summary>Most tables hold a few keys, which are found sooner without an index; one with many gets it at the first search.</summary>
    private int IndexOf(string name)
    {
        if (_count > TomlLimits.UnindexedEntriesMax)
        {
            _index ??= MakeIndex();
            return _index.TryGetValue(name, out var found) ? found : -1;
        }

        for (var i = 0; i < _count; i++)
        {
            if (_entries[i].Name == name)
            {
                return i;
            }
        }

        return -1;
    }

    private Dictionary<string, int> MakeIndex()
    {
        var index = new Dictionary<string, int>(2 * _count, StringComparer.Ordinal);
        for (var i = 0; i < _count; i++)
        {
            index.Add(_entries[i].Name, i);
        }

        return index;
    }

    /// <summary>Notes that the header of a table came that had only been passed through.</summary>
    public void DefineByHeader(TomlPosition position)
    {
        Origin = TomlTableOrigin.Header;
        HeaderPosition = position;
    }

    /// <summary>Notes that a dotted key filled it.</summary>
    public void DefineByDottedKey() => Origin = TomlTableOrigin.DottedKey;
}
