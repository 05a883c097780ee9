using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// By what a gateway knows its own containers. <see cref="Instance"/> stays the same when the gateway is started again, and differs between
/// two gateways on one engine; <see cref="Process"/> is new at every start.
/// </summary>
/// <param name="Instance">The gateway over all its restarts.</param>
/// <param name="Process">This process of it.</param>
internal sealed record GatewayIdentity(string Instance, string Process)
{
    /// <summary>The variable that names the instance, for gateways whose machine gets a new name at every start (containers).</summary>
    public const string Variable = OwnVariables.Instance;

    /// <summary>
    /// The identity of this process: the instance is what the environment says, else made of the machine's name and the path of the
    /// configuration, which no two gateways that run at once can share, as they would listen on the same port.
    /// </summary>
    /// <param name="configPath">The configuration file.</param>
    /// <param name="named">Value of <see cref="Variable"/>.</param>
    public static GatewayIdentity Of(string configPath, string? named)
    {
        var instance = string.IsNullOrEmpty(named) ? $"{Environment.MachineName}:{Path.GetFullPath(configPath)}" : named;
        return new GatewayIdentity(instance, NewId());
    }

    /// <summary>A random name that nobody else has.</summary>
    public static string NewId() => Convert.ToHexStringLower(Entropy.Bytes(DockerLimits.ContainerIdBytes));
}
