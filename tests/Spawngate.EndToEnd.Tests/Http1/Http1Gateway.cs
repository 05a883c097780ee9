using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>One gateway for the tests of this namespace, in front of backends that the tests serve themselves.</summary>
[SetUpFixture]
internal sealed class Http1Gateway
{
    /// <summary>Host of the lenient backend.</summary>
    public const string LenientHost = "lenient.test";

    /// <summary>Hosts of the scripted backends; a test borrows one for itself.</summary>
    private static readonly (string Host, bool IsPatient)[] Faulty =
    [
        ("hasty-0.test", false),
        ("hasty-1.test", false),
        ("hasty-2.test", false),
        ("patient-0.test", true),
        ("patient-1.test", true),
        ("patient-2.test", true),
    ];

    private static readonly List<ScriptedUpstream> Upstreams = [];
    private static Scene? _scene;
    private static GatewayProcess? _gateway;

    /// <summary>The gateway.</summary>
    public static GatewayProcess Gateway => _gateway!;

    /// <summary>Its port.</summary>
    public static int Port => _gateway!.Port;

    /// <summary>The lenient backend.</summary>
    public static LenientServer Lenient { get; } = new();

    [OneTimeSetUp]
    public static async Task StartAsync()
    {
        _scene = new Scene();
        ConfigFile config = ScriptedUpstream.Configure(new ConfigFile().Server("header_timeout_secs = 1"), LenientHost);
        foreach ((string host, bool isPatient) in Faulty)
        {
            ScriptedUpstream.Configure(
                config,
                host,
                $"request_timeout_secs = {(isPatient ? 30 : 1)}",
                $"stream_timeout_secs = {(isPatient ? 0 : 1)}"
            );
        }

        _gateway = await _scene.GatewayAsync(config);
        Upstreams.Add(await ScriptedUpstream.StartAsync(_gateway, _scene.Control, LenientHost, Lenient.ServeAsync));
        foreach ((string host, bool isPatient) in Faulty)
        {
            var backend = new FaultyBackend(host, isPatient);
            Upstreams.Add(await ScriptedUpstream.StartAsync(_gateway, _scene.Control, host, backend.ServeAsync));
            FaultyBackend.Give(backend);
        }
    }

    [OneTimeTearDown]
    public static async Task StopAsync()
    {
        string faults = await _scene!.StopAsync();
        Upstreams.ForEach(each => each.Dispose());
        if (faults.Length > 0)
        {
            await TestContext.Out.WriteLineAsync(_scene.Logs());
        }

        await _scene.DisposeAsync();
        Assert.That(faults, Is.Empty);
    }
}
