using System.Globalization;
using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>Lines of <c>spawngate check</c>: a key and its value each, aligned.</summary>
/// <param name="to">Where they are written.</param>
internal sealed class ConfigLines(TextWriter to)
{
    /// <summary>Aligns the = of the longest key, <c>ready_health_check_interval_ms</c>.</summary>
    private const int KeyColumns = 30;

    /// <summary>A number.</summary>
    public void Line(string key, int value) => Line(key, Number(value));

    /// <summary>
    /// A value as TOML writes it, see <see cref="Quoted"/>. One that is only a comment means that the key is not set; the whole line is
    /// then a comment.
    /// </summary>
    public void Line(string key, string value) =>
        to.WriteLine(value.StartsWith('#') ? $"# {key.PadRight(KeyColumns - 2)}   {value[2..]}" : $"{key.PadRight(KeyColumns)} = {value}");

    /// <summary>A line as it is.</summary>
    public void Text(string line) => to.WriteLine(line);

    /// <summary>An empty line.</summary>
    public void Gap() => to.WriteLine();

    /// <summary>A number as TOML writes it.</summary>
    public static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>An array of strings.</summary>
    public static string List(IEnumerable<string> items) => $"[{string.Join(", ", items.Select(Quoted))}]";

    /// <summary>A string.</summary>
    public static string Quoted(string text) => TomlKeyPath.QuoteText(text);
}
