namespace Spawngate.Protocols.Toml;

/// <summary>A value of a TOML text, with the place where it begins.</summary>
public abstract class TomlValue
{
    private protected TomlValue(TomlPosition position) => Position = position;

    /// <summary>Where the value begins.</summary>
    public TomlPosition Position { get; }

    /// <summary>What kind of value it is, with its article, for messages: <c>a string</c>, <c>an integer</c>.</summary>
    public abstract string Kind { get; }
}

/// <summary>A string of any of the four notations, unescaped.</summary>
public sealed class TomlString : TomlValue
{
    internal TomlString(TomlPosition position, string value)
        : base(position) => Value = value;

    /// <summary>The text.</summary>
    public string Value { get; }

    /// <inheritdoc/>
    public override string Kind => "a string";
}

/// <summary>A whole number.</summary>
public sealed class TomlInteger : TomlValue
{
    internal TomlInteger(TomlPosition position, long value)
        : base(position) => Value = value;

    /// <summary>The number.</summary>
    public long Value { get; }

    /// <inheritdoc/>
    public override string Kind => "an integer";
}

/// <summary>A floating-point number, infinities and NaN included.</summary>
public sealed class TomlFloat : TomlValue
{
    internal TomlFloat(TomlPosition position, double value)
        : base(position) => Value = value;

    /// <summary>The number.</summary>
    public double Value { get; }

    /// <inheritdoc/>
    public override string Kind => "a float";
}

/// <summary><c>true</c> or <c>false</c>.</summary>
public sealed class TomlBoolean : TomlValue
{
    internal TomlBoolean(TomlPosition position, bool value)
        : base(position) => Value = value;

    /// <summary>The truth value.</summary>
    public bool Value { get; }

    /// <inheritdoc/>
    public override string Kind => "a boolean";
}

/// <summary>The four date and time types of TOML.</summary>
public enum TomlDateTimeKind
{
    /// <summary>Date, time and offset from UTC.</summary>
    OffsetDateTime,

    /// <summary>Date and time without offset.</summary>
    LocalDateTime,

    /// <summary>A date alone.</summary>
    LocalDate,

    /// <summary>A time of day alone.</summary>
    LocalTime,
}

/// <summary>A date or time, checked against the calendar and kept as text.</summary>
public sealed class TomlDateTime : TomlValue
{
    internal TomlDateTime(TomlPosition position, TomlDateTimeKind dateTimeKind, string text)
        : base(position)
    {
        DateTimeKind = dateTimeKind;
        Text = text;
    }

    /// <summary>Which of the four types it is.</summary>
    public TomlDateTimeKind DateTimeKind { get; }

    /// <summary>RFC 3339 text (of the parts that are there), with upper-case <c>T</c> and <c>Z</c>.</summary>
    public string Text { get; }

    /// <inheritdoc/>
    public override string Kind =>
        DateTimeKind switch
        {
            TomlDateTimeKind.LocalDate => "a date",
            TomlDateTimeKind.LocalTime => "a time",
            _ => "a date-time",
        };
}

/// <summary>An array, or the tables of a <c>[[name]]</c>.</summary>
public sealed class TomlArray : TomlValue
{
    private readonly List<TomlValue> _items = [];

    internal TomlArray(TomlPosition position, bool isArrayOfTables)
        : base(position) => IsArrayOfTables = isArrayOfTables;

    /// <summary>The elements in file order.</summary>
    public IReadOnlyList<TomlValue> Items => _items;

    /// <summary>Whether <c>[[name]]</c> headers made it; only then may later headers add to it.</summary>
    public bool IsArrayOfTables { get; }

    /// <inheritdoc/>
    public override string Kind => IsArrayOfTables ? "an array of tables" : "an array";

    internal void Add(TomlValue item) => _items.Add(item);
}
