using System.Text.Json;
using Spawngate.Config;

namespace Spawngate.Sessions;

/// <summary>What a call of <c>POST /spawn</c> asks for, read strictly: every field is known, there once, and within its bounds.</summary>
internal sealed record SpawnRequest
{
    private static readonly string[] Fields = ["template", "image", "port", "env", "gracePeriodSeconds", "key"];

    /// <summary>The template; null for none.</summary>
    public string? Template { get; init; }

    /// <summary>The image; null for that of the template.</summary>
    public string? Image { get; init; }

    /// <summary>The container's port; null for that of the template.</summary>
    public int? Port { get; init; }

    /// <summary>Variables, in the order in which they came.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Env { get; init; } = [];

    /// <summary>Seconds without use after which it is swept; null for those of the template.</summary>
    public int? GracePeriodSecs { get; init; }

    /// <summary>Its key; null for none.</summary>
    public string? Key { get; init; }

    /// <summary>
    /// The first field that a caller without the admin token may not use; null for none. Allowed are template, key and grace period.
    /// </summary>
    public string? FieldForTrusted =>
        Image is not null ? "image"
        : Port is not null ? "port"
        : Env.Count > 0 ? "env"
        : null;

    /// <summary>Reads a body; an empty one asks for nothing in particular.</summary>
    /// <returns>Null, with what is wrong with it, when it cannot be taken.</returns>
    public static SpawnRequest? Read(ReadOnlySpan<byte> body, out SpawnError? error)
    {
        try
        {
            return body.IsEmpty ? Accept(new SpawnRequest(), out error) : ReadObject(body, out error);
        }
        catch (JsonException e)
        {
            error = SpawnError.BadJson($"line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
        }
        catch (InvalidOperationException)
        {
            // The reader's word for text that is no text: bytes that are not UTF-8, halves of surrogate pairs.
            error = SpawnError.BadJson("a string in it is not Unicode text");
        }

        return null;
    }

    private static SpawnRequest Accept(SpawnRequest request, out SpawnError? error)
    {
        error = null;
        return request;
    }

    private static SpawnRequest? ReadObject(ReadOnlySpan<byte> body, out SpawnError? error)
    {
        var json = new Utf8JsonReader(body);
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            error = SpawnError.BadJson($"found {Describe(ref json)}");
            return null;
        }

        var request = new SpawnRequest();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            string field = json.GetString()!;
            json.Read();
            error = seen.Add(field) ? null : SpawnError.BadField(Short(field), "found twice, allowed is once");
            request = error is null ? request.With(field, ref json, out error) : request;
            if (error is not null)
            {
                return null;
            }
        }

        json.Read(); // Throws when anything follows.
        return Accept(request, out error);
    }

    private SpawnRequest With(string field, ref Utf8JsonReader json, out SpawnError? error)
    {
        error = null;
        bool isAbsent = json.TokenType == JsonTokenType.Null;
        switch (field)
        {
            case "template":
                return isAbsent ? this : this with { Template = Text(field, ref json, out error) };
            case "image":
                return isAbsent ? this : this with { Image = Text(field, ref json, out error, IsImage, "an image reference") };
            case "port":
                return isAbsent ? this : this with { Port = Number(field, ref json, ConfigLimits.PortMax, out error) };
            case "env":
                return isAbsent ? this : this with { Env = Variables(ref json, out error) };
            case "gracePeriodSeconds":
                return isAbsent ? this : this with { GracePeriodSecs = Number(field, ref json, ConfigLimits.SecsMax, out error) };
            case "key":
                return isAbsent
                    ? this
                    : this with
                    {
                        Key = Text(
                            field,
                            ref json,
                            out error,
                            IsKey,
                            $"1 to {SessionLimits.KeyCharsMax} characters without control characters"
                        ),
                    };
            default:
                string hint = UnknownKey.Suggest(field, Fields) is { } meant
                    ? $"did you mean {meant}?"
                    : $"allowed are {string.Join(", ", Fields)}";
                error = SpawnError.BadField(Short(field), $"found a field that is unknown, {hint}");
                return this;
        }
    }

    private static string? Text(
        string field,
        ref Utf8JsonReader json,
        out SpawnError? error,
        Func<string, bool>? isAllowed = null,
        string allowed = "a string"
    )
    {
        string? text = json.TokenType == JsonTokenType.String ? json.GetString() : null;
        error =
            text is not null && isAllowed?.Invoke(text) != false
                ? null
                : SpawnError.BadField(field, $"found {Describe(ref json)}, allowed is {allowed}");
        return text;
    }

    private static int? Number(string field, ref Utf8JsonReader json, int max, out SpawnError? error)
    {
        int number = 0;
        bool isRight = json.TokenType == JsonTokenType.Number && json.TryGetInt32(out number) && number >= 1 && number <= max;
        error = isRight ? null : SpawnError.BadField(field, $"found {Describe(ref json)}, allowed is a whole number from 1 to {max}");
        return number;
    }

    private static List<KeyValuePair<string, string>> Variables(ref Utf8JsonReader json, out SpawnError? error)
    {
        var variables = new List<KeyValuePair<string, string>>();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            error = SpawnError.BadField("env", $"found {Describe(ref json)}, allowed is an object of strings");
            return variables;
        }

        var names = new HashSet<string>(StringComparer.Ordinal);
        error = null;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName && error is null)
        {
            string name = json.GetString()!;
            json.Read();
            error = NameError(name, names) ?? ValueError(name, ref json);
            if (error is null)
            {
                variables.Add(new KeyValuePair<string, string>(name, json.GetString()!));
            }
        }

        return variables;
    }

    private static SpawnError? NameError(string name, HashSet<string> names)
    {
        if (!CallerVariables.IsName(name))
        {
            return SpawnError.BadField(
                VariableField(name),
                "found a name that no variable can have, allowed is any text without = and NUL"
            );
        }

        if (CallerVariables.IsOwn(name))
        {
            return SpawnError.BadField(VariableField(name), "found a variable that Spawngate sets itself");
        }

        if (!names.Add(name))
        {
            return SpawnError.BadField(VariableField(name), "found twice, allowed is once");
        }

        return names.Count > SessionLimits.EnvMax ? SpawnError.BadField("env", $"found more than {SessionLimits.EnvMax} variables") : null;
    }

    /// <summary>Values may be secrets, so messages name only their kind.</summary>
    private static SpawnError? ValueError(string name, ref Utf8JsonReader json) =>
        json.TokenType != JsonTokenType.String
            ? SpawnError.BadField(VariableField(name), $"found {Kind(json.TokenType)}, allowed is a string")
        : !ConfigText.IsWithoutNul(json.GetString()!)
            ? SpawnError.BadField(VariableField(name), "found a string that contains NUL, allowed is a string without it")
        : null;

    /// <summary>The field of a variable, as errors name it.</summary>
    public static string VariableField(string name) => $"env.{Short(name)}";

    private static string Short(string text) =>
        text.Length > ConfigLimits.ShownCharsMax ? $"{text.AsSpan(0, ConfigLimits.ShownCharsMax)}…" : text;

    private static string Describe(ref Utf8JsonReader json) =>
        json.TokenType switch
        {
            JsonTokenType.String => $"the string {ConfigText.Quote(json.GetString()!)}",
            JsonTokenType.Number => Short(System.Text.Encoding.ASCII.GetString(json.ValueSpan)),
            _ => Kind(json.TokenType),
        };

    private static string Kind(JsonTokenType type) =>
        type switch
        {
            JsonTokenType.String => "a string",
            JsonTokenType.Number => "a number",
            JsonTokenType.True => "true",
            JsonTokenType.False => "false",
            JsonTokenType.Null => "null",
            JsonTokenType.StartArray => "an array",
            _ => "an object",
        };

    private static bool IsImage(string text) =>
        text.Length is > 0 and <= SessionLimits.ImageCharsMax
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/' or ':' or '@')
        && text[0] != '-'
        && !text.Split('/').Any(static segment => segment is "" or "." or "..");

    private static bool IsKey(string text) => text.Length is > 0 and <= SessionLimits.KeyCharsMax && !text.Any(char.IsControl);
}
