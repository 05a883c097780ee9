using System.Globalization;
using System.Text;

namespace Spawngate.Logging;

/// <summary>
/// Takes a message of the logging library apart: log templates of this program begin with their fields, <c>hostname="{Hostname}" …
/// sentence</c>, which in JSON are properties.
/// </summary>
internal static class LogTemplate
{
    private const string OriginalFormat = "{OriginalFormat}";

    /// <summary>Finds the properties of a message.</summary>
    /// <param name="values">What the logging library gives: values by the names of their placeholders, and the template.</param>
    /// <param name="message">The formatted message; afterwards without the fields at its beginning.</param>
    /// <returns>Names, as a log line spells them, and values.</returns>
    public static List<LogProperty> Split(IReadOnlyList<KeyValuePair<string, object?>> values, ref string message)
    {
        var properties = new List<LogProperty>(values.Count);
        string template = ValueOf(values, OriginalFormat) as string ?? "";
        var taken = new HashSet<string>(StringComparer.Ordinal);
        while (TryReadField(template, out string name, out string content))
        {
            bool isPlaceholder = content.StartsWith('{') && content.EndsWith('}');
            object? value = isPlaceholder ? ValueOf(values, content[1..^1]) : content;
            string shown = $"{name}=\"{Text(value)}\" ";
            if (!message.StartsWith(shown, StringComparison.Ordinal))
            {
                break;
            }

            message = message[shown.Length..];
            template = template[(name.Length + content.Length + 4)..];
            taken.Add(isPlaceholder ? content[1..^1] : "");
            properties.Add(new LogProperty(name, value));
        }

        for (int i = 0; i < values.Count; i++)
        {
            var value = values[i];
            if (value.Key != OriginalFormat && taken.Add(value.Key))
            {
                properties.Add(new LogProperty(SnakeCase(value.Key), value.Value));
            }
        }

        return properties;
    }

    /// <summary>
    /// The message with the quotes and backslashes in the values of its fields escaped, so that a text from outside cannot end its field
    /// and begin another; null when there are none, and the message is good as it is.
    /// </summary>
    /// <param name="values">What the logging library gives.</param>
    public static string? Quote(IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        bool isOdd = false;
        for (int i = 0; i < values.Count && !isOdd; i++)
        {
            isOdd = values[i].Key != OriginalFormat && values[i].Value is { } value && Text(value).AsSpan().ContainsAny('"', '\\');
        }

        return isOdd && ValueOf(values, OriginalFormat) is string template ? Quote(template, values) : null;
    }

    private static string? Quote(string template, IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        var text = new StringBuilder(2 * template.Length);
        ReadOnlySpan<char> left = template;
        while (left.IndexOf('{') is var open and >= 0 && left[open..].IndexOf('}') is var length and > 0)
        {
            text.Append(left[..open]);
            string name = left.Slice(open + 1, length - 1).ToString();
            if (name.AsSpan().ContainsAny(':', ','))
            {
                return null; // With a format of its own, which only the framework's templates have; and they have no fields.
            }

            string value = Text(ValueOf(values, name));
            left = left[(open + length + 1)..];
            bool isField = text is [.., '"'] && left.StartsWith('"');
            text.Append(
                isField ? value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) : value
            );
        }

        return text.Append(left).ToString();
    }

    private static string Text(object? value) => value is null ? "(null)" : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    /// <summary>By hand: Linq over values of a struct is compiled for that struct alone, which made the executable 50 KB larger.</summary>
    private static object? ValueOf(IReadOnlyList<KeyValuePair<string, object?>> values, string key)
    {
        for (int i = 0; i < values.Count; i++)
        {
            if (values[i].Key == key)
            {
                return values[i].Value;
            }
        }

        return null;
    }

    /// <summary>Reads <c>name="{Placeholder}" </c>, or a fixed text between the quotes, at the beginning.</summary>
    private static bool TryReadField(string template, out string name, out string content)
    {
        int equals = template.IndexOf("=\"", StringComparison.Ordinal);
        int end = equals < 0 ? -1 : template.IndexOf("\" ", equals + 2, StringComparison.Ordinal);
        bool found = end >= 0 && !template.AsSpan(0, equals).Contains(' ');
        name = found ? template[..equals] : "";
        content = found ? template[(equals + 2)..end] : "";
        return found;
    }

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (char c in name)
        {
            if (char.IsAsciiLetterUpper(c) && text.Length > 0)
            {
                text.Append('_');
            }

            text.Append(char.IsAsciiLetterOrDigit(c) || c == '_' ? char.ToLowerInvariant(c) : '_');
        }

        return text.ToString();
    }
}

/// <summary>A property of a log line.</summary>
/// <param name="Name">Its name, as a log line spells it.</param>
/// <param name="Value">Its value.</param>
internal sealed record LogProperty(string Name, object? Value);
