using System.Collections.Concurrent;

namespace Spawngate.Workloads.Docker;

/// <summary>An engine that can be used, or why there is none.</summary>
/// <param name="Engine">The engine.</param>
/// <param name="Error">For people: where it was looked for and what was found there.</param>
internal readonly record struct FoundEngine(DockerEngine? Engine, string? Error);

/// <summary>
/// Finds the engine of a backend: its <c>docker_host</c>, else <c>DOCKER_HOST</c>, else the first of the usual sockets that answers. There
/// is one <see cref="DockerEngine"/> for each address, however it was found.
/// </summary>
/// <param name="make">Makes the engine of an address.</param>
/// <param name="variable">Reads a variable of the environment.</param>
/// <param name="time">The time.</param>
internal sealed class DockerEngines(Func<EngineAddress, DockerEngine> make, Func<string, string?> variable, TimeProvider time)
{
    private readonly ConcurrentDictionary<EngineAddress, Lazy<DockerEngine>> _engines = [];
    private EngineAddress? _usual;

    /// <summary>All that were made.</summary>
    public IReadOnlyList<DockerEngine> All => [.. _engines.Values.Select(static made => made.Value)];

    /// <summary>The sockets that are tried when nothing names one, in order.</summary>
    public static IReadOnlyList<string> UsualSockets(Func<string, string?> variable)
    {
        List<string> paths = ["/var/run/docker.sock"];
        if (variable("HOME") is { Length: > 0 } home)
        {
            paths.AddRange([$"{home}/.docker/run/docker.sock", $"{home}/.colima/default/docker.sock", $"{home}/.rd/docker.sock"]);
        }

        if (variable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime)
        {
            paths.Add($"{runtime}/podman/podman.sock");
        }

        return paths;
    }

    /// <summary>Finds an engine that answers.</summary>
    /// <param name="dockerHost">The backend's <c>docker_host</c>; null without one.</param>
    /// <param name="tlsDir">The backend's <c>docker_tls_dir</c>, which belongs to that; null without one.</param>
    /// <param name="cancel">Ends the search with an <see cref="OperationCanceledException"/>.</param>
    public Task<FoundEngine> FindAsync(string? dockerHost, string? tlsDir, CancellationToken cancel)
    {
        if (dockerHost is not null)
        {
            return ConnectAsync(dockerHost, tlsDir, "docker_host", cancel);
        }

        return variable("DOCKER_HOST") is { Length: > 0 } named
            ? ConnectAsync(named, TlsDirOfUser(), "DOCKER_HOST", cancel)
            : SearchAsync(cancel);
    }

    /// <summary>What belongs to <c>DOCKER_HOST</c> for Docker's own client.</summary>
    private string? TlsDirOfUser() =>
        variable("DOCKER_TLS_VERIFY") is not { Length: > 0 } ? null
        : variable("DOCKER_CERT_PATH") is { Length: > 0 } named ? Path.GetFullPath(named)
        : $"{variable("HOME")}/.docker";

    private async Task<FoundEngine> ConnectAsync(string text, string? tlsDir, string source, CancellationToken cancel)
    {
        if (EngineAddress.Parse(text, tlsDir) is not { } address)
        {
            return new FoundEngine(
                null,
                $"{source} is \"{text}\", which is no address of a Docker engine: allowed are unix:///path and tcp://host:port"
            );
        }

        var engine = EngineAt(address);
        return await engine.ConnectedAsync(cancel).ConfigureAwait(false) is { } error
            ? new FoundEngine(null, $"the Docker engine at {address} ({source}) does not answer: {error.Message}")
            : new FoundEngine(engine, null);
    }

    private async Task<FoundEngine> SearchAsync(CancellationToken cancel)
    {
        if (Volatile.Read(ref _usual) is { } known && await EngineAt(known).ConnectedAsync(cancel).ConfigureAwait(false) is null)
        {
            return new FoundEngine(EngineAt(known), null);
        }

        var findings = new List<string>();
        foreach (var path in UsualSockets(variable))
        {
            var address = EngineAddress.OfSocket(path);
            var error = await TryAsync(address, cancel).ConfigureAwait(false);
            if (error is null)
            {
                Volatile.Write(ref _usual, address);
                return new FoundEngine(EngineAt(address), null);
            }

            findings.Add($"{path}: {error.Message}");
        }

        return new FoundEngine(
            null,
            $"no Docker engine answers ({string.Join("; ", findings)}); docker_host or DOCKER_HOST names another place"
        );
    }

    /// <summary>Asks before an engine is made that would be kept.</summary>
    private async Task<EngineError?> TryAsync(EngineAddress address, CancellationToken cancel)
    {
        using var client = new EngineClient(address, time);
        return await client.ConnectAsync(cancel).ConfigureAwait(false)
            ?? await EngineAt(address).ConnectedAsync(cancel).ConfigureAwait(false);
    }

    private DockerEngine EngineAt(EngineAddress address) =>
        _engines.GetOrAdd(address, key => new Lazy<DockerEngine>(() => make(key))).Value;
}
