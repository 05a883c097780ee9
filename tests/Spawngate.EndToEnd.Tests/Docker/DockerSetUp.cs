namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>The engine that the tests share: started by the first that needs it, ended after the last.</summary>
[SetUpFixture]
internal sealed class DockerSetUp
{
    private static readonly Lock Starting = new();
    private static Task<DockerEngine>? _shared;

    /// <summary>The shared engine; who kills or fills an engine starts one of its own.</summary>
    public static Task<DockerEngine> EngineAsync()
    {
        lock (Starting)
        {
            return _shared ??= DockerEngine.StartNewAsync();
        }
    }

    [OneTimeTearDown]
    public async Task EndEngineAsync()
    {
        if (_shared is { IsCompletedSuccessfully: true } shared)
        {
            await (await shared).DisposeAsync();
        }
    }
}
