namespace Spawngate.Config.Toml;

/// <summary>A value of a TOML text.</summary>
/// <param name="position">Where it begins.</param>
internal abstract class TomlValue(TomlPosition position)
{
    /// <summary>Where the value begins.</summary>
    public TomlPosition Position { get; } = position;

    /// <summary>What kind of value it is, with its article, for messages: <c>a string</c>, <c>an integer</c>.</summary>
    public abstract string Kind { get; }
}

/// <summary>A string of any of the four notations, unescaped.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="value">The text.</param>
internal sealed class TomlString(TomlPosition position, string value) : TomlValue(position)
{
    /// <summary>The text.</summary>
    public string Value { get; } = value;

    /// <inheritdoc/>
    public override string Kind => "a string";
}

/// <summary>A whole number.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="value">The number.</param>
internal sealed class TomlInteger(TomlPosition position, long value) : TomlValue(position)
{
    /// <summary>The number.</summary>
    public long Value { get; } = value;

    /// <inheritdoc/>
    public override string Kind => "an integer";
}

/// <summary>A floating-point number, infinities and NaN included.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="value">The number.</param>
internal sealed class TomlFloat(TomlPosition position, double value) : TomlValue(position)
{
    /// <summary>The number.</summary>
    public double Value { get; } = value;

    /// <inheritdoc/>
    public override string Kind => "a float";
}

/// <summary><c>true</c> or <c>false</c>.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="value">The truth value.</param>
internal sealed class TomlBoolean(TomlPosition position, bool value) : TomlValue(position)
{
    /// <summary>The truth value.</summary>
    public bool Value { get; } = value;

    /// <inheritdoc/>
    public override string Kind => "a boolean";
}

/// <summary>A date, a time or both, checked against the calendar and kept as text: no key takes one.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="kind">What it is, with its article.</param>
/// <param name="text">RFC 3339 text (of the parts that are there), with upper-case <c>T</c> and <c>Z</c>.</param>
internal sealed class TomlDateTime(TomlPosition position, string kind, string text) : TomlValue(position)
{
    /// <summary>RFC 3339 text (of the parts that are there), with upper-case <c>T</c> and <c>Z</c>.</summary>
    public string Text { get; } = text;

    /// <inheritdoc/>
    public override string Kind { get; } = kind;
}

/// <summary>An array, or the tables of a <c>[[name]]</c>.</summary>
/// <param name="position">Where it begins.</param>
/// <param name="isArrayOfTables">Whether <c>[[name]]</c> headers make it; only then may later headers add to it.</param>
internal sealed class TomlArray(TomlPosition position, bool isArrayOfTables) : TomlValue(position)
{
    private readonly List<TomlValue> _items = [];

    /// <summary>The elements in file order.</summary>
    public IReadOnlyList<TomlValue> Items => _items;

    /// <summary>Whether <c>[[name]]</c> headers made it.</summary>
    public bool IsArrayOfTables { get; } = isArrayOfTables;

    /// <inheritdoc/>
    public override string Kind => IsArrayOfTables ? "an array of tables" : "an array";

    /// <summary>Adds an element.</summary>
    public void Add(TomlValue item) => _items.Add(item);
}
