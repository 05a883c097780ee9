using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Spawngate.Config.Toml;

namespace Spawngate.Tests;

/// <summary>What the public suite does not ask: positions, messages, going on after errors, bounds, and that nothing throws.</summary>
[TestFixture]
internal sealed class TomlReaderTests
{
    private const string Escapes =
        "allowed are \\b \\t \\n \\f \\r \\e \\\" \\\\ and Unicode scalar values as \\xHH \\uHHHH \\UHHHHHHHH; "
        + "a '…' string takes backslashes as they are";

    private static TomlDocument Read(string text, int depthMax = 64, int errorsMax = 100) =>
        TomlReader.Read(Encoding.UTF8.GetBytes(text), depthMax, errorsMax);

    private static TomlValue Value(TomlDocument document, params string[] path)
    {
        TomlValue value = document.Root;
        foreach (var name in path)
        {
            Assert.That(((TomlTable)value).TryGet(name, out var entry), $"{name} is there");
            value = entry!.Value;
        }

        return value;
    }

    private static IEnumerable<string> Positions(TomlDocument document) => document.Errors.Select(error => error.Position.ToString());

    [Test]
    public void Every_key_and_value_knows_its_line_and_column()
    {
        var document = Read("a = 1\r\n[t]\n  \"k\u00e9\" = [ 'x',\n    { y = 2.5 } ]\n");

        Assert.That(document.Errors, Is.Empty);
        Assert.That(Value(document, "a").Position, Is.EqualTo(new TomlPosition(1, 5)));
        Assert.That(Value(document, "t").Position, Is.EqualTo(new TomlPosition(2, 1)));
        Assert.That(((TomlTable)Value(document, "t")).Entries[0].Position, Is.EqualTo(new TomlPosition(3, 3)));
        var array = (TomlArray)Value(document, "t", "k\u00e9");
        Assert.That(array.Position, Is.EqualTo(new TomlPosition(3, 10)));
        Assert.That(array.Items[0].Position, Is.EqualTo(new TomlPosition(3, 12)));
        Assert.That(((TomlTable)array.Items[1]).Entries[0].Value.Position, Is.EqualTo(new TomlPosition(4, 11)));
    }

    [Test]
    public void A_column_counts_characters_not_utf16_units_or_bytes()
    {
        var document = Read("\uFEFF'\U0001F600\u00e9' = 1 x");

        Assert.That(Positions(document), Is.EqualTo(["1:10"]));
    }

    [Test]
    public void Entries_keep_the_order_of_the_file()
    {
        var document = Read("z = 1\na = 2\n[m]\n[b]\n");

        Assert.That(document.Root.Entries.ToArray().Select(entry => entry.Name), Is.EqualTo(["z", "a", "m", "b"]));
    }

    [Test]
    public void All_errors_of_a_text_are_reported_at_once()
    {
        var document = Read(
            """
            a = 
            b = "x
            c 1
            [t
            d = 00
            [u]
            e = [ 1, 2
            f = 2021-02-30
            g = [ 1,
              2 3,
              [4, "]"],
            ]
            h = "\q \x"
            h = 5
            i = 5
            i = 6
            """.ReplaceLineEndings("\n")
        );

        Assert.That(Positions(document), Is.EqualTo(["1:5", "2:5", "3:3", "4:3", "5:5", "8:1", "8:5", "10:5", "13:6", "16:1"]));
        Assert.That(
            document.Errors.Select(error => error.KeyPath),
            Is.EqualTo(["a", "b", "", "t", "d", "u.e", "u.f", "u.g", "u.h", "u.i"])
        );
    }

    [Test]
    public void Keys_below_a_header_that_cannot_be_read_land_nowhere()
    {
        var document = Read("a = 1\n[t\na = 2\n[[a]]\nb = 3\n[ok]\nb = 4\n");

        Assert.That(Positions(document), Is.EqualTo(["2:3", "4:3"]));
        Assert.That(((TomlInteger)Value(document, "a")).Value, Is.EqualTo(1));
        Assert.That(((TomlInteger)Value(document, "ok", "b")).Value, Is.EqualTo(4));
    }

    [Test]
    public void A_table_that_lost_a_statement_says_so()
    {
        var document = Read("[a]\nx = \ny = 1\n[b]\ny = 1\n[c]\n= 3\n");

        Assert.That(((TomlTable)Value(document, "a")).IsIncomplete);
        Assert.That(((TomlTable)Value(document, "a")).TryGet("y", out _));
        Assert.That(((TomlTable)Value(document, "b")).IsIncomplete, Is.False);
        Assert.That(((TomlTable)Value(document, "c")).IsIncomplete);
    }

    [Test]
    public void Nothing_is_guessed_after_a_multiline_string_without_end()
    {
        var document = Read("a = \"\"\"x\nb = ?\nc = ?\n");

        Assert.That(Positions(document), Is.EqualTo(["1:5"]));
    }

    [TestCase("a = [1, 2", "found the end of the file in an array, a comma or ] is needed")]
    [TestCase("a : 1", "found ':' after the key, = is needed")]
    [TestCase("a = yes", "found yes, which is no value: strings need quotes, booleans are true and false")]
    [TestCase("a = 1 2", "found '2' where the line should end")]
    [TestCase("a = 0123", "found 0123, numbers have no leading zeros")]
    [TestCase(
        "a = 9223372036854775808",
        "found 9223372036854775808, whole numbers from -9223372036854775808 to 9223372036854775807 are allowed"
    )]
    [TestCase("a = { b = 1\n c = 2 }", "found 'c' in an inline table, a comma or } is needed")]
    [TestCase("a = { b = 1, # c\n ! }", "found '!' where a key should be: letters, digits, - and _, or any text in quotes")]
    [TestCase("a = 1\0", "found the character U+0000 where the line should end")]
    [TestCase("\0a = 1", "found the character U+0000 where a key should be: letters, digits, - and _, or any text in quotes")]
    [TestCase("a = # c", "found '#' where a value should be")]
    [TestCase("[a]]", "found ']]' in a table header, ] must close it")]
    [TestCase("[[a]", "found ']' in a table header, ]] must close it")]
    [TestCase("\"\"\"a\"\"\" = 1", "found a multi-line string as a key, keys are bare words or one-line strings")]
    [TestCase("a = 0.0.0.0", "found 0.0.0.0, a float is digits, then a dot and digits, or an exponent, or both; a string needs quotes")]
    [TestCase("a = 1__0", "found 1__0, a number is digits with single underscores between digits; a string needs quotes")]
    [TestCase(
        "a = 0b12",
        "found 0b12, allowed are up to 64 bits as digits after a lower-case 0x, 0o or 0b, with single underscores between digits"
    )]
    [TestCase(
        "a = 2021-02-30 12:00",
        "found 2021-02-30 12:00, which is no valid date or time; allowed are 1979-05-27, 07:32:00, and both joined by T or a blank, "
            + "with an optional fraction and offset (Z or +01:00)"
    )]
    [TestCase("a = 1 # \u0001", "found the character U+0001 in a comment, control characters other than tab are not allowed")]
    [TestCase("a = 1\rb = 2", "found a carriage return without a line feed, line breaks are LF or CR LF")]
    [TestCase("a = 'x\ry'", "found a carriage return without a line feed, line breaks are LF or CR LF")]
    [TestCase("a = 'x", "the string that begins here does not end on its line, a closing ' is needed")]
    [TestCase("a = \"x\\\n y\"", "the string that begins here does not end on its line, a closing \" is needed")]
    [TestCase("a = '''x\n", "the multi-line string that begins here never ends, closing ''' are needed")]
    [TestCase("a = \"\\q\"", "found a backslash before 'q', " + Escapes)]
    [TestCase("a = \"x\\ y\"", "found a backslash before ' ', " + Escapes)]
    [TestCase("a = \"\"\"x\\ y\"\"\"", "found a backslash before ' ', " + Escapes)]
    [TestCase("a = \"\\u12\"", "found the escape \\u12, " + Escapes)]
    [TestCase("a = \"\\uD800\"", "found the escape \\uD800, " + Escapes)]
    [TestCase("a = \"\\UFFFFFFFF\"", "found the escape \\UFFFFFFFF, " + Escapes)]
    [TestCase(
        "a = \"\u0001\"",
        "found the character U+0001 in a string, control characters other than tab must be written as escapes (\\u0001) in a \"…\" string"
    )]
    [TestCase("a = 1\nb = 2\na = 3", "the key is already given on line 1, each key may stand once")]
    [TestCase("[a]\n[b]\n[a]", "the table is already defined on line 1, each table may be defined once")]
    public void An_error_says_what_was_found_and_what_is_allowed(string text, string message)
    {
        var document = Read(text);

        Assert.That(document.Errors.Select(error => error.Message).First(), Is.EqualTo(message));
    }

    [Test]
    public void Bytes_that_are_not_utf8_are_reported_by_line_with_the_other_errors()
    {
        byte[] text = [.. "a = 1\nb = \"\u00e9"u8, 0xFF, .. "\"\nc = ?\nd = '"u8, 0xC3, .. "'\n"u8];

        var document = TomlReader.Read(text, 64, 100);

        Assert.That(Positions(document), Is.EqualTo(["2:7", "3:5", "4:6"]));
        Assert.That(document.Errors[0].Message, Is.EqualTo("found the byte 0xFF, which is not UTF-8; the file must be saved as UTF-8"));
    }

    [Test]
    public void A_utf16_file_gets_one_error()
    {
        var document = TomlReader.Read(
            Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("a = 1\nb = 2\n")).ToArray(),
            64,
            100
        );

        Assert.That(Positions(document), Is.EqualTo(["1:1"]));
    }

    [TestCase(8, true)]
    [TestCase(9, false)]
    public void Nesting_is_bounded_in_every_notation(int depth, bool isValid)
    {
        var dotted = string.Join('.', Enumerable.Repeat("a", depth));
        string[] texts =
        [
            "a = " + new string('[', depth) + new string(']', depth),
            dotted + " = 1",
            $"[{dotted}]",
            "[x.x]\n" + string.Join('.', Enumerable.Repeat("a", depth - 2)) + " = 1",
            "a = " + string.Concat(Enumerable.Repeat("{a = ", depth - 1)) + "1" + new string('}', depth - 1),
        ];

        Assert.That(
            Positions(Read("a = [1,\n" + new string('[', 8) + "\n", depthMax: 8)),
            Is.EqualTo(["2:8"]),
            "it is told where the nesting goes too deep"
        );
        foreach (var text in texts)
        {
            Assert.That(Read(text, depthMax: 8).IsValid, Is.EqualTo(isValid), text);
        }
    }

    [Test]
    public void The_number_of_errors_is_bounded()
    {
        var document = Read(string.Concat(Enumerable.Repeat("a\n", 1000)), errorsMax: 10);

        Assert.That(document.Errors, Has.Count.EqualTo(11));
        Assert.That(document.Errors[^1].Message, Is.EqualTo("too many errors, the rest of the file was not read"));
    }

    [Test]
    public void Deep_brackets_do_not_exhaust_the_stack()
    {
        Assert.That(Read(new string('[', 1 << 20)).IsValid, Is.False);
        Assert.That(Read("a = " + new string('[', 1 << 20)).IsValid, Is.False);
        Assert.That(Read("a = [" + new string('\n', 1 << 20) + new string('{', 1 << 20)).IsValid, Is.False);
        Assert.That(Read("a = " + string.Concat(Enumerable.Repeat("{a=", 300_000))).IsValid, Is.False);
        Assert.That(Read(string.Concat(Enumerable.Repeat("a.", 300_000)) + "a = 1").IsValid, Is.False);
    }

    [Test]
    public void Reading_takes_time_in_proportion_to_the_text()
    {
        string[] texts =
        [
            "a = [" + string.Concat(Enumerable.Repeat("'x', ", 400_000)) + "]",
            "a = [\n" + string.Concat(Enumerable.Repeat("?\n", 400_000)),
            string.Concat(Enumerable.Range(0, 100_000).Select(i => $"[t.k{i}.x]\nv.w = {i}\n")),
            "a = { " + string.Join(", ", Enumerable.Range(0, 200_000).Select(i => $"k{i} = {i}")) + " }",
            string.Concat(Enumerable.Repeat("a = \"\\q\n", 200_000)),
            "a = \"" + string.Concat(Enumerable.Repeat("\\q", 400_000)) + "\"",
            string.Concat(Enumerable.Repeat("a\n", 1_000_000)),
            "a = '" + new string('\n', 1_000_000),
            string.Concat(Enumerable.Repeat("a = [ {\n", 200_000)),
            "a = " + string.Concat(Enumerable.Repeat("\"\"\"\\ \ny\"\"\"\na = ", 20_000)),
        ];

        foreach (var text in texts)
        {
            var before = Environment.CpuUsage.TotalTime;
            Read(text, errorsMax: 1_000);
            Assert.That((Environment.CpuUsage.TotalTime - before).TotalMilliseconds, Is.LessThan(3_000), text[..20]);
        }
    }

    [TestCase("", "\"\"")]
    [TestCase("a-b_9", "a-b_9")]
    [TestCase("a.b", "\"a.b\"")]
    [TestCase("say \"\\\"\n", "\"say \\\"\\\\\\\"\\u000A\"")]
    public void A_key_path_is_written_as_toml_reads_it(string name, string written)
    {
        Assert.That(TomlKeyPath.Append("", name), Is.EqualTo(written));
        Assert.That(Read($"{written} = 1").Root.Entries[0].Name, Is.EqualTo(name));
    }

    [Test]
    public void Any_string_gives_a_tree_or_errors_never_an_exception() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll<string?>(text => IsSound(text ?? "")));

    [Test]
    public void Any_bytes_give_a_tree_or_errors_never_an_exception() =>
        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(2_000),
            Prop.ForAll<byte[]>(bytes => IsSound(TomlReader.Read(bytes, 16, 50)))
        );

    [Test]
    public void Any_jumble_of_toml_pieces_gives_a_tree_or_errors_never_an_exception()
    {
        string[] pieces =
        [
            "a",
            "b",
            "\"",
            "'",
            "\"\"\"",
            "'''",
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "=",
            ".",
            ",",
            " ",
            "\n",
            "\r\n",
            "\r",
            "#",
            "\\",
            "\\u00",
            "\\q",
            "1",
            "-",
            "+",
            "_",
            "0x",
            "1e5",
            "true",
            "inf",
            "1979-05-27",
            "07:32:00",
            "T",
            "Z",
            "\t",
            "\0",
            "\uFEFF",
            "\ud83d\ude00",
            "\u00e9",
            "a = 1\n",
            "[a]\n",
        ];
        var texts = Gen.Elements(pieces).ArrayOf().Select(string.Concat).ToArbitrary();

        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(20_000).WithEndSize(60), Prop.ForAll(texts, IsSound));
    }

    [Test]
    public void Any_valid_vector_cut_short_anywhere_gives_a_tree_or_errors_never_an_exception()
    {
        const string text =
            "[a.\"b\"]\nx = [ 1, { y = 'z' }, \"\"\"\n\\u00e9\"\"\" ] # c\n[[t]]\nd = 1979-05-27 07:32:00.5Z\nf = -1_0.5e+3\n";
        for (var length = 0; length <= text.Length; length++)
        {
            Assert.That(IsSound(text[..length]), $"the first {length} characters");
        }
    }

    private static bool IsSound(string text) => IsSound(Read(text, depthMax: 16, errorsMax: 50));

    private static bool IsSound(TomlDocument document)
    {
        var positions = document.Errors.Select(error => error.Position).ToList();
        return positions.All(position => position is { Line: >= 1, Column: >= 1 }) && positions.SequenceEqual(positions.Order());
    }
}
