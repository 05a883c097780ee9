using System.Globalization;
using System.Text;

namespace Spawngate.Diagnostics;

/// <summary>Takes a message of the logging library apart: log templates of this program begin with their fields, <c>hostname="{Hostname}" … sentence</c>, which in JSON are properties.</summary>
internal static class LogTemplate
{
    private const string OriginalFormat = "{OriginalFormat}";

    /// <summary>Finds the properties of a message.</summary>
    /// <param name="values">What the logging library gives: values by the names of their placeholders, and the template.</param>
    /// <param name="message">The formatted message; afterwards without the fields at its beginning.</param>
    /// <returns>Names, as a log line spells them, and values.</returns>
    public static List<(string Name, object? Value)> Split(IReadOnlyList<KeyValuePair<string, object?>> values, ref string message)
    {
        var properties = new List<(string, object?)>(values.Count);
        string template = values.LastOrDefault(static value => value.Key == OriginalFormat).Value as string ?? "";
        var taken = new HashSet<string>(StringComparer.Ordinal);
        while (TryReadField(template, out string name, out string content))
        {
            bool isPlaceholder = content.StartsWith('{') && content.EndsWith('}');
            object? value = isPlaceholder ? values.FirstOrDefault(value => value.Key == content[1..^1]).Value : content;
            string shown = $"{name}=\"{Convert.ToString(value, CultureInfo.InvariantCulture) ?? "(null)"}\" ";
            if (!message.StartsWith(shown, StringComparison.Ordinal))
            {
                break;
            }

            message = message[shown.Length..];
            template = template[(name.Length + content.Length + 4)..];
            taken.Add(isPlaceholder ? content[1..^1] : "");
            properties.Add((name, value));
        }

        foreach (var value in values)
        {
            if (value.Key != OriginalFormat && taken.Add(value.Key))
            {
                properties.Add((SnakeCase(value.Key), value.Value));
            }
        }

        return properties;
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
