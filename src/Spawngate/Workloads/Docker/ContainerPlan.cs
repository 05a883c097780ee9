using System.Globalization;
using System.Net;
using Docker.DotNet.Models;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>The labels by which containers are known for whose they are.</summary>
internal static class ContainerLabels
{
    /// <summary>What all of them begin with.</summary>
    public const string Prefix = "spawngate.";

    /// <summary>The gateway over all its restarts: what an earlier process of it left behind is found by this.</summary>
    public const string Instance = "spawngate.instance";

    /// <summary>The one process of the gateway that created it.</summary>
    public const string Process = "spawngate.process";

    /// <summary>The one start of a backend that it is.</summary>
    public const string Run = "spawngate.run";

    /// <summary>Name of the container that was created with these labels.</summary>
    public const string Container = "spawngate.container";

    /// <summary>Name of the backend.</summary>
    public const string Host = "spawngate.host";

    /// <summary>Number of the start.</summary>
    public const string InstanceNumber = "spawngate.generation";

    /// <summary>Seconds between asking it to end and killing it.</summary>
    public const string Grace = "spawngate.grace_secs";

    /// <summary>The value that something has for a label; null without one.</summary>
    public static string? Find(IDictionary<string, string>? labels, string name) =>
        labels is not null && labels.TryGetValue(name, out var value) ? value : null;
}

/// <summary>What to create for one start: the settings of a backend in the terms of the Engine API.</summary>
internal static class ContainerPlan
{
    private const string NoNewPrivileges = "no-new-privileges";
    private const int AnyNumber = -1;

    /// <summary>Makes the specification, but for what <see cref="OptionsPlan"/> adds.</summary>
    /// <param name="request">The start.</param>
    /// <param name="owner">Whose it is.</param>
    /// <param name="runId">What names this start.</param>
    /// <param name="readyUrl">The ready URL as it can be reached from inside.</param>
    /// <param name="machine">The address of the engine's machine, at which the container's port is published.</param>
    public static CreateContainerParameters Of(
        LaunchRequest request,
        GatewayIdentity owner,
        string runId,
        string readyUrl,
        IPAddress machine
    )
    {
        var config = request.Config;
        var docker = (DockerSettings)config.Settings;
        var port = $"{config.Port.ToString(CultureInfo.InvariantCulture)}/tcp";
        var isMapped = docker.Network != DockerSettings.HostNetwork;
        var host = new HostConfig
        {
            NetworkMode = docker.Network ?? "",
            Memory = docker.MemoryBytes ?? 0,
            NanoCPUs = docker.NanoCpus ?? 0,
            PidsLimit = docker.PidsLimit == 0 ? AnyNumber : docker.PidsLimit,
        };
        if (docker.NoNewPrivileges)
        {
            host.SecurityOpt = [NoNewPrivileges];
        }

        var spec = new CreateContainerParameters
        {
            Name = docker.ContainerName,
            Image = docker.Image,
            Env = EnvironmentOf(config, readyUrl),
            Labels = LabelsOf(request, owner, runId),
            HostConfig = host,
        };
        if (config.Args.Count > 0)
        {
            spec.Cmd = [.. config.Args.Select(arg => PortWords.Replace(arg, config.Port))];
        }

        if (isMapped)
        {
            // The engine chooses the port and so cannot be beaten to it by anybody.
            spec.ExposedPorts = new Dictionary<string, EmptyStruct> { [port] = default };
            host.PortBindings = new Dictionary<string, IList<PortBinding>> { [port] = [new PortBinding { HostIP = machine.ToString() }] };
        }

        return spec;
    }

    /// <summary>The host port that leads to the container's port; null when there is none.</summary>
    public static int? MappedPort(ContainerInspectResponse details, int containerPort)
    {
        var key = $"{containerPort.ToString(CultureInfo.InvariantCulture)}/tcp";
        IList<PortBinding>? bindings = null;
        details.NetworkSettings?.Ports?.TryGetValue(key, out bindings);
        return
            int.TryParse(bindings?.FirstOrDefault()?.HostPort, NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and <= ConfigLimits.PortMax
            ? port
            : null;
    }

    /// <summary>The container's own address in its network; null when it has none.</summary>
    public static IPAddress? AddressOf(ContainerInspectResponse details) =>
        (details.NetworkSettings?.Networks?.Values ?? [])
            .Select(static network => IPAddress.TryParse(network?.IPAddress, out var address) ? address : null)
            .FirstOrDefault(static address => address is not null);

    /// <summary>In the order of a local backend: what the file says, then what every backend is told.</summary>
    private static List<string> EnvironmentOf(BackendConfig config, string readyUrl)
    {
        List<string> variables = [];
        foreach (var (name, value) in config.Env)
        {
            variables.Add($"{name}={PortWords.Replace(value, config.Port)}");
        }

        variables.Add($"PORT={config.Port.ToString(CultureInfo.InvariantCulture)}");
        variables.Add($"{InstanceToken.Variable}={readyUrl}");
        variables.Add($"{BusyUrl.Variable}={BusyUrl.Of(readyUrl)}");
        return variables;
    }

    private static Dictionary<string, string> LabelsOf(LaunchRequest request, GatewayIdentity owner, string runId) =>
        new(((DockerSettings)request.Config.Settings).Options.Labels)
        {
            [ContainerLabels.Instance] = owner.Instance,
            [ContainerLabels.Process] = owner.Process,
            [ContainerLabels.Run] = runId,
            [ContainerLabels.Container] = ((DockerSettings)request.Config.Settings).ContainerName,
            [ContainerLabels.Host] = request.Config.Name,
            [ContainerLabels.InstanceNumber] = request.InstanceNumber.ToString(CultureInfo.InvariantCulture),
            [ContainerLabels.Grace] = request.Config.ShutdownGracePeriodSecs.ToString(CultureInfo.InvariantCulture),
        };
}
