namespace Spawngate.Backends;

/// <summary>Stands where the Docker launcher goes: Docker settings are read and checked, starting one is refused with the reason.</summary>
internal sealed class UnsupportedDockerLauncher : ILauncher
{
    /// <inheritdoc/>
    public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel) =>
        Task.FromResult(new LaunchResult(null, "Docker backends are not supported yet by this version"));
}
