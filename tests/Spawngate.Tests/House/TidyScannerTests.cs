namespace Spawngate.Tests;

/// <summary>That the scanner behind the house rules sees what it should, so that a green rule means something.</summary>
[Category("House")]
[TestFixture]
internal sealed class TidyScannerTests
{
    private const string Sample = """"
        namespace N;

        /// <summary>{ not a brace }</summary>
        internal sealed class Sample<T>(int a) : Base(a)
            where T : class
        {
            private static readonly int[] Table =
            [
                1, 2,
            ];

            private readonly Func<int, int> _f = x => { if (x > 0) { return 1; } return 0; };

            public int Short => 1;

            public string Text { get; init; } = "{";

            [Attribute("x(")]
            public int this[int i]
            {
                get
                {
                    return i switch { > 3 => 1, _ => 0 };
                }
            }

            public (int A, int B) Deep(string s) // }
            {
                if (s == $"{(s.Length > 0 ? "}" : "{")}")
                {
                    foreach (var c in s)
                    {
                        while (true)
                        {
                            try
                            {
                            }
                            finally
                            {
                            }
                        }
                    }
                }
                else if (s[0] == '{')
                {
                    lock (this)
                    {
                    }
                }

                return (1, 2);

                static int Local(int x)
                {
                    return x;
                }
            }

            public static int Arrow(int x) =>
                x switch
                {
                    1 => 2,
                    _ => 3,
                };

            [Test(new[] { 1 })]
            [Test(
                "x"
            )]
            public static int[] Cases() =>
                [
                    .. Enumerable.Range(0, 3).Select(i => new Pair { A = i }.A),
                ];

            private enum Kind { A, B }
        }

        internal readonly record struct Pair(int A, int B);
        """";

    private static Declaration Find(string name) => CSharpOutline.Read(Sample).Single(declaration => declaration.Name == name);

    [Test]
    public void Declarations_are_found_with_their_lines_and_nesting()
    {
        Assert.That(
            CSharpOutline.Read(Sample).Where(declaration => declaration.Kind == OutlineKind.Type).Select(type => type.Name),
            Is.EqualTo(["Kind", "Sample", "Pair"])
        );
        Assert.That(
            CSharpOutline.Read(Sample).Where(declaration => declaration.Kind == OutlineKind.Function).Select(function => function.Name),
            Is.EqualTo(["get", "Local", "Deep", "Arrow", "Cases"])
        );
        Assert.That((Find("Deep").Lines, Find("Deep").Nesting), Is.EqualTo((31, 4)));
        Assert.That((Find("Local").Lines, Find("Local").Nesting), Is.EqualTo((4, 0)));
        Assert.That((Find("get").Lines, Find("get").Nesting), Is.EqualTo((4, 0)));
        Assert.That((Find("Arrow").Lines, Find("Arrow").IsTable), Is.EqualTo((6, false)));
        Assert.That((Find("Cases").Lines, Find("Cases").IsTable), Is.EqualTo((4, true)), "without its attributes");
        Assert.That(Find("Cases").Attributes, Does.Contain("Test("));
        Assert.That(Find("Sample").FirstLine, Is.EqualTo(4));
    }

    [TestCase("a \"b\" c")]
    [TestCase("a \"\\\"\" c")]
    [TestCase("a @\"\\\" c")]
    [TestCase("a @\"\"\"\" c")]
    [TestCase("a $\"{x(\"}\")}\" c")]
    [TestCase("a $\"{{\" c")]
    [TestCase("a $@\"{x}\\\" c")]
    [TestCase("a '\"' c")]
    [TestCase("a '\\'' c")]
    [TestCase("a '\\u0041' c")]
    [TestCase("a // b\nc")]
    [TestCase("a /* \" */ c")]
    [TestCase("a \"\"\"b \" c\"\"\" c")]
    [TestCase("a $$\"\"\"\"b \"\"\" {\"\"\"\"\" c")]
    public void Strings_and_comments_are_masked(string source)
    {
        var masked = CSharpText.Mask(source);

        Assert.That(masked, Has.Length.EqualTo(source.Length));
        Assert.That(masked.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(["a", "c"]));
        Assert.That(masked.Count(c => c == '\n'), Is.EqualTo(source.Count(c => c == '\n')));
    }

    [TestCase("a \"b\" c", "a \"b\" c")]
    [TestCase("a \"\" // c", "a \"\" // c")]
    [TestCase("a @\"b\nb\" c", "a \n c")]
    [TestCase("a $@\"{x}\" c", "a  c")]
    [TestCase("a \"\"\"b\nb\"\"\" c", "a \n c")]
    [TestCase("a $$\"\"\"\"b \"\"\" {\"\"\"\" c", "a  c")]
    public void Raw_and_verbatim_strings_are_left_out(string source, string expected) =>
        Assert.That(CSharpText.WithoutRawText(source), Is.EqualTo(expected));

    [TestCase("private const int HeadBytesMax = 5;", "HeadBytesMax")]
    [TestCase("const long MaxFoo = 5;", "MaxFoo")]
    [TestCase("static readonly TimeSpan DrainTimeout = x;", "DrainTimeout")]
    [TestCase("var b = new byte[4096];", "new byte[4096]")]
    [TestCase("Span<byte> b = stackalloc byte[8 * 1024];", "stackalloc byte[8 * 1024]")]
    [TestCase("var q = new Queue<int>(100);", "new Queue<int>(100")]
    [TestCase("var p = ArrayPool<byte>.Shared.Rent(65_536);", "Rent(65_536")]
    [TestCase("var t = TimeSpan.FromSeconds(5);", "TimeSpan.FromSeconds(5")]
    [TestCase("var c = Channel.CreateBounded<int>(128);", "CreateBounded<int>(128")]
    [TestCase("const int TagBytes = 5;", null)]
    [TestCase("Span<char> utf16 = stackalloc char[2];", null)]
    [TestCase("var b = new byte[Limits.ReadBytes];", null)]
    [TestCase("var t = TimeSpan.FromSeconds(config.IdleTimeoutSecs);", null)]
    [TestCase("// const int FooMax = 5;", null)]
    public void Bounds_are_recognised(string source, string? name) =>
        Assert.That(TidyBounds.Find(source).Select(bound => bound.Name), name is null ? Is.Empty : Is.EqualTo([name]));

    [TestCase("ConfigLimits", true)]
    [TestCase("ConfigLimits.PortMax", true)]
    [TestCase("Tidy.cs", true)]
    [TestCase("src/Spawngate/Config/", true)]
    [TestCase("GET /health", true)]
    [TestCase("Content-Length", true)]
    [TestCase("NoSuchThing", false)]
    [TestCase("Limits.NoSuchThing", false)]
    [TestCase("NoSuchThing.cs", false)]
    [TestCase("src/Spawngate/Nowhere/", false)]
    public void Names_in_documents_are_looked_up(string name, bool exists) =>
        Assert.That(TidyDocs.Exists(name, ["ConfigLimits", "PortMax"]), Is.EqualTo(exists));
}
