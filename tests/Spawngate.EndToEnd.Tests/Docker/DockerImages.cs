using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>The images of the tests on one engine.</summary>
internal sealed class DockerImages(DockerApi api)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Task<string>> _made = [];

    /// <summary>
    /// TestBackend on busybox. Its entry point is TestBackend, so the arguments of a backend are TestBackend's; it listens on all addresses
    /// at <c>PORT</c>.
    /// </summary>
    public Task<string> BackendAsync() => OnceAsync("spawngate-test/backend:1", MakeBackendAsync);

    /// <summary>Nothing but busybox, with its shell as command.</summary>
    public Task<string> BusyboxAsync() =>
        OnceAsync("spawngate-test/busybox:1", name =>
            api.ImportAsync(name, new ImageFiles().Busybox().Folder("/tmp").ToTar(), "CMD [\"/bin/sh\"]", "ENV PATH=/bin")
        );

    /// <summary>Makes an image at the first call for its name, and only then.</summary>
    public Task<string> OnceAsync(string name, Func<string, Task> makeAsync)
    {
        lock (_lock)
        {
            if (!_made.TryGetValue(name, out Task<string>? made))
            {
                _made[name] = made = NamedAsync();
            }

            return made;
        }

        async Task<string> NamedAsync()
        {
            await makeAsync(name);
            return name;
        }
    }

    private async Task MakeBackendAsync(string name)
    {
        if (File.Exists(Executables.Backend + ".dll"))
        {
            DockerEngine.Without("a container runs the native TestBackend only (./build.sh --with-test-backend, TESTBACKEND_EXE)");
        }

        ImageFiles files = await new ImageFiles().Busybox().Folder("/tmp").ProgramAsync(Executables.Backend, "/TestBackend");
        await api.ImportAsync(name, files.ToTar(), "ENTRYPOINT [\"/TestBackend\"]", "ENV TESTBACKEND_BIND=0.0.0.0", "ENV PATH=/bin");
    }
}
