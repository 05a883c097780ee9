using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>
/// The house rules as tests over the repository's own text. Exceptions are listed, with reasons, in <see cref="TidyExceptions"/>.
/// </summary>
[Category("House")]
[TestFixture]
internal sealed class Tidy
{
    private const int FileLinesMax = 600;
    private const int FunctionLinesMax = 70;
    private const int ColumnsMax = 140;
    private const int NestingMax = 3;

    private static readonly string[] CodeFolders = ["src", "tests", "bench"];

    /// <summary>Rules for calls: name, pattern over masked code, where it holds, and what to do instead.</summary>
    private static readonly (string Rule, string Pattern, Func<string, bool> Holds, string Instead)[] CallRules =
    [
        ("Thread.Sleep", @"\bThread\.Sleep\b", _ => true, "wait for the event"),
        ("Task.Delay", @"\bTask\.Delay\b", path => Regex.IsMatch(path, "^tests/(?!TestBackend/)"), "wait for the event"),
        (".Result", @"\.Result\b(?!\s*[=(])(?=\s*[;,.)\]])", IsSource, "await it"),
        (".Wait()", @"(?<!Monitor)\.Wait\(\)", IsSource, "await it"),
        ("GetAwaiter().GetResult()", @"\.GetAwaiter\(\)\s*\.GetResult\(\)", path => IsSource(path) && !IsProgram(path), "await it"),
        ("DateTime.Now", @"\bDateTime(?:Offset)?\.(?:Now|UtcNow|Today)\b", _ => true, "take a TimeProvider"),
        ("Environment.TickCount", @"\bEnvironment\.TickCount(?:64)?\b", IsSource, "take a TimeProvider or the CoarseClock"),
        ("Stopwatch", @"\bStopwatch\b", IsSource, "take a TimeProvider or the CoarseClock"),
        (
            "Console",
            @"\bConsole\.(?:Write|Out|Error|Read)",
            path => IsSource(path) && !IsProgram(path) && !IsCommandLine(path),
            "log, or take a TextWriter"
        ),
        (
            "Process.Start",
            @"\bProcess\.Start\b|\bnew Process\b",
            path => IsSource(path) && !path.Contains("/Platform/", StringComparison.Ordinal),
            "start children in Platform/ only"
        ),
        (
            "OpenSSL",
            @"\b(?:RandomNumberGenerator|(?:SHA|HMACSHA|MD|HMACMD)\d\w*|Aes)\b",
            path => IsSource(path) && !path.EndsWith("/Platform/Entropy.cs", StringComparison.Ordinal),
            "it loads OpenSSL; random bytes come from Entropy"
        ),
        ("async void", @"\basync\s+void\b", _ => true, "return a Task"),
        ("GC.Collect", @"\bGC\.Collect\b", IsSource, "leave it to the runtime"),
        ("unbounded channel", @"\bCreateUnbounded(?:Prioritized)?\b", IsSource, "bound it, in Limits.cs"),
        ("mocking", @"\b(?:Moq|NSubstitute|FakeItEasy)\b", _ => true, "write the fake by hand"),
    ];

    private static IEnumerable<string> CodeFiles() => TextFiles().Where(path => path.EndsWith(".cs", StringComparison.Ordinal));

    private static string[] SourceFiles() => [.. CodeFiles().Where(IsSource)];

    /// <summary>Every text file of the repository by its path with forward slashes, without what builds leave behind.</summary>
    private static List<string> TextFiles()
    {
        string[] kinds = [".cs", ".md", ".toml", ".sh", ".props", ".targets", ".csproj", ".json", ".yml", ".lua", ".py", ".js"];
        var folders = CodeFolders.Append("docs").Append(".ci").Select(folder => Repository.PathOf(folder)).Where(Directory.Exists);
        return
        [
            .. folders
                .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
                .Concat(Directory.EnumerateFiles(Repository.Root))
                .Select(file => Path.GetRelativePath(Repository.Root, file).Replace('\\', '/'))
                .Where(path => kinds.Contains(Path.GetExtension(path)) || path.StartsWith(".ci/", StringComparison.Ordinal))
                .Where(path => !Regex.IsMatch(path, "(^|/)(bin|obj|artifacts|TestResults|node_modules|BenchmarkDotNet.Artifacts)/"))
                .Order(StringComparer.Ordinal),
        ];
    }

    private static string Read(string path) => File.ReadAllText(Repository.PathOf(path));

    private static bool IsSource(string path) => path.StartsWith("src/", StringComparison.Ordinal);

    private static bool IsProgram(string path) => path.EndsWith("/Program.cs", StringComparison.Ordinal);

    private static bool IsCommandLine(string path) => Regex.IsMatch(path, "/(CommandLine|Cli|Commands)/|/CommandLine[^/]*\\.cs$");

    private static void AssertNone(IEnumerable<(string Key, string Finding)> findings, Dictionary<string, string> exceptions)
    {
        var all = findings.ToList();
        var unused = exceptions
            .Keys.Except(all.Select(finding => finding.Key))
            .Select(key => $"the exception \"{key}\" excuses nothing any more");
        AssertEmpty(all.Where(finding => !exceptions.ContainsKey(finding.Key)).Select(finding => finding.Finding).Concat(unused));
    }

    private static void AssertEmpty(IEnumerable<string> findings) => Assert.That(string.Join('\n', findings), Is.Empty);

    [Test]
    public void Files_are_short_enough_to_read() =>
        AssertNone(
            from path in CodeFiles()
            let lines = File.ReadLines(Repository.PathOf(path)).Count()
            where lines > FileLinesMax
            select (path, $"{path}: {lines} lines, at most {FileLinesMax}"),
            TidyExceptions.LongFiles
        );

    [Test]
    public void Functions_are_short_and_flat() =>
        AssertNone(
            from path in CodeFiles()
            from function in CSharpOutline.Read(Read(path))
            where
                function.Kind == OutlineKind.Function
                && ((function.Lines > FunctionLinesMax && !function.IsTable) || function.Nesting > NestingMax)
            select (
                $"{path}: {function.Name}",
                $"{path}:{function.FirstLine}: {function.Name}: {function.Lines} lines (at most {FunctionLinesMax}), "
                    + $"{function.Nesting} levels (at most {NestingMax})"
            ),
            TidyExceptions.Functions
        );

    /// <summary>
    /// Only what stands in a raw or verbatim string may make a line longer: there the text is written as it is, and a break would be part
    /// of it. Any other string is put together from pieces.
    /// </summary>
    [Test]
    public void Lines_are_short_enough_to_read() =>
        AssertEmpty(
            from path in CodeFiles()
            from line in CSharpText.WithoutRawText(Read(path)).Split('\n').Index()
            where line.Item.Length > ColumnsMax
            select $"{path}:{line.Index + 1}: {line.Item.Length} columns, at most {ColumnsMax}"
        );

    [Test]
    public void Types_are_named_after_things_not_roles() =>
        AssertNone(
            from path in CodeFiles()
            from type in CSharpOutline.Read(Read(path))
            where
                type.Kind == OutlineKind.Type
                && Regex.IsMatch(type.Name, "(Manager|Helper|Util|Utils|Utilities|Service|Handler)s?([A-Z]|$)")
            select (type.Name, $"{path}:{type.FirstLine}: {type.Name}"),
            TidyExceptions.TypeNames
        );

    [Test]
    public void Bounds_live_in_one_place() =>
        AssertNone(
            from path in SourceFiles()
            where Path.GetFileName(path) != "Limits.cs"
            from finding in TidyBounds.Find(Read(path))
            select (
                $"{path}: {finding.Name}",
                $"{path}:{finding.Line}: {finding.Name} is a bound, which belongs in Limits.cs with its reason"
            ),
            TidyExceptions.Bounds
        );

    [Test]
    public void Every_bound_has_its_reason()
    {
        var findings = new List<string>();
        foreach (var path in SourceFiles().Where(path => Path.GetFileName(path) == "Limits.cs"))
        {
            var lines = File.ReadAllLines(Repository.PathOf(path));
            for (var i = 0; i < lines.Length; i++)
            {
                var comment = string.Concat(
                    lines.Take(i).Reverse().TakeWhile(line => line.TrimStart().StartsWith("///", StringComparison.Ordinal))
                );
                if (lines[i].Contains(" const ", StringComparison.Ordinal) && comment.Length < 60)
                {
                    findings.Add($"{path}:{i + 1}: {lines[i].Trim()}");
                }
            }
        }

        AssertEmpty(findings);
    }

    [Test]
    public void Banned_calls_are_not_made() =>
        AssertNone(
            from path in CodeFiles()
            let masked = CSharpText.Mask(Read(path))
            from rule in CallRules
            where rule.Holds(path)
            from Match match in Regex.Matches(masked, rule.Pattern)
            select ($"{path}: {rule.Rule}", $"{path}:{LineOf(masked, match.Index)}: {rule.Rule}: {rule.Instead}"),
            TidyExceptions.Calls
        );

    [Test]
    public void Types_and_their_public_members_are_documented() =>
        AssertNone(
            from path in SourceFiles()
            from declaration in TidyDocs.FindUndocumented(Read(path))
            select ($"{path}: {declaration.Name}", $"{path}:{declaration.FirstLine}: {declaration.Header} has no XML docs"),
            TidyExceptions.Docs
        );

    [Test]
    public void Texts_speak_of_the_product_only()
    {
        // The patterns are written in two parts so that this file does not match itself.
        string[] banned =
        [
            @"(?<![\w./])/wo" + @"rk/",
            @"(?<![\w./])/ro" + @"ot/",
            @"\bissue\s" + @"#?\d+\b",
            @"\bthis se" + @"ssion\b",
            @"\bthe br" + @"ief\b",
            @"\bTO" + @"DO\b|\bFIX" + @"ME\b",
            @"\bClau" + @"de\b|\bAnthr" + @"opic\b|\bChat" + @"GPT\b|\blanguage mo" + @"del\b",
        ];
        var findings =
            from path in TextFiles()
            let text = Read(path)
            from pattern in banned
            from Match match in Regex.Matches(text, pattern, RegexOptions.IgnoreCase)
            select $"{path}:{LineOf(text, match.Index)}: {match.Value}";

        AssertEmpty(findings);
    }

    [Test]
    public void What_the_architecture_names_exists()
    {
        var document = Repository.PathOf("docs", "ARCHITECTURE.md");
        if (!File.Exists(document))
        {
            Assert.Ignore("docs/ARCHITECTURE.md does not exist.");
        }

        var code = string.Join('\n', CodeFiles().Select(path => CSharpText.Mask(Read(path))));
        var identifiers = Regex.Matches(code, @"\b[A-Z]\w+").Select(match => match.Value).ToHashSet();
        var named = Regex.Matches(File.ReadAllText(document), @"(?<!`)`([^`\n]+)`(?!`)").Select(match => match.Groups[1].Value);
        AssertNone(
            named
                .Distinct()
                .Where(name => !TidyDocs.Exists(name, identifiers))
                .Select(name => (name, $"docs/ARCHITECTURE.md names `{name}`, which does not exist")),
            TidyExceptions.DocumentedNames
        );
    }

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;
}
