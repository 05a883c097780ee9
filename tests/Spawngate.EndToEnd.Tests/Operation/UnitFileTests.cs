using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>The unit files in docs/systemd, judged by systemd itself.</summary>
[Platform("Linux")]
internal sealed class UnitFileTests
{
    private string _folder = "";

    private static string Shipped => Path.Combine(Executables.Repository, "docs", "systemd");

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spawngate-test-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase]
    [TestCase("socket-only.conf")]
    [TestCase("docker.conf")]
    [TestCase("socket-only.conf", "docker.conf")]
    public async Task Systemd_finds_nothing_wrong(params string[] dropIns)
    {
        string systemd = Executables.FindOrSkip("systemd-analyze");
        string service = (await File.ReadAllTextAsync(Path.Combine(Shipped, "spawngate.service"))).Replace(
            "/usr/local/bin/spawngate",
            Executables.Gateway,
            StringComparison.Ordinal
        );
        await File.WriteAllTextAsync(Path.Combine(_folder, "spawngate.service"), service);
        File.Copy(Path.Combine(Shipped, "spawngate.socket"), Path.Combine(_folder, "spawngate.socket"));
        string additions = Directory.CreateDirectory(Path.Combine(_folder, "spawngate.service.d")).FullName;
        Array.ForEach(dropIns, name => File.Copy(Path.Combine(Shipped, name), Path.Combine(additions, name)));

        Tool verdict = await Tool.RunAsync(
            systemd,
            "verify",
            Path.Combine(_folder, "spawngate.service"),
            Path.Combine(_folder, "spawngate.socket")
        );

        // What it finds in other units of this machine is not our concern.
        Assert.That(verdict.Error.Split('\n').Where(line => line.Contains("spawngate", StringComparison.Ordinal)), Is.Empty);
    }
}
