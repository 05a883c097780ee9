using System.Threading.Channels;
using NUnit.Framework.Interfaces;
using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http1;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>
/// One gateway for the tests of this namespace that leave it as they found it: a TestBackend, one with little patience, and some that a
/// test scripts.
/// </summary>
[SetUpFixture]
internal sealed class Http2Gateway
{
    private const int Scripted = 4;
    private static readonly Channel<FaultyBackend> Free = Channel.CreateBounded<FaultyBackend>(Scripted);
    private static readonly List<ScriptedUpstream> Upstreams = [];
    private static Scene? _scene;
    private static GatewayProcess? _gateway;

    /// <summary>The gateway.</summary>
    public static GatewayProcess Gateway => _gateway!;

    /// <summary>Where its backends report.</summary>
    public static ControlListener Control => _scene!.Control;

    /// <summary>Borrows a scripted backend.</summary>
    public static ValueTask<FaultyBackend> TakeAsync() => Free.Reader.ReadAsync();

    /// <summary>Gives it back.</summary>
    public static void Give(FaultyBackend backend)
    {
        backend.Answers((peer, _) => Task.FromResult(false));
        Free.Writer.TryWrite(backend);
    }

    [OneTimeSetUp]
    public static async Task StartAsync()
    {
        _scene = new Scene();
        ConfigFile config = new ConfigFile()
            .Defaults("request_timeout_secs = 20")
            .TestBackend(Http2Test.Host)
            .TestBackendWith(Http2Test.ImpatientHost, ["request_timeout_secs = 1"], "--name=impatient")
            .Backend(Http2Test.BrokenHost, "command = \"false\"");
        string[] hosts = [.. Enumerable.Range(0, Scripted).Select(each => $"scripted-{each}.test")];
        Array.ForEach(hosts, host => ScriptedUpstream.Configure(config, host));
        _gateway = await _scene.GatewayAsync(config);
        foreach (string host in hosts)
        {
            var backend = new FaultyBackend(host, isPatient: true);
            Upstreams.Add(await ScriptedUpstream.StartAsync(_gateway, _scene.Control, host, backend.ServeAsync));
            Give(backend);
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

/// <summary>A test that uses the shared gateway.</summary>
internal abstract class Http2Test
{
    /// <summary>Host name of the shared backend.</summary>
    public const string Host = "app.test";

    /// <summary>Host name of a backend with a request timeout of a second.</summary>
    public const string ImpatientHost = "impatient.test";

    /// <summary>Host name of a backend that cannot start.</summary>
    public const string BrokenHost = "broken.test";

    private const int LogLinesShown = 40;

    /// <summary>The shared gateway.</summary>
    protected static GatewayProcess Gateway => Http2Gateway.Gateway;

    /// <summary>Its port.</summary>
    protected static int Port => Gateway.Port;

    /// <summary>Shows the end of the shared log with a failed test.</summary>
    [TearDown]
    public async Task ShowLogAsync()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
        {
            await TestContext.Out.WriteLineAsync(string.Join('\n', Gateway.Log.Lines.TakeLast(LogLinesShown).Select(line => line.Text)));
        }
    }

    /// <summary>A connection to the shared gateway.</summary>
    protected static Task<H2Client> ConnectAsync(params (ushort Id, uint Value)[] settings) => H2Client.ConnectAsync(Port, settings);

    /// <summary>A stream ended as it should, and its connection serves on.</summary>
    protected static async Task StillServesAsync(H2Client client)
    {
        RawResponse response = await client.ExchangeAsync(Host, "/status?code=200");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "status 200")));
        Assert.That(client.LastGoAway, Is.Null);
    }

    /// <summary>Asserts that a stream was reset and how.</summary>
    protected static async Task ResetAsync(H2Stream stream, H2Error code)
    {
        Assert.That(await stream.ResetAsync(), Is.EqualTo(code));
        Assert.That(async () => await stream.ResponseAsync(), Throws.InstanceOf<StreamResetException>());
    }
}
