namespace Spawngate.Config.Toml;

/// <summary>A place in a TOML text.</summary>
/// <param name="Line">Line, counted from 1.</param>
/// <param name="Column">Column in characters (Unicode scalar values), counted from 1.</param>
internal readonly record struct TomlPosition(int Line, int Column) : IComparable<TomlPosition>
{
    /// <summary>Orders by line, then column.</summary>
    public int CompareTo(TomlPosition other) => Line != other.Line ? Line.CompareTo(other.Line) : Column.CompareTo(other.Column);

    /// <summary><c>line:column</c>.</summary>
    public override string ToString() => $"{Line}:{Column}";
}
