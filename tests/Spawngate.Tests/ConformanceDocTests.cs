using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>docs/http1-conformance.md names the test that proves each rule: they exist.</summary>
internal sealed class ConformanceDocTests
{
    private static readonly string Document = File.ReadAllText(Repository.PathOf("docs", "http1-conformance.md"));

    /// <summary>Rows of tables, without their heads and rules.</summary>
    private static IEnumerable<string[]> Rows() => Document.Split('\n')
        .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| § |", StringComparison.Ordinal))
        .Select(line => line.Trim().Trim('|').Split(" | "));

    [Test]
    public void Every_row_names_a_test() =>
        Assert.That(Rows().Where(cells => !Regex.IsMatch(cells[^1], @"^( ?`\w+\.\w+`)+ ?$")).Select(cells => string.Join('|', cells)), Is.Empty);

    /// <summary>The sections of RFC 9112 with a MUST for an intermediary.</summary>
    [TestCaseSource(nameof(Sections))]
    public void Every_section_has_a_row(string section) =>
        Assert.That(Rows().Select(cells => cells[0].Trim()), Has.Some.Matches($@"^{Regex.Escape(section)}( \(|,|$)"));

    private static readonly string[] Sections =
    [
        "2.2", "2.3", "3", "3.2", "3.2.1", "3.2.2", "3.2.3", "3.2.4", "4", "5.1", "5.2", "6.1", "6.2", "6.3", "7.1", "7.1.1", "7.1.2", "7.4", "8",
        "9.2", "9.3", "9.3.1", "9.3.2", "9.6",
    ];

    [Test]
    public void Every_test_that_is_named_exists()
    {
        string[] files = [.. Directory.EnumerateFiles(Repository.PathOf("tests"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText)];
        var named = Rows().Select(cells => cells[^1]).Append(Document.Split("\n## ")[0])
            .SelectMany(text => Regex.Matches(text, @"`(\w+)\.(\w+)`")).Select(match => (Type: match.Groups[1].Value, Member: match.Groups[2].Value))
            .Distinct().Where(name => name != ("Type", "Member")).ToList();

        Assert.That(named, Has.Count.GreaterThan(80));
        Assert.That(named.Where(name => !files.Any(file => Regex.IsMatch(file, $@"\bclass {name.Type}\b") && IsTestOrTable(file, name.Type, name.Member))), Is.Empty);
    }

    /// <summary>A method with an attribute that makes it a test, or a member of a table of variants, each of which a test runs.</summary>
    private static bool IsTestOrTable(string file, string type, string member) => type.EndsWith("Variants", StringComparison.Ordinal)
        ? Regex.IsMatch(file, $@"\b{member}\b( =|\(\))")
        : Regex.IsMatch(file, $@"^ *\[Test(Case|CaseSource)?\b.*\n(^ *\[.*\n)*^ *public [\w<> ]+ {member}\(", RegexOptions.Multiline);
}
