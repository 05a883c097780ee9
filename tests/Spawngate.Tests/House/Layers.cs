using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Spawngate.Runtime;

namespace Spawngate.Tests;

/// <summary>
/// Each folder of src/Spawngate knows only those below it, so none can be part of a circle. It is read from the compiled assembly, in
/// which every use of a type stands, and from the <c>using</c> lines, because constants leave no trace in an assembly.
/// <code>
///   folder ──its types' bases, fields, signatures, bodies──▶ types of other folders ──▶ must stand further up in the list below
/// </code>
/// </summary>
[Category("House")]
[TestFixture]
internal sealed class Layers
{
    /// <summary>The folders of src/Spawngate from the lowest to the highest, as docs/ARCHITECTURE.md draws them.</summary>
    internal static readonly string[] Order =
    [
        "Runtime",
        "Logging",
        "Platform",
        "Transport",
        "Telemetry/History",
        "Telemetry",
        "Config/Toml",
        "Config",
        "Overload",
        "Upstreams",
        "Workloads",
        "Workloads/Processes",
        "Workloads/Docker",
        "Backends/Probing",
        "Backends",
        "Sessions",
        "Routing",
        "Forwarding",
        "Clients/Shared",
        "Clients/Http1",
        "Clients/Http2",
        "Clients",
        "Admin",
        "Supervision",
        "Hello",
        "Composition",
        "Commands",
        "",
    ];

    [Test]
    public void Every_folder_knows_only_those_below_it() =>
        Assert.That(string.Join('\n', Backward(Uses(typeof(CoarseClock).Assembly.Location), Order)), Is.Empty);

    /// <summary>
    /// Constants leave no trace in the assembly, so names that are written in full, in a <c>using</c> or elsewhere, count, too.
    /// </summary>
    [Test]
    public void No_name_in_the_text_points_upwards()
    {
        var uses = new List<TypeUse>();
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("src/Spawngate"), "*.cs", SearchOption.AllDirectories))
        {
            var folder = Path.GetRelativePath(Repository.PathOf("src/Spawngate"), Path.GetDirectoryName(file)!).Replace('\\', '/');
            uses.AddRange(WrittenUses(folder == "." ? "" : folder, Path.GetFileName(file), File.ReadAllText(file)));
        }

        Assert.That(uses, Has.Count.GreaterThan(300));
        Assert.That(string.Join('\n', Backward(uses, Order)), Is.Empty);
    }

    [TestCase("using Spawngate.Admin;", "Admin")]
    [TestCase("using static Spawngate.Admin.AdminLimits;", "Admin")]
    [TestCase("using Bounds = Spawngate.Admin.AdminLimits;", "Admin")]
    [TestCase("const int A = Spawngate.Telemetry.History.HistoryLimits.X;", "Telemetry/History")]
    [TestCase("const int A = global::Spawngate.Clients.Http2.Http2Limits.X;", "Clients/Http2")]
    [TestCase("const int A = Spawngate.SomethingOnTop.X;", "")]
    [TestCase("using Spawngate.Protocols.Http2; // Spawngate.Admin", null)]
    public void A_name_in_the_text_that_points_upwards_is_found(string line, string? folder)
    {
        var uses = WrittenUses("Runtime", "x.cs", $"{line}\nnamespace Spawngate.Runtime;\n").ToList();
        Assert.That(uses.Select(static use => use.To), Is.EqualTo(folder is null ? [] : new[] { folder }));
        Assert.That(Backward(uses, Order).Count(), Is.EqualTo(uses.Count));
    }

    [Test]
    public void Every_folder_has_its_place_and_its_namespace()
    {
        var folders = Directory
            .EnumerateFiles(Repository.PathOf("src/Spawngate"), "*.cs", SearchOption.AllDirectories)
            .Select(file => (File: file, Folder: Path.GetRelativePath(Repository.PathOf("src/Spawngate"), Path.GetDirectoryName(file)!)))
            .Where(each => !Regex.IsMatch(each.Folder, "(^|/)(bin|obj)(/|$)"))
            .Select(each => (each.File, Folder: each.Folder == "." ? "" : each.Folder.Replace('\\', '/')))
            .ToList();
        Assert.That(folders.Select(static each => each.Folder).Distinct(), Is.EquivalentTo(Order));
        Assert.That(
            folders.Where(each =>
                each.Folder != ""
                && !Regex.IsMatch(File.ReadAllText(each.File), $@"(?m)^namespace {Regex.Escape(NamespaceOf(each.Folder))};")
            ),
            Is.Empty
        );
    }

    [Test]
    public void The_architecture_draws_the_same_order()
    {
        var table = File.ReadAllText(Repository.PathOf("docs/ARCHITECTURE.md"));
        var drawn = Regex
            .Matches(table, @"^\| `src/Spawngate/([\w/]+)/?` \|", RegexOptions.Multiline)
            .Select(static match => match.Groups[1].Value);
        Assert.That(drawn, Is.EqualTo(Order.Where(static folder => folder != "").Reverse()));
    }

    [Test]
    public void A_use_that_points_upwards_is_found()
    {
        var uses = Uses(typeof(CoarseClock).Assembly.Location).ToList();
        var upside = Order.Reverse().ToArray();
        Assert.That(Backward(uses, upside).Count(), Is.GreaterThan(100), "every use that is right is wrong the other way round");
        Assert.That(
            uses.Select(static use => use.To),
            Is.SupersetOf(["Runtime", "Platform", "Transport", "Backends"]),
            "bases, fields, signatures and bodies are read"
        );
    }

    private static string NamespaceOf(string folder) =>
        folder == "" ? AssemblyUses.Root : $"{AssemblyUses.Root}.{folder.Replace('/', '.')}";

    private static IEnumerable<string> Backward(IEnumerable<TypeUse> uses, string[] order) =>
        uses.Where(use => use.From != use.To && Array.IndexOf(order, use.To) >= Array.IndexOf(order, use.From))
            .GroupBy(static use => (use.From, use.To))
            .Select(static pair =>
                $"{pair.Key.From} knows {pair.Key.To}, which is above it: "
                + string.Join(", ", pair.Select(static use => $"{use.FromType} uses {use.ToType}").Distinct().Take(4))
            );

    private static IEnumerable<TypeUse> WrittenUses(string folder, string file, string source) =>
        from Match match in Regex.Matches(CSharpText.Mask(source), @"(?<!namespace )\bSpawngate\.([\w.]+)")
        let name = match.Groups[1].Value.Replace('.', '/')
        where !$"{name}/".StartsWith("Protocols/", StringComparison.Ordinal)
        let to = Order.Where(below => below != "" && $"{name}/".StartsWith($"{below}/", StringComparison.Ordinal)).MaxBy(x => x.Length)
        select new TypeUse(folder, file, to ?? "", match.Value);

    private static IEnumerable<TypeUse> Uses(string assemblyPath)
    {
        using var file = File.OpenRead(assemblyPath);
        using var image = new PEReader(file);
        return new AssemblyUses(image).Read();
    }
}
