using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker.Entry;

/// <summary>Images with the static executable as entry point, made of what the Dockerfile says after <c>FROM scratch</c>.</summary>
internal static class SpawngateImage
{
    private const string Executable = "artifacts/spawngate-static";
    private const string FromBuildStage = "COPY --from=build /source/" + Executable;

    /// <summary>
    /// The static executable: <c>SPAWNGATE_STATIC_EXE</c>, else the one that <c>build.sh --static</c> made. Without one the test is
    /// skipped, or fails if an engine is required.
    /// </summary>
    public static string ExecutablePath()
    {
        string path = Environment.GetEnvironmentVariable("SPAWNGATE_STATIC_EXE") is { Length: > 0 } named
            ? Path.GetFullPath(named)
            : Path.Combine(Executables.Repository, Executable);
        if (!File.Exists(path))
        {
            DockerEngine.Without($"there is no static executable (./build.sh --static): {path}");
        }

        return path;
    }

    /// <summary>The image of the Dockerfile: the executable and nothing else.</summary>
    public static Task<string> ScratchAsync(DockerEngine engine) =>
        engine.Images.OnceAsync("spawngate-test/scratch:1", name =>
            engine.Api.BuildAsync(
                name,
                new ImageFiles().Copy(ExecutablePath(), Executable).Text("Dockerfile", FinalStage("FROM scratch")).ToTar()
            )
        );

    /// <summary>
    /// The same on busybox and TestBackend, for backends in the container: what people do who put Spawngate into their own image.
    /// </summary>
    public static async Task<string> WithBackendsAsync(DockerEngine engine)
    {
        string below = await engine.Images.BackendAsync();
        return await engine.Images.OnceAsync("spawngate-test/entry:1", name =>
            engine.Api.BuildAsync(
                name,
                new ImageFiles()
                    .Copy(ExecutablePath(), Executable)
                    .Text("Dockerfile", FinalStage($"FROM {below}\nENV TESTBACKEND_BIND=127.0.0.1"))
                    .ToTar()
            )
        );
    }

    // The image on which the last stage of the Dockerfile stands is replaced, and the executable comes from here instead of from the stage
    // that builds it.
    private static string FinalStage(string from)
    {
        string all = File.ReadAllText(Path.Combine(Executables.Repository, "Dockerfile"));
        string stage = all[(all.IndexOf("\nFROM scratch\n", StringComparison.Ordinal) + 1)..];
        Assert.That(stage, Does.Contain(FromBuildStage));
        return stage
            .Replace("FROM scratch", from, StringComparison.Ordinal)
            .Replace(FromBuildStage, "COPY " + Executable, StringComparison.Ordinal);
    }
}
