using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>The pages on conformance name the test that proves each rule: they exist.</summary>
[Category("House")]
internal sealed class ConformanceDocTests
{
    /// <summary>The page, and the number of tests that it names at the least.</summary>
    private static readonly (string Page, int TestsMin)[] Pages = [("http1-conformance.md", 80), ("http2-conformance.md", 80)];

    /// <summary>The sections of RFC 9112 with a MUST for an intermediary.</summary>
    private static readonly string[] SectionsOfHttp1 =
    [
        "2.2",
        "2.3",
        "3",
        "3.2",
        "3.2.1",
        "3.2.2",
        "3.2.3",
        "3.2.4",
        "4",
        "5.1",
        "5.2",
        "6.1",
        "6.2",
        "6.3",
        "7.1",
        "7.1.1",
        "7.1.2",
        "7.4",
        "8",
        "9.2",
        "9.3",
        "9.3.1",
        "9.3.2",
        "9.6",
    ];

    /// <summary>The sections of RFC 9113 with a MUST for a server.</summary>
    private static readonly string[] SectionsOfHttp2 =
    [
        "3.3",
        "3.4",
        "4.1",
        "4.2",
        "4.3",
        "4.3.1",
        "5.1",
        "5.1.1",
        "5.1.2",
        "5.2.1",
        "5.2.2",
        "5.3.2",
        "5.4.1",
        "5.4.2",
        "5.5",
        "6.1",
        "6.2",
        "6.3",
        "6.4",
        "6.5",
        "6.5.2",
        "6.5.3",
        "6.6",
        "6.7",
        "6.8",
        "6.9",
        "6.9.1",
        "6.9.2",
        "6.10",
        "7",
        "8.1",
        "8.1.1",
        "8.2",
        "8.2.1",
        "8.2.2",
        "8.2.3",
        "8.3",
        "8.3.1",
        "8.3.2",
        "8.4",
        "8.5",
        "8.6",
        "8.7",
        "10.3",
        "10.5",
        "10.5.1",
    ];

    private static readonly Lazy<HashSet<(string Type, string Member)>> Proofs = new(FindProofs);

    private static IEnumerable<string> PageNames() => Pages.Select(each => each.Page);

    private static IEnumerable<TestCaseData> Sections() =>
        SectionsOfHttp1
            .Select(section => new TestCaseData("http1-conformance.md", section))
            .Concat(SectionsOfHttp2.Select(section => new TestCaseData("http2-conformance.md", section)));

    [TestCaseSource(nameof(PageNames))]
    public void Every_row_names_a_test(string page) =>
        Assert.That(
            Rows(page).Where(cells => !Regex.IsMatch(cells[^1], @"^( ?`\w+\.\w+`)+ ?$")).Select(cells => string.Join('|', cells)),
            Is.Empty
        );

    [TestCaseSource(nameof(Sections))]
    public void Every_section_has_a_row(string page, string section) =>
        Assert.That(Rows(page).Select(cells => cells[0].Trim()), Has.Some.Matches($@"^{Regex.Escape(section)}( \(|,|$)"));

    [TestCaseSource(nameof(Pages))]
    public void Every_test_that_is_named_exists((string Page, int TestsMin) page)
    {
        var named = Rows(page.Page)
            .Select(cells => cells[^1])
            .Append(Text(page.Page).Split("\n## ")[0])
            .SelectMany(text => Regex.Matches(text, @"`(\w+)\.(\w+)`"))
            .Select(match => (Type: match.Groups[1].Value, Member: match.Groups[2].Value))
            .Distinct()
            .Where(name => name != ("Type", "Member"))
            .ToList();

        Assert.That(named, Has.Count.GreaterThan(page.TestsMin));
        Assert.That(named.Where(name => !Proofs.Value.Contains(name)), Is.Empty);
    }

    private static string Text(string page) => File.ReadAllText(Repository.PathOf("docs", "reference", page));

    /// <summary>Rows of tables, without their heads and rules.</summary>
    private static IEnumerable<string[]> Rows(string page) =>
        Text(page)
            .Split('\n')
            .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| § |", StringComparison.Ordinal))
            .Select(line => line.Trim().Trim('|').Split(" | "));

    /// <summary>
    /// Type and name of every method with an attribute that makes it a test, and of every member of a table of variants, each of which a
    /// test runs.
    /// </summary>
    private static HashSet<(string Type, string Member)> FindProofs()
    {
        var files = Directory.EnumerateFiles(Repository.PathOf("tests"), "*.cs", SearchOption.AllDirectories);
        return
        [
            .. from file in files
            let declarations = CSharpOutline.Read(File.ReadAllText(file))
            from member in declarations
            where member.Kind != OutlineKind.Type
            let type = TypeAround(member, declarations)
            where Regex.IsMatch(type, "(Variants|Cases)$") || Regex.IsMatch(member.Attributes, @"\[Test(Case|CaseSource)?\b")
            select (type, member.Name),
        ];
    }

    private static string TypeAround(Declaration member, List<Declaration> declarations) =>
        declarations
            .Where(type => type.Kind == OutlineKind.Type && type.FirstLine <= member.FirstLine && type.LastLine >= member.LastLine)
            .MaxBy(type => type.FirstLine)
            ?.Name
        ?? "";
}
