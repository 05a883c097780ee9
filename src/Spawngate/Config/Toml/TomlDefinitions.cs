namespace Spawngate.Config.Toml;

/// <summary>
/// The rules of what may be defined where: no key twice, no table twice, nothing added to what is closed. Each method
/// gives null, or the table it found with no error, or the error with its place.
/// </summary>
internal static class TomlDefinitions
{
    /// <summary>Defines the table of a <c>[header]</c> (or the next one of a <c>[[header]]</c>).</summary>
    public static TomlTable? DefineTable(TomlTable root, in TomlKey key, bool isArray, TomlPosition position, out TomlError? error)
    {
        var parent = root;
        for (var i = 0; i < key.Count - 1; i++)
        {
            var next = EnterForHeader(parent, key[i], out error);
            if (next is null)
            {
                return null;
            }

            parent = next;
        }

        return isArray ? DefineElement(parent, key.Last, position, out error) : DefineOnce(parent, key.Last, position, out error);
    }

    /// <summary>The table that the last part of a dotted key belongs to.</summary>
    public static TomlTable? EnterByDottedKey(TomlTable table, in TomlKey key, out TomlError? error)
    {
        error = null;
        for (var i = 0; i < key.Count - 1; i++)
        {
            var part = key[i];
            if (!table.TryGet(part.Name, out var entry))
            {
                var made = new TomlTable(part.Position, TomlTableOrigin.DottedKey);
                table.Add(new TomlEntry(part.Name, part.Position, made));
                table = made;
                continue;
            }

            if (entry.Value is not TomlTable { Origin: TomlTableOrigin.DottedKey or TomlTableOrigin.Implicit } existing)
            {
                error = CannotAdd(part, entry);
                return null;
            }

            existing.DefineByDottedKey();
            table = existing;
        }

        return table;
    }

    /// <summary>Adds a value under a key that must be new.</summary>
    public static TomlError? AddValue(TomlTable table, TomlKeyPart key, TomlValue value)
    {
        if (table.TryGet(key.Name, out var entry))
        {
            return new TomlError(key.Position, "", $"the key is already given on line {entry.Position.Line}, each key may stand once");
        }

        table.Add(new TomlEntry(key.Name, key.Position, value));
        return null;
    }

    private static TomlTable? EnterForHeader(TomlTable parent, TomlKeyPart part, out TomlError? error)
    {
        error = null;
        if (!parent.TryGet(part.Name, out var entry))
        {
            var made = new TomlTable(part.Position, TomlTableOrigin.Implicit);
            parent.Add(new TomlEntry(part.Name, part.Position, made));
            return made;
        }

        switch (entry.Value)
        {
            case TomlTable { Origin: not TomlTableOrigin.Inline } table:
                return table;
            case TomlArray { IsArrayOfTables: true } array:
                return (TomlTable)array.Items[^1];
            default:
                error = CannotAdd(part, entry);
                return null;
        }
    }

    private static TomlTable? DefineOnce(TomlTable parent, TomlKeyPart part, TomlPosition position, out TomlError? error)
    {
        error = null;
        if (!parent.TryGet(part.Name, out var entry))
        {
            var made = new TomlTable(position, TomlTableOrigin.Header);
            parent.Add(new TomlEntry(part.Name, part.Position, made));
            return made;
        }

        if (entry.Value is TomlTable { Origin: TomlTableOrigin.Implicit } implicitTable)
        {
            implicitTable.DefineByHeader(position);
            return implicitTable;
        }

        var line = entry.Value is TomlTable table ? table.HeaderPosition.Line : entry.Position.Line;
        error = new TomlError(
            part.Position,
            "",
            entry.Value is TomlTable
                ? $"the table is already defined on line {line}, each table may be defined once"
                : $"the key is already {entry.Value.Kind} on line {line}, it cannot be a table as well"
        );
        return null;
    }

    private static TomlTable? DefineElement(TomlTable parent, TomlKeyPart part, TomlPosition position, out TomlError? error)
    {
        error = null;
        if (!parent.TryGet(part.Name, out var entry))
        {
            entry = new TomlEntry(part.Name, part.Position, new TomlArray(position, isArrayOfTables: true));
            parent.Add(entry);
        }

        if (entry.Value is not TomlArray { IsArrayOfTables: true } array)
        {
            error = new TomlError(
                part.Position,
                "",
                $"the key is already {entry.Value.Kind} on line {entry.Position.Line}, it cannot be an array of tables as well"
            );
            return null;
        }

        var element = new TomlTable(position, TomlTableOrigin.Header);
        array.Add(element);
        return element;
    }

    private static TomlError CannotAdd(TomlKeyPart part, TomlEntry entry)
    {
        var what = entry.Value switch
        {
            TomlTable { Origin: TomlTableOrigin.Inline } => "an inline table, which is complete as written",
            TomlTable => "a table with a header of its own, which only that header may fill",
            _ => $"{entry.Value.Kind}, which has no keys",
        };
        return new TomlError(
            part.Position,
            "",
            $"{TomlKeyPath.Quote(part.Name)} is on line {entry.Position.Line} already {what}; nothing can be added to it here"
        );
    }
}
