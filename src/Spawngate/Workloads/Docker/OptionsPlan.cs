using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary><see cref="ContainerOptions"/> in the terms of the Engine API.</summary>
internal static class OptionsPlan
{
    private const string HostName = "host.docker.internal:";
    private const string HostGateway = HostName + "host-gateway";

    /// <summary>Adds them to a specification.</summary>
    /// <param name="options">The options.</param>
    /// <param name="spec">The specification.</param>
    /// <param name="init">Whether the engine's init is to be PID 1; null for as the engine is configured.</param>
    /// <param name="needsHostName">Whether the container has to know the machine by the name that Docker gives it.</param>
    public static void Add(ContainerOptions options, CreateContainerParameters spec, bool? init, bool needsHostName)
    {
        var host = spec.HostConfig!;
        spec.User = options.User ?? "";
        host.Init = init;
        host.ReadonlyRootfs = options.IsReadOnly;
        host.Mounts = [.. options.Volumes.Where(static volume => volume.Label.Length == 0).Select(MountOf)];
        // What Docker calls mounts has no words for SELinux.
        host.Binds = [.. options.Volumes.Where(static volume => volume.Label.Length > 0).Select(static volume => volume.ToString())];
        host.Tmpfs = options.Tmpfs.ToDictionary(static tmpfs => tmpfs.Target, static tmpfs => tmpfs.Options);
        host.ExtraHosts = [.. options.ExtraHosts];
        if (needsHostName && !options.ExtraHosts.Any(static each => each.StartsWith(HostName, StringComparison.Ordinal)))
        {
            host.ExtraHosts.Add(HostGateway);
        }

        if (options.Gpus is { } gpus)
        {
            host.DeviceRequests =
            [
                new DeviceRequest
                {
                    Count = gpus.Count,
                    DeviceIDs = [.. gpus.Ids],
                    Capabilities =
                    [
                        ["gpu"],
                    ],
                },
            ];
        }
    }

    /// <summary>
    /// How often the image's check runs until it is ready: as the image says, else often. Docker waits as long before the first check as
    /// between any two later ones, which is 30 s unless the image says otherwise.
    /// </summary>
    /// <param name="check">The image's check.</param>
    /// <param name="startupSecs">Seconds that the start may take, in which failures do not count yet.</param>
    public static HealthcheckConfig WhileStarting(HealthcheckConfig check, int startupSecs) =>
        new()
        {
            StartPeriod = check.StartPeriod is { Ticks: > 0 } period ? period : TimeSpan.FromSeconds(startupSecs),
            StartInterval = check.StartInterval is { Ticks: > 0 } interval
                ? interval
                : TimeSpan.FromMilliseconds(DockerLimits.HealthStartIntervalMs),
        };

    /// <summary>A path of the machine that is not there is an error this way; as a "bind" it would be made, as a folder of root.</summary>
    private static Mount MountOf(ContainerVolume volume) =>
        new()
        {
            Type = volume.IsHostPath ? "bind" : "volume",
            Source = volume.Source,
            Target = volume.Target,
            ReadOnly = volume.IsReadOnly,
            VolumeOptions = volume.IsNotFilled ? new VolumeOptions { NoCopy = true } : null,
        };
}
