using System.Globalization;
using System.Text.Json;
using Spawngate.Config.Toml;
using Spawngate.Protocols.Tests;

namespace Spawngate.Tests;

/// <summary>The public TOML 1.0 suite: one test per file. What TOML 1.1 allows beyond that is listed.</summary>
[TestFixture]
internal sealed class TomlVectorTests
{
    private const int DepthMax = 64;
    private const int ErrorsMax = 100;

    /// <summary>What is invalid in TOML 1.0 and valid in TOML 1.1 (https://toml.io/en/v1.1.0), with the rule that says so.</summary>
    private static readonly Dictionary<string, string> AllowedSince11 = new()
    {
        ["invalid/datetime/no-secs.toml"] = SecondsAreOptional,
        ["invalid/local-datetime/no-secs.toml"] = SecondsAreOptional,
        ["invalid/local-time/no-secs.toml"] = SecondsAreOptional,
        ["invalid/inline-table/linebreak-01.toml"] = InlineTablesMaySpanLines,
        ["invalid/inline-table/linebreak-02.toml"] = InlineTablesMaySpanLines,
        ["invalid/inline-table/linebreak-03.toml"] = InlineTablesMaySpanLines,
        ["invalid/inline-table/linebreak-04.toml"] = InlineTablesMaySpanLines,
        ["invalid/inline-table/trailing-comma.toml"] = "Inline Table: a comma may stand behind the last pair",
        ["invalid/string/basic-byte-escapes.toml"] = "String: \\xHH is U+00HH",
    };

    private const string SecondsAreOptional = "Offset Date-Time, Local Date-Time, Local Time: seconds may be left out";
    private const string InlineTablesMaySpanLines = "Inline Table: line breaks are allowed between the braces";

    private static IEnumerable<TestCaseData> Vectors(string kind)
    {
        var suite = TestData.Find("toml-test");
        if (suite is null)
        {
            yield break;
        }

        foreach (var file in File.ReadLines(Path.Combine(suite, "files-toml-1.0.0")))
        {
            if (file.StartsWith(kind, StringComparison.Ordinal) && file.EndsWith(".toml", StringComparison.Ordinal))
            {
                yield return new TestCaseData(Path.Combine(suite, file), file).SetName($"toml-test/{file}");
            }
        }
    }

    [TestCaseSource(nameof(Vectors), new object[] { "valid" })]
    public void Valid(string file, string name)
    {
        var document = TomlReader.Read(File.ReadAllBytes(file), DepthMax, ErrorsMax);

        Assert.That(document.Errors, Is.Empty, name);
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.ChangeExtension(file, ".json")));
        AssertSame(expected.RootElement, document.Root, "$");
    }

    [TestCaseSource(nameof(Vectors), new object[] { "invalid" })]
    public void Invalid(string file, string name)
    {
        var bytes = File.ReadAllBytes(file);
        var document = TomlReader.Read(bytes, DepthMax, ErrorsMax);

        Assert.That(
            document.IsValid,
            Is.EqualTo(AllowedSince11.ContainsKey(name)),
            AllowedSince11.GetValueOrDefault(name, "refused as before")
        );
        var lineCount = bytes.Count(b => b == '\n') + 1;
        Assert.That(document.Errors.Select(error => error.Position.Line), Is.All.InRange(1, lineCount));
        Assert.That(document.Errors.Select(error => error.Position.Column), Is.All.GreaterThanOrEqualTo(1));
    }

    private static void AssertSame(JsonElement expected, TomlValue actual, string path)
    {
        switch (expected.ValueKind)
        {
            case JsonValueKind.Array:
                var items = ((TomlArray)actual).Items;
                Assert.That(items, Has.Count.EqualTo(expected.GetArrayLength()), path);
                for (var i = 0; i < items.Count; i++)
                {
                    AssertSame(expected[i], items[i], $"{path}[{i}]");
                }

                break;
            case JsonValueKind.Object when actual is TomlTable table:
                Assert.That(
                    table.Entries.ToArray().Select(entry => entry.Name),
                    Is.EquivalentTo(expected.EnumerateObject().Select(p => p.Name)),
                    path
                );
                foreach (var entry in table.Entries)
                {
                    AssertSame(expected.GetProperty(entry.Name), entry.Value, $"{path}.{entry.Name}");
                }

                break;
            default:
                AssertSameScalar(expected.GetProperty("type").GetString()!, expected.GetProperty("value").GetString()!, actual, path);
                break;
        }
    }

    private static void AssertSameScalar(string type, string value, TomlValue actual, string path)
    {
        var (actualType, isSame) = actual switch
        {
            TomlString s => ("string", s.Value == value),
            TomlInteger i => ("integer", i.Value == long.Parse(value, CultureInfo.InvariantCulture)),
            TomlFloat f => ("float", f.Value.Equals(ParseFloat(value))),
            TomlBoolean b => ("bool", b.Value == bool.Parse(value)),
            TomlDateTime d => (TypeName(d), WithoutTrailingZeros(d.Text) == WithoutTrailingZeros(value)),
            _ => ("table", false),
        };
        Assert.That(actualType, Is.EqualTo(type), path);
        Assert.That(isSame, $"{path} should be {value}");
    }

    private static double ParseFloat(string value) =>
        value switch
        {
            "inf" or "+inf" => double.PositiveInfinity,
            "-inf" => double.NegativeInfinity,
            "nan" => double.NaN,
            _ => double.Parse(value, CultureInfo.InvariantCulture),
        };

    private static string TypeName(TomlDateTime value) =>
        value.Kind switch
        {
            "a date" => "date-local",
            "a time" => "time-local",
            _ => value.Text.AsSpan("1979-05-27T".Length).IndexOfAny("Z+-") < 0 ? "datetime-local" : "datetime",
        };

    /// <summary>The suite writes the same fraction with more or fewer zeros.</summary>
    private static string WithoutTrailingZeros(string time)
    {
        var dot = time.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
        {
            return time;
        }

        var end = time.AsSpan(dot + 1).IndexOfAnyExceptInRange('0', '9');
        end = end < 0 ? time.Length : dot + 1 + end;
        return time[..end].TrimEnd('0').TrimEnd('.') + time[end..];
    }
}
