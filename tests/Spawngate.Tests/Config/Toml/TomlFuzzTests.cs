using System.Globalization;
using Spawngate.Config.Toml;
using Spawngate.Protocols.Tests.Fuzz;

namespace Spawngate.Tests;

/// <summary>
/// Whatever comes in: no exception, every error within the text, and the same outcome wherever the text is cut into pieces.
/// </summary>
[Category("Fuzz")]
internal sealed class TomlFuzzTests
{
    private static readonly string[] Words =
    [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        " = ",
        ".",
        ",",
        "\"",
        "\"\"\"",
        "'",
        "'''",
        "\n",
        "\r\n",
        "#",
        "\\",
        "\\u0041",
        "\\U0001F600",
        "true",
        "false",
        "inf",
        "nan",
        "0x",
        "0o7",
        "0b1",
        "1_000",
        "1e9",
        "-",
        "9223372036854775808",
        "1979-05-27T07:32:00Z",
        "07:32:00.5",
        "\\e\\x41",
        "\\ \n",
        "\u00ef\u00bf\u00bd",
        "[backends.\"a.b\"]\n",
        "[server]\n",
        "port = 80\n",
        "a.b.c = 1\n",
        "\u00ef\u00bb\u00bf",
        "\u00ff",
        "\u00e2\u0082\u00ac",
    ];

    [Test]
    public void Toml() => FuzzTarget.Run("toml", Words, (input, random) =>
        {
            TomlDocument document = TomlReader.Read(input, depthMax: 16, errorsMax: 20);
            int lines = input.AsSpan().Count((byte)'\n') + 1;
            foreach (TomlError error in document.Errors)
            {
                Assert.That(error.Position.Line, Is.InRange(1, lines), error.Message);
                Assert.That(error.Position.Column, Is.InRange(1, input.Length + 1), error.Message);
                Assert.That(error.Message, Is.Not.Empty);
            }

            TomlDocument cut = TomlReader.Read(input, depthMax: 16, errorsMax: 20, pieceBytes: 1 + random.Next(64));
            Assert.That(cut.Errors, Is.EqualTo(document.Errors));
            Assert.That(Tree(cut.Root), Is.EqualTo(Tree(document.Root)));
            if (document.IsValid)
            {
                TomlDocument again = TomlReader.Read([.. input, .. "\n# a comment changes nothing\n"u8], depthMax: 16, errorsMax: 20);
                Assert.That(again.IsValid);
                Assert.That(Tree(again.Root), Is.EqualTo(Tree(document.Root)));
            }

            // Digits and quoted parts of messages vary without end; the rest of the sentence tells which rule it was.
            return document.IsValid
                ? $"valid {document.Root.Entries.Length}"
                : string.Concat(document.Errors[0].Message.Where(c => char.IsAsciiLetter(c) || c == ' ').Take(40));
        });

    private static string Tree(TomlValue value) =>
        value switch
        {
            TomlTable table => "{"
                + string.Join(';', table.Entries.ToArray().Select(entry => $"{entry.Name}@{entry.Position}={Tree(entry.Value)}"))
                + "}",
            TomlArray array => "[" + string.Join(';', array.Items.Select(Tree)) + "]",
            TomlString text => "'" + text.Value + "'",
            TomlInteger number => number.Value.ToString(CultureInfo.InvariantCulture),
            TomlFloat number => number.Value.ToString("R", CultureInfo.InvariantCulture),
            TomlBoolean truth => truth.Value.ToString(),
            TomlDateTime time => time.Text,
            _ => value.Kind,
        };
}
