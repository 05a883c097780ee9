using System.Text.Json;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Takes from a document what is there, and nothing from what is not as it should be. In plain loops: LINQ over the values of a document
/// costs the executable some hundred KB.
/// </summary>
internal static class JsonParts
{
    /// <summary>A member that is there and not null; null otherwise.</summary>
    public static JsonElement? Part(this JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    /// <summary>A member that is a text; null otherwise.</summary>
    public static string? Text(this JsonElement json, string name) =>
        json.Part(name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>A member that is a whole number; 0 otherwise.</summary>
    public static long Whole(this JsonElement json, string name) =>
        json.Part(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) ? number : 0;

    /// <summary>The texts in a member that is a list; null without one.</summary>
    public static IReadOnlyList<string>? Texts(this JsonElement json, string name)
    {
        if (json.Part(name) is not { ValueKind: JsonValueKind.Array } list)
        {
            return null;
        }

        List<string> texts = [];
        foreach (var each in list.EnumerateArray())
        {
            if (each.ValueKind == JsonValueKind.String)
            {
                texts.Add(each.GetString()!);
            }
        }

        return texts;
    }

    /// <summary>The members of a member; none without one.</summary>
    public static JsonElement.ObjectEnumerator Fields(this JsonElement json, string name) =>
        json.Part(name) is { ValueKind: JsonValueKind.Object } value ? value.EnumerateObject() : default;

    /// <summary>The texts among the members of a member.</summary>
    public static IReadOnlyDictionary<string, string> TextsByName(this JsonElement json, string name)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in json.Fields(name))
        {
            if (field.Value.ValueKind == JsonValueKind.String)
            {
                texts[field.Name] = field.Value.GetString()!;
            }
        }

        return texts;
    }

    /// <summary>Writes a list of texts; nothing for null.</summary>
    public static void WriteTexts(this Utf8JsonWriter json, string name, IReadOnlyList<string>? texts)
    {
        if (texts is null)
        {
            return;
        }

        json.WriteStartArray(name);
        foreach (var text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
