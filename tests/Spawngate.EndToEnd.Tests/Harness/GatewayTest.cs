using NUnit.Framework.Interfaces;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>A test that sets up a scene of its own; afterwards everything must end by SIGTERM and nothing may be left.</summary>
internal abstract class GatewayTest
{
    /// <summary>The host name that most tests use.</summary>
    protected const string Host = "app.test";

    /// <summary>What this test starts.</summary>
    protected Scene Scene { get; } = new();

    /// <summary>The control listener of the scene.</summary>
    protected ControlListener Control => Scene.Control;

    /// <summary>Ends the scene and reports the logs of a failed test.</summary>
    [TearDown]
    public async Task EndSceneAsync()
    {
        try
        {
            string faults = await Scene.StopAsync();
            if (faults.Length > 0 || TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            {
                await TestContext.Out.WriteLineAsync(Scene.Logs());
            }

            Assert.That(faults, Is.Empty, "after the test");
        }
        finally
        {
            await Scene.DisposeAsync();
        }
    }

    /// <summary>Starts a gateway with one TestBackend at <see cref="Host"/>.</summary>
    protected Task<GatewayProcess> GatewayAsync(params string[] backendArgs) =>
        Scene.GatewayAsync(new ConfigFile().TestBackend(Host, backendArgs));
}
