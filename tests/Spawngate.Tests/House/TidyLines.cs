using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>The rules about single lines: what they refer to is here or in an RFC.</summary>
[Category("House")]
[TestFixture]
internal sealed class TidyLines
{
    private static readonly string[] Files =
    [
        .. new[] { "src", "tests", "bench" }
            .SelectMany(static folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories))
            .Select(static file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
            .Where(static path => !Regex.IsMatch(path, "(^|/)(bin|obj|artifacts)/"))
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>A section without a document, and the document that everything else was written after, lead nowhere.</summary>
    [Test]
    public void What_comments_refer_to_can_be_found() =>
        AssertNone(
            from path in Files
            where path != "tests/Spawngate.Tests/House/TidyLines.cs"
            from line in Lines(path)
            let comment = Regex.Match(line.Text, "//.*").Value
            where
                Regex.IsMatch(comment, @"\bspec section|\bthe contract\b")
                || (Regex.IsMatch(comment, @"^///? [Ss]ection \d") && !Regex.IsMatch(line.Before, @"RFC \d+,?\s*$"))
                || Regex.IsMatch(comment, @"\([Ss]ection \d")
            select $"{path}:{line.Number}: {comment}"
        );

    private static IEnumerable<(int Number, string Text, string Before)> Lines(string path)
    {
        string[] lines = File.ReadAllLines(Repository.PathOf(path));
        return lines.Select((text, i) => (i + 1, text, i > 0 ? lines[i - 1] : ""));
    }

    private static void AssertNone(IEnumerable<string> findings) => Assert.That(string.Join('\n', findings), Is.Empty);
}
