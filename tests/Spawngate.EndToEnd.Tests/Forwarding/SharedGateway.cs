using NUnit.Framework.Interfaces;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>One gateway and one backend for all tests of this namespace that leave both as they found them.</summary>
[SetUpFixture]
internal sealed class SharedGateway
{
    private static Scene? _scene;
    private static GatewayProcess? _gateway;

    /// <summary>The running gateway.</summary>
    public static GatewayProcess Gateway => _gateway!;

    /// <summary>Where its backend reports.</summary>
    public static ControlListener Control => _scene!.Control;

    [OneTimeSetUp]
    public static async Task StartAsync()
    {
        _scene = new Scene();
        _gateway = await _scene.GatewayAsync(
            new ConfigFile()
                .Defaults("request_timeout_secs = 10")
                .TestBackend(SharedGatewayTest.Host)
                .TestBackendWith("impatient.test", ["request_timeout_secs = 1"], "--name=impatient")
        );
    }

    [OneTimeTearDown]
    public static async Task StopAsync()
    {
        string faults = await _scene!.StopAsync();
        if (faults.Length > 0)
        {
            await TestContext.Out.WriteLineAsync(_scene.Logs());
        }

        await _scene.DisposeAsync();
        Assert.That(faults, Is.Empty);
    }
}

/// <summary>A test that uses the shared gateway.</summary>
internal abstract class SharedGatewayTest
{
    /// <summary>Host name of the shared backend.</summary>
    public const string Host = "app.test";

    private const int LogLinesShown = 40;

    /// <summary>Port of the shared gateway.</summary>
    protected static int Port => SharedGateway.Gateway.Port;

    /// <summary>Shows the end of the shared log with a failed test.</summary>
    [TearDown]
    public async Task ShowLogAsync()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
        {
            await TestContext.Out.WriteLineAsync(
                string.Join('\n', SharedGateway.Gateway.Log.Lines.TakeLast(LogLinesShown).Select(line => line.Text))
            );
        }
    }

    /// <summary>One request to the shared backend on a connection of its own.</summary>
    protected static Task<RawResponse> RequestAsync(string target, string method = "GET", string headers = "", string body = "") =>
        RawClient.RequestAsync(Port, Host, target, method, headers, body);

    /// <summary>A connection to the shared gateway.</summary>
    protected static Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(Port);
}
