using System.Text;
using Spawngate.Config.Toml;

namespace Spawngate.Tests;

/// <summary>What has to hold whatever the library thinks: no error that is none, and everything that TOML allows.</summary>
[TestFixture]
internal sealed class TomlSeamTests
{
    private static TomlDocument Read(string text, int pieceBytes = TomlLimits.PieceBytes) =>
        TomlReader.Read(Encoding.UTF8.GetBytes(text), 64, 1000, pieceBytes);

    private static List<string> Errors(string text) => [.. Read(text).Errors.Select(error => $"{error.Position} {error.KeyPath}")];

    private static TomlValue Value(string text, string name = "a")
    {
        var document = Read(text);
        Assert.That(document.Errors, Is.Empty, text);
        Assert.That(document.Root.TryGet(name, out var entry), text);
        return entry.Value;
    }

    private static string Text(string text) => ((TomlString)Value(text)).Value;

    [TestCase("a = \"x\nb = 1\nc = \"y\"\nd = 'z'\n", "1:5 a", "b,c,d")]
    [TestCase("a = 'x\nb = 1\nc = \"y\"\nd = 'z'\n", "1:5 a", "b,c,d")]
    [TestCase("z = 1\na = \"\"\"x\nb = 1\nc = \"y\"\n", "2:5 a", "z")]
    [TestCase("z = 1\na = '''x\nb = 1\nc = \"y\"\n", "2:5 a", "z")]
    [TestCase("a = [ \"x,\n  'y' ]\nb = 1\n", "1:7 a", "b")]
    [TestCase("a = { x = 'y }\nb = 1\nc = { x = 'y' }\n", "1:11 a", "b,c")]
    [TestCase("\"a = 1\nb = 'x'\nc = \"y\"\n", "1:1 ", "b,c")]
    public void A_string_without_an_end_is_one_error(string text, string error, string keys)
    {
        Assert.That(Errors(text), Is.EqualTo([error]));
        Assert.That(string.Join(',', Read(text).Root.Entries.ToArray().Select(entry => entry.Name)), Is.EqualTo(keys));
    }

    [TestCase("[a\nx = 1\ny = 2\n[b]\nx = 1\n", "1:3 a")]
    [TestCase("[[a]\nx = 1\n[b]\nx = 1\n", "1:4 a")]
    [TestCase("[a b]\nx = 1\n[b]\nx = 1\n", "1:4 a")]
    [TestCase("[\"a]\nx = 1\n[b]\nx = 1\n", "1:2 ")]
    [TestCase("[]\nx = 1\n[b]\nx = 1\n", "1:2 ")]
    [TestCase("[b]\nx = 1\n[b]\ny = 1\nx = 2\n", "3:2 b")]
    public void A_header_that_is_broken_is_one_error_and_takes_its_keys_with_it(string text, string error)
    {
        Assert.That(Errors(text), Is.EqualTo([error]));
        var root = Read(text).Root;
        Assert.That(root.Entries.ToArray().Select(entry => entry.Name), Is.EqualTo(["b"]));
        Assert.That(((TomlTable)root.Entries[0].Value).Entries.Length, Is.EqualTo(1));
    }

    [Test]
    public void What_is_defined_twice_is_told_beside_errors_of_syntax() =>
        Assert.That(Errors("a = 1\na = 2\nb = ?\n[t]\n[t.u]\n[t]\nc = [\n"), Is.EqualTo(["2:1 a", "3:5 b", "6:2 t", "8:1 c"]));

    [TestCase("a = {\n  b = 1,\n  c = ?,\n  d = 2,\n}\ne = ?\n", "3:7 a,6:5 e")]
    [TestCase("a = { b = ?,\n      c = 1,\n      d = 2 }\ne = ?\n", "1:11 a,4:5 e")]
    [TestCase("a = { b = 1\nc = ?\n", "2:1 a,2:5 c")]
    [TestCase("a = [\n  { b = 1,\n    c = ? },\n  { b = 2 },\n]\ne = ?\n", "3:9 a,6:5 e")]
    [TestCase("a = [ 1, 2\nb = ?\n", "2:1 a,2:5 b")]
    [TestCase("a = [ 1, ?\n[b]\nc = ?\n", "1:10 a,3:5 b.c")]
    [TestCase("a = \"\"\"\nx \\q\nb = c\n\"\"\"\ne = ?\n", "2:3 a,5:5 e")]
    [TestCase("a = [ \"\"\"\n]\n\"\"\", ?, '''\n]''',\n]\ne = ?\n", "3:6 a,6:5 e")]
    public void Reading_goes_on_behind_the_statement(string text, string errors) =>
        Assert.That(string.Join(',', Errors(text)), Is.EqualTo(errors));

    [Test]
    public void The_replacement_character_is_a_character()
    {
        Assert.That(Text("a = \"\uFFFD\uFDD0\" # \uFFFD"), Is.EqualTo("\uFFFD\uFDD0"));
        Assert.That(Text("a = '''\n\uFFFD'''"), Is.EqualTo("\uFFFD"));
        Assert.That(Read("\"\uFFFD\".b = 1").Root.Entries[0].Name, Is.EqualTo("\uFFFD"));
        Assert.That(Read("a = 1 \uFFFD").Errors.Single().Message, Is.EqualTo("found '\uFFFD' where the line should end"));
        Assert.That(Read("a = x\uFFFD").Errors.Single().Message, Does.StartWith("found x\uFFFD, which is no value"));
    }

    [Test]
    public void A_text_with_all_the_characters_that_could_stand_in_is_refused_where_it_is()
    {
        var all = string.Concat(Enumerable.Range('\uFDD0', 32).Select(static c => (char)c));

        Assert.That(Errors($"b = 1\na = '{all}\uFFFD'\n"), Is.EqualTo(["2:5 a"]));
        Assert.That(Text($"a = '{all}'"), Is.EqualTo(all));
    }

    [Test]
    public void A_backslash_at_the_end_of_a_line_joins_it_with_the_next()
    {
        Assert.That(Text("a = \"\"\"x \\\ny\"\"\""), Is.EqualTo("x y"));
        Assert.That(Text("a = \"\"\"x \\ \t\r\n\n  y\"\"\""), Is.EqualTo("x y"));
        Assert.That(Text("a = \"\"\"x \\ \ny \\ \nz\"\"\"\nb = \"\"\"\\ \ny\"\"\""), Is.EqualTo("x y z"));
        Assert.That(
            Errors("a = \"\"\"x \\ \ny\"\"\"\nb = \"\"\"\\ \ny \\q\"\"\"\n"),
            Is.EqualTo(["4:3 b"]),
            "a real error behind one that is none"
        );
    }

    [TestCase("\"\\")]
    [TestCase("\"\\u12")]
    [TestCase("\"\"\"\\")]
    [TestCase("\"\"\"\\x4")]
    [TestCase("'\\")]
    [TestCase("[ # \\")]
    [TestCase("\\")]
    public void A_text_may_end_anywhere(string value)
    {
        var error = Read("a = " + value).Errors.Single();

        Assert.That(error.Position.Line, Is.EqualTo(1));
        Assert.That(error.Position.Column, Is.InRange(5, 5 + value.Length));
    }

    [Test]
    public void A_byte_order_mark_is_one_only_at_the_beginning()
    {
        Assert.That(Errors("\uFEFFa = 1\n"), Is.Empty);
        Assert.That(Errors("\uFEFF\uFEFFa = 1\n"), Is.EqualTo(["1:1 "]));
        Assert.That(Errors("a = ?\n\uFEFFb = 1\n"), Is.EqualTo(["1:5 a", "2:1 "]), "where reading begins again as well");
    }

    [TestCase("9223372036854775807", long.MaxValue)]
    [TestCase("-9223372036854775808", long.MinValue)]
    [TestCase("0x7FFF_FFFF_FFFF_FFFF", long.MaxValue)]
    [TestCase("0o777777777777777777777", long.MaxValue)]
    [TestCase("0b1_0", 2)]
    [TestCase("-0", 0)]
    [TestCase("+1_000", 1000)]
    public void Whole_numbers_have_64_bits(string written, long value) =>
        Assert.That(((TomlInteger)Value($"a = {written}")).Value, Is.EqualTo(value));

    [TestCase("9223372036854775808")]
    [TestCase("-9223372036854775809")]
    [TestCase("18446744073709551616")]
    [TestCase("0x8000000000000000")]
    [TestCase("0xFFFFFFFFFFFFFFFF")]
    [TestCase("0x1FFFFFFFFFFFFFFFF")]
    [TestCase("0o1777777777777777777777")]
    public void Larger_whole_numbers_are_errors(string written) => Assert.That(Errors($"a = {written}"), Is.EqualTo(["1:5 a"]));

    [TestCase("inf", double.PositiveInfinity)]
    [TestCase("-inf", double.NegativeInfinity)]
    [TestCase("+nan", double.NaN)]
    [TestCase("-1_0.5e+3", -10_500)]
    [TestCase("1e400", double.PositiveInfinity)]
    public void Floats_have_their_values(string written, double value) =>
        Assert.That(((TomlFloat)Value($"a = {written}")).Value, Is.EqualTo(value));

    [TestCase("1979-05-27", "a date", "1979-05-27")]
    [TestCase("07:32:00.5", "a time", "07:32:00.5")]
    [TestCase("07:32", "a time", "07:32")]
    [TestCase("1979-05-27 07:32:00", "a date-time", "1979-05-27T07:32:00")]
    [TestCase("1979-05-27t07:32:00z", "a date-time", "1979-05-27T07:32:00Z")]
    [TestCase("1979-05-27T07:32:00-08:00", "a date-time", "1979-05-27T07:32:00-08:00")]
    public void Dates_and_times_are_kept_as_text(string written, string kind, string text)
    {
        var value = (TomlDateTime)Value($"a = {written} # c");

        Assert.That((value.Kind, value.Text), Is.EqualTo((kind, text)));
    }

    [TestCase("[a.b]\n[a]\nx = 1\n", true)]
    [TestCase("[a.b.c]\n[a]\nb.d = 1\n", true)]
    [TestCase("[[a]]\n[a.b]\n[[a]]\n[a.b]\n", true)]
    [TestCase("a.b = 1\na.c = 2\n", true)]
    [TestCase("a = { b.c = 1, b.d = 2 }\n", true)]
    [TestCase("a.b = 1\n[a]\n", false)]
    [TestCase("a = { b = 1 }\n[a.c]\n", false)]
    [TestCase("a = { b = 1 }\na.c = 2\n", false)]
    [TestCase("a = [{ b = 1 }]\n[[a]]\n", false)]
    [TestCase("[a]\n[[a]]\n", false)]
    [TestCase("[a]\nb.c = 1\n[a.b]\n", false)]
    [TestCase("[a.b]\n[a]\nb = 1\n", false)]
    public void Each_thing_is_defined_once(string text, bool isValid) => Assert.That(Read(text).IsValid, Is.EqualTo(isValid));

    [Test]
    public void A_file_may_have_any_line_ends_and_none_at_its_end()
    {
        const string text = "[a]\nb = [ 1,\n 2 ] # c\n\nc = '''\nx'''\n[d]\ne = {\n f = 1\n}";
        var tree = Read(text);

        Assert.That(tree.Errors, Is.Empty);
        var other = Read(text.ReplaceLineEndings("\r\n"));
        Assert.That(other.Errors, Is.Empty);
        Assert.That(
            other.Root.Entries.ToArray().Select(entry => entry.Position),
            Is.EqualTo(tree.Root.Entries.ToArray().Select(entry => entry.Position))
        );
        Assert.That(Errors("a = 1\r"), Is.EqualTo(["1:6 a"]));
    }

    /// <summary>Each error is met once for each piece size, though its statement may be read several times.</summary>
    [Test]
    public void Nothing_depends_on_where_a_file_is_cut_into_pieces()
    {
        var text = new StringBuilder();
        for (var i = 0; i < 40; i++)
        {
            text.Append(
                $"[t{i % 37}]\na = {{ b = 1, b = 2,\n c = [\n'''\n{i}''', \"\u00e9\" ] }}\nd = [ # e\n1 2\n]\nf = \"\"\"\n\\q\"\"\"\n"
            );
        }

        var whole = Read(text.ToString());
        Assert.That(whole.Errors, Has.Count.EqualTo(37 * 3 + 3 * 4));
        for (var bytes = 1; bytes < 300; bytes++)
        {
            Assert.That(Read(text.ToString(), bytes).Errors, Is.EqualTo(whole.Errors), $"{bytes} bytes");
        }
    }
}
