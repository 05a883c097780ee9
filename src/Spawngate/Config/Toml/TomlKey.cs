namespace Spawngate.Config.Toml;

/// <summary>One part of a dotted key.</summary>
/// <param name="Name">The part, unquoted.</param>
/// <param name="Position">Where it stands.</param>
internal readonly record struct TomlKeyPart(string Name, TomlPosition Position);

/// <summary>A key as written, of one or more parts. Only dotted ones, which are few, need an array.</summary>
internal readonly struct TomlKey
{
    private readonly TomlKeyPart[]? _before;

    private TomlKey(TomlKeyPart[]? before, TomlKeyPart last)
    {
        _before = before;
        Last = last;
    }

    /// <summary>Whether it has no part yet.</summary>
    public bool IsEmpty => Last.Name is null;

    /// <summary>Number of parts.</summary>
    public int Count => IsEmpty ? 0 : (_before?.Length ?? 0) + 1;

    /// <summary>The last part.</summary>
    public TomlKeyPart Last { get; }

    /// <summary>A part, from the first on.</summary>
    public TomlKeyPart this[int index] => index == Count - 1 ? Last : _before![index];

    /// <summary>The key with one more part.</summary>
    public TomlKey With(TomlKeyPart part) => new(IsEmpty ? null : [.. _before ?? [], Last], part);

    /// <summary>Its full path inside <paramref name="parent"/>, as TOML writes it.</summary>
    public string PathIn(string parent)
    {
        for (var i = 0; i < Count; i++)
        {
            parent = TomlKeyPath.Append(parent, this[i].Name);
        }

        return parent;
    }
}
