using System.Globalization;
using System.Text;
using System.Text.Json;
using NUnit.Framework.Interfaces;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>
/// A test with a real engine. Tests share one and run beside each other, so whatever a test names there carries its <see cref="Id"/>;
/// afterwards the gateways must end by SIGTERM and no container with that id may be left.
/// </summary>
[LongRunning]
internal abstract class DockerTest
{
    private readonly List<DockerEngine> _own = [];
    private DockerEngine? _engine;
    private ControlListener? _containers;

    /// <summary>Eight characters that no other test has.</summary>
    protected string Id { get; } = Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..8];

    /// <summary>A host name, and with it a name of a container, that no other test has.</summary>
    protected string Host => $"app-{Id}.test";

    /// <summary>The shared engine.</summary>
    protected DockerEngine Engine => _engine!;

    /// <summary>Its API.</summary>
    protected DockerApi Api => Engine.Api;

    /// <summary>Gateways, a folder, and where TestBackends outside of containers report.</summary>
    protected Scene Scene { get; } = new();

    /// <summary>Where TestBackends in containers on the default bridge report: see <see cref="ControlAddress"/>.</summary>
    protected ControlListener Containers => _containers ??= new ControlListener(Engine.Gateway);

    /// <summary>The value of <c>TESTBACKEND_CONTROL</c> in a container on the default bridge.</summary>
    protected string ControlAddress => $"{Engine.Gateway}:{Containers.Port}";

    /// <summary>
    /// Whether the test is tried on the framework-dependent gateway, too: few are, since it shows the same and takes longer.
    /// </summary>
    protected virtual bool RunsOnManaged => false;

    /// <summary>Gets the engine, or skips the test.</summary>
    [SetUp]
    public async Task GetEngineAsync()
    {
        if (!Executables.GatewayIsNative && !RunsOnManaged)
        {
            Assert.Ignore("tests with a Docker engine run on the native executable (SPAWNGATE_EXE)");
        }

        _engine = await DockerSetUp.EngineAsync();
    }

    /// <summary>Ends what the test started, and reports the logs of a failed test.</summary>
    [TearDown]
    public async Task EndAsync()
    {
        try
        {
            var faults = new StringBuilder(await Scene.StopAsync());
            foreach (DockerEngine engine in _own.Append(_engine).OfType<DockerEngine>().Where(each => !each.Ended))
            {
                faults.Append(await SweepAsync(engine));
            }

            if (faults.Length > 0 || TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            {
                await TestContext.Out.WriteLineAsync(Scene.Logs());
            }

            Assert.That(faults.ToString(), Is.Empty, "after the test");
        }
        finally
        {
            await Scene.DisposeAsync();
            _containers?.Dispose();
            foreach (DockerEngine engine in _own)
            {
                await engine.DisposeAsync();
            }
        }
    }

    /// <summary>An engine that this test may kill; it ends with the test.</summary>
    protected async Task<DockerEngine> OwnEngineAsync(params string[] arguments)
    {
        DockerEngine engine = await DockerEngine.StartNewAsync(arguments);
        _own.Add(engine);
        return engine;
    }

    /// <summary>
    /// The lines of a backend that runs the image of TestBackend, which reports to <see cref="Containers"/>, on the shared engine or on
    /// another one.
    /// </summary>
    /// <param name="args">TestBackend's arguments.</param>
    /// <param name="lines">Further lines of the table.</param>
    /// <param name="engine">Another engine than the shared one; its TestBackends report nothing.</param>
    protected async Task<string[]> BackendAsync(string[] args, string[]? lines = null, DockerEngine? engine = null)
    {
        string image = await (engine ?? Engine).Images.BackendAsync();
        string control = engine is null ? $"env = {{ TESTBACKEND_CONTROL = \"{ControlAddress}\" }}" : "";
        return
        [
            "type = \"docker\"",
            $"image = \"{image}\"",
            $"docker_host = \"{(engine ?? Engine).Host}\"",
            "port = 3000",
            "pull_policy = \"never\"",
            $"args = [{string.Join(", ", args.Select(ConfigFile.Quote))}]",
            control,
            .. lines ?? [],
        ];
    }

    /// <summary>Names of this test's containers, running or not.</summary>
    protected Task<List<string>> MineAsync() => MineAsync(Engine);

    private async Task<List<string>> MineAsync(DockerEngine engine) =>
        [.. (await engine.Api.NamesAsync()).Where(name => name.Contains(Id, StringComparison.Ordinal))];

    // A container that a test has made itself is removed by that test: what is found here is what the gateway left.
    private async Task<string> SweepAsync(DockerEngine engine)
    {
        var faults = new StringBuilder();
        try
        {
            foreach (string name in await MineAsync(engine))
            {
                JsonElement? container = await engine.Api.FindAsync(name);
                faults.Append($"left behind: container {name} {container?.GetProperty("State")}\n");
                await engine.Api.RemoveAsync(name);
            }
        }
        catch (HttpRequestException) when (_own.Contains(engine))
        {
            // The test has killed it, and its containers end with it.
        }

        return faults.ToString();
    }
}
