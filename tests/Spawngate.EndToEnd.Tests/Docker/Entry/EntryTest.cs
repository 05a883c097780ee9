using NUnit.Framework.Interfaces;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>
/// A test of Spawngate as the entry point of a container: nobody in particular, without a capability, on a file system that cannot be
/// written.
/// </summary>
internal abstract class EntryTest : DockerTest
{
    private readonly List<GatewayContainer> _containers = [];

    /// <summary>The configuration of a backend that the executable itself can play, so that an image with nothing else has one.</summary>
    protected const string Hello = "command = \"spawngate\"\nargs = [\"hello\"]\nidle_timeout_secs = 0\n";

    /// <summary>A stop takes less than this: one that waits out the grace period takes 10 s.</summary>
    protected const double StopMsMax = 9000;

    /// <summary>The folder that is mounted at /etc/spawngate.</summary>
    protected string ConfigFolder => Path.Combine(Scene.Folder, "etc");

    /// <summary>Ends this test's containers before the look for what was left behind.</summary>
    [TearDown]
    public async Task EndContainersAsync()
    {
        foreach (GatewayContainer container in _containers)
        {
            if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            {
                await TestContext.Out.WriteLineAsync($"--- log of {container.Name}\n{container.LogText}");
            }

            await Api.RemoveAsync(container.Name);
        }
    }

    /// <summary>Writes the configuration in one step, as an editor does.</summary>
    protected void Configure(string text)
    {
        Directory.CreateDirectory(ConfigFolder);
        string fresh = Path.Combine(ConfigFolder, "config.toml.new");
        File.WriteAllText(fresh, text);
        File.Move(fresh, Path.Combine(ConfigFolder, "config.toml"), overwrite: true);
    }

    /// <summary>The lines of a backend that runs a shell script, in which <c>$0</c> is TestBackend.</summary>
    protected static string Shell(string script) =>
        $"command = \"/bin/sh\"\nargs = [\"-c\", '''{script}''', \"/TestBackend\"]\nidle_timeout_secs = 0\n";

    /// <summary>A container of the test's own making is ended with the others.</summary>
    protected GatewayContainer Add(GatewayContainer container)
    {
        _containers.Add(container);
        return container;
    }

    /// <summary>Starts a container and waits until Spawngate serves in it.</summary>
    protected async Task<GatewayContainer> RunAsync(string image, string config, bool init = false, object? healthcheck = null)
    {
        GatewayContainer container = await CreateAsync(image, config, init, healthcheck);
        await container.StartAsync();
        await container.ServesAsync();
        return container;
    }

    /// <summary>Creates a container with a configuration.</summary>
    protected async Task<GatewayContainer> CreateAsync(
        string image,
        string config,
        bool init = false,
        object? healthcheck = null,
        string[]? arguments = null
    )
    {
        Configure(config);
        string[] marker = [.. Scene.Environment.Where(each => each.Key == "SPAWNGATE_TEST").Select(each => $"{each.Key}={each.Value}")];
        return Add(
            await GatewayContainer.CreateAsync(
                Api,
                $"entry-{Id}-{_containers.Count}",
                new
                {
                    Image = image,
                    User = "12345:12345",
                    Cmd = arguments ?? [],
                    Env = marker.Append("TESTBACKEND_CONTROL=" + ControlAddress),
                    Healthcheck = healthcheck,
                    HostConfig = new
                    {
                        ReadonlyRootfs = true,
                        CapDrop = new[] { "ALL" },
                        SecurityOpt = new[] { "no-new-privileges" },
                        Init = init,
                        Binds = new[] { $"{ConfigFolder}:/etc/spawngate:ro" },
                        PortBindings = new Dictionary<string, object>
                        {
                            ["80/tcp"] = new[] { new { HostIp = "127.0.0.1", HostPort = "" } },
                        },
                    },
                    ExposedPorts = new Dictionary<string, object> { ["80/tcp"] = new { } },
                }
            )
        );
    }
}
