namespace Spawngate.Protocols.Tests;

/// <summary>Says once, for all tests that run over public test vectors, that there are none, and where to get them.</summary>
[TestFixture]
internal sealed class PublicVectorTests
{
    private const string HowToGetThem = $"""
        {TestData.Variable} is not set, so the tests over public test vectors (HPACK stories, the TOML 1.0 suite) have no cases. To run them:
          git clone https://github.com/http2jp/hpack-test-case vectors/hpack
          git clone https://github.com/toml-lang/toml-test && mv toml-test/tests vectors/toml-test
          {TestData.Variable}=$PWD/vectors dotnet test
        """;

    [Test]
    public void The_public_test_vectors_are_there()
    {
        if (TestData.Folder is null)
        {
            Assert.Ignore(HowToGetThem);
        }

        string hpack = TestData.Find("hpack")!;
        string toml = TestData.Find("toml-test")!;
        Assert.That(Directory.EnumerateFiles(hpack, "story_*.json", SearchOption.AllDirectories).Count(), Is.GreaterThan(120), hpack);
        Assert.That(File.ReadLines(Path.Combine(toml, "files-toml-1.0.0")).Count(), Is.GreaterThan(600), toml);
    }
}
