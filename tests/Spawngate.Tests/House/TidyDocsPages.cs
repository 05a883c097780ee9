using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>The pages of the documentation fit a terminal, and whatever they and the code name of them is there.</summary>
[Category("House")]
[TestFixture]
internal sealed partial class TidyDocsPages
{
    private const int LineCharsMax = 120;
    private const int ReadmeLinesMax = 130;

    private static readonly string[] RootPages = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"];

    /// <summary>Pages with longer lines, each with its reason.</summary>
    private static readonly Dictionary<string, string> LongLines = [];

    [Test]
    public void Lines_are_short_enough_for_a_terminal()
    {
        var findings =
            from path in Pages()
            from line in Prose(path)
            where line.Text.Length > LineCharsMax && !line.Text.StartsWith('|') && !OneLink().IsMatch(line.Text)
            select (Page: path, Text: $"{path}:{line.Number}: {line.Text.Length} characters, at most {LineCharsMax}");
        var all = findings.ToList();
        var unused = LongLines
            .Keys.Except(all.Select(finding => finding.Page))
            .Select(page => $"the exception for {page} excuses nothing any more");
        AssertEmpty(all.Where(finding => !LongLines.ContainsKey(finding.Page)).Select(finding => finding.Text).Concat(unused));
    }

    [Test]
    public void The_readme_is_short() => Assert.That(File.ReadLines(Repository.PathOf("README.md")).Count(), Is.AtMost(ReadmeLinesMax));

    [Test]
    public void Every_link_leads_somewhere() =>
        AssertEmpty(
            from path in Pages()
            from line in Prose(path)
            from Match match in Link().Matches(CodeSpan().Replace(line.Text, ""))
            let target = match.Groups["inline"].Success ? match.Groups["inline"].Value : match.Groups["reference"].Value
            where !Regex.IsMatch(target, "^[a-z]+:") && !IsThere(path, target)
            select $"{path}:{line.Number}: {target}"
        );

    [Test]
    public void Every_page_that_is_named_exists() =>
        AssertEmpty(
            from path in NamingFiles()
            from Match match in PageName().Matches(File.ReadAllText(Repository.PathOf(path)))
            where !Path.Exists(Repository.PathOf(match.Value))
            select $"{path}: {match.Value}"
        );

    [TestCase("## What it remembers, and how much memory that takes", "what-it-remembers-and-how-much-memory-that-takes")]
    [TestCase("### `POST /backends/{host}/start`, `/stop`", "post-backendshoststart-stop")]
    [TestCase("#### [Unreleased](x.md) – 1_0", "unreleased--1_0")]
    public void A_heading_has_the_anchor_that_it_is_given_on_the_web(string heading, string anchor) =>
        Assert.That(AnchorOf(heading), Is.EqualTo(anchor));

    private static IEnumerable<string> Pages() => FilesOf("docs", "*.md").Concat(RootPages).Order(StringComparer.Ordinal);

    private static IEnumerable<string> NamingFiles() =>
        new[] { "src", "tests", "bench" }
            .SelectMany(folder => FilesOf(folder, "*.cs"))
            .Concat(FilesOf("bench/load", "*"))
            .Concat(["config.toml", "Dockerfile", "build.sh"]);

    private static IEnumerable<string> FilesOf(string folder, string pattern) =>
        Directory
            .EnumerateFiles(Repository.PathOf(folder), pattern, SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
            .Where(path => !Regex.IsMatch(path, "(^|/)(bin|obj|__pycache__)/"));

    /// <summary>The lines of a page, without what stands between fences.</summary>
    private static IEnumerable<(int Number, string Text)> Prose(string path)
    {
        bool isFenced = false;
        foreach (var (number, text) in File.ReadLines(Repository.PathOf(path)).Index())
        {
            bool isFence = text.TrimStart().StartsWith("```", StringComparison.Ordinal);
            isFenced ^= isFence;
            if (!isFence && !isFenced)
            {
                yield return (number + 1, text);
            }
        }
    }

    private static bool IsThere(string page, string target)
    {
        string[] parts = target.Split('#', 2);
        string file = parts[0].Length == 0 ? page : Path.Combine(Path.GetDirectoryName(page)!, parts[0]);
        return Path.Exists(Repository.PathOf(file)) && (parts.Length == 1 || Anchors(file).Contains(parts[1]));
    }

    /// <summary>A heading that stands there a second time has a number behind its anchor.</summary>
    private static HashSet<string> Anchors(string page) =>
        [
            .. Prose(page)
                .Where(line => Regex.IsMatch(line.Text, "^#{1,6} "))
                .GroupBy(line => AnchorOf(line.Text))
                .SelectMany(same => same.Select((_, i) => i == 0 ? same.Key : $"{same.Key}-{i}")),
        ];

    /// <summary>In lower case, links as their text, hyphens for blanks, and nothing but letters, digits, hyphens and underscores.</summary>
    private static string AnchorOf(string heading)
    {
        string text = Regex.Replace(heading.TrimStart('#').Trim(), @"\[([^\]]*)\]\([^)]*\)", "$1");
        return string.Concat(text.ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_')).Replace(' ', '-');
    }

    private static void AssertEmpty(IEnumerable<string> findings) => Assert.That(string.Join('\n', findings), Is.Empty);

    [GeneratedRegex(@"^\s*(?:[-*] )?(?:\[[^\]]*\]: |!?\[[^\]]*\]\()\S+$")]
    private static partial Regex OneLink();

    [GeneratedRegex(@"\]\((?<inline>[^)\s]+)\)|^\[[^\]]+\]: (?<reference>\S+)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?<!`)`[^`]+`(?!`)")]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"\bdocs/[\w./-]*\w\.md\b|\bbench/README\.md\b")]
    private static partial Regex PageName();
}
