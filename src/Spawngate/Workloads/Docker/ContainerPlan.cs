using System.Globalization;
using System.Net;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>The labels by which containers are known for whose they are.</summary>
internal static class ContainerLabels
{
    /// <summary>The gateway over all its restarts: what an earlier process of it left behind is found by this.</summary>
    public const string Instance = "spawngate.instance";

    /// <summary>The one process of the gateway that created it.</summary>
    public const string Process = "spawngate.process";

    /// <summary>The one start of a backend that it is.</summary>
    public const string Run = "spawngate.run";

    /// <summary>Name of the container that was created with these labels.</summary>
    public const string Container = "spawngate.container";

    /// <summary>Host name of the backend.</summary>
    public const string Host = "spawngate.host";

    /// <summary>Number of the start.</summary>
    public const string InstanceNumber = "spawngate.generation";

    /// <summary>Seconds between asking it to end and killing it.</summary>
    public const string Grace = "spawngate.grace_secs";
}

/// <summary>What to create for one start: the settings of a backend in the terms of the Engine API.</summary>
internal static class ContainerPlan
{
    private const string NoNewPrivileges = "no-new-privileges";
    private const int AnyNumber = -1;
    private const string HostGateway = "host.docker.internal:host-gateway";

    /// <summary>Makes the specification.</summary>
    /// <param name="request">The start.</param>
    /// <param name="owner">Whose it is.</param>
    /// <param name="runId">What names this start.</param>
    /// <param name="readyUrl">The ready URL as it can be reached from inside.</param>
    /// <param name="needsHostName">Whether that URL names the machine by the name that Docker gives it.</param>
    public static ContainerSpec Of(LaunchRequest request, GatewayIdentity owner, string runId, string readyUrl, bool needsHostName)
    {
        var config = request.Config;
        var docker = config.Docker!;
        var port = $"{config.Port.ToString(CultureInfo.InvariantCulture)}/tcp";
        var isMapped = docker.Network != DockerConfig.HostNetwork;
        return new ContainerSpec
        {
            Image = docker.Image,
            Cmd = config.Args.Count == 0 ? null : config.Args,
            Env = EnvironmentOf(config, readyUrl),
            Labels = LabelsOf(request, owner, runId),
            Port = isMapped ? port : null,
            HostConfig = new HostSpec
            {
                NetworkMode = docker.Network,
                Memory = docker.MemoryBytes,
                NanoCpus = docker.NanoCpus,
                PidsLimit = docker.PidsLimit == 0 ? AnyNumber : docker.PidsLimit,
                SecurityOpt = docker.NoNewPrivileges ? [NoNewPrivileges] : null,
                ExtraHosts = needsHostName ? [HostGateway] : null,
            },
        };
    }

    /// <summary>The host port that leads to the container's port; null when there is none.</summary>
    public static int? MappedPort(ContainerDetails details, int containerPort)
    {
        var key = $"{containerPort.ToString(CultureInfo.InvariantCulture)}/tcp";
        var text = details.NetworkSettings?.Ports.GetValueOrDefault(key);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= ConfigLimits.PortMax
            ? port
            : null;
    }

    /// <summary>The container's own address in its network; null when it has none.</summary>
    public static IPAddress? AddressOf(ContainerDetails details) =>
        (details.NetworkSettings?.Addresses ?? [])
            .Select(static text => IPAddress.TryParse(text, out var address) ? address : null)
            .FirstOrDefault(static address => address is not null);

    /// <summary>In the order of a local backend: what the file says, then what every backend is told.</summary>
    private static List<string> EnvironmentOf(BackendConfig config, string readyUrl)
    {
        List<string> variables = [];
        foreach (var (name, value) in config.Env)
        {
            variables.Add($"{name}={value}");
        }

        variables.Add($"PORT={config.Port.ToString(CultureInfo.InvariantCulture)}");
        variables.Add($"{InstanceToken.Variable}={readyUrl}");
        return variables;
    }

    private static Dictionary<string, string> LabelsOf(LaunchRequest request, GatewayIdentity owner, string runId) =>
        new()
        {
            [ContainerLabels.Instance] = owner.Instance,
            [ContainerLabels.Process] = owner.Process,
            [ContainerLabels.Run] = runId,
            [ContainerLabels.Container] = request.Config.Docker!.ContainerName,
            [ContainerLabels.Host] = request.Config.Hostname,
            [ContainerLabels.InstanceNumber] = request.InstanceNumber.ToString(CultureInfo.InvariantCulture),
            [ContainerLabels.Grace] = request.Config.ShutdownGracePeriodSecs.ToString(CultureInfo.InvariantCulture),
        };
}
