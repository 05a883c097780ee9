using System.Net;
using System.Net.Sockets;
using Docker.DotNet.Models;
using Version = System.Version;

namespace Spawngate.Workloads.Docker;

/// <summary>How a container reaches the gateway to say that it is ready.</summary>
/// <param name="Url">The ready URL for its environment.</param>
/// <param name="NeedsHostName">Whether the container has to be told the name of the machine that the URL has.</param>
/// <param name="Use">The listener that it leads to; null for none.</param>
/// <param name="Problem">Why it probably does not work; null when it should.</param>
internal sealed record ReadyPath(string Url, bool NeedsHostName, ReadyCallbackLease? Use, string? Problem)
{
    private const string HostName = "host.docker.internal";
    private static readonly Version HostGatewayFrom = new(1, 41);

    /// <summary>
    /// Finds the way: from another machine as that knows this one; on the host's network loopback is ours; in a network of the engine the
    /// machine has an address, if the engine runs on this very machine; else (Docker Desktop, where the networks are inside a virtual
    /// machine) there is a name that leads to the machine's loopback.
    /// </summary>
    public static async Task<ReadyPath> FindAsync(
        LaunchRequest request,
        EngineClient client,
        IReadyCallbackListeners listeners,
        CancellationToken cancel
    )
    {
        var path = new Uri(request.ReadyUrl).PathAndQuery;
        if (client.Machine is not null)
        {
            return await FromElsewhereAsync(request, path, client.OwnAddress!, listeners).ConfigureAwait(false);
        }

        var network = ((DockerSettings)request.Config.Settings).Network;
        if (network == DockerSettings.HostNetwork)
        {
            return new ReadyPath(request.ReadyUrl, false, null, null);
        }

        var details = await client.InspectNetworkAsync(network ?? "bridge", cancel).ConfigureAwait(false);
        foreach (var gateway in GatewaysOf(details.Value))
        {
            if (await listeners.OpenAsync(gateway).ConfigureAwait(false) is { } use)
            {
                return new ReadyPath($"http://{use.EndPoint}{path}", false, use, null);
            }
        }

        var loopback = client.ApiVersion >= HostGatewayFrom ? await listeners.OpenAsync(IPAddress.Loopback).ConfigureAwait(false) : null;
        return loopback is null
            ? new ReadyPath(request.ReadyUrl, false, null, "this machine has no address in the container's network")
            : new ReadyPath($"http://{HostName}:{loopback.EndPoint.Port}{path}", true, loopback, null);
    }

    /// <summary>From another machine, whatever its networks are, this one is reached as its engine sees it.</summary>
    private static async Task<ReadyPath> FromElsewhereAsync(
        LaunchRequest request,
        string path,
        IPAddress own,
        IReadyCallbackListeners listeners
    ) =>
        await listeners.OpenAsync(own).ConfigureAwait(false) is { } use
            ? new ReadyPath($"http://{use.EndPoint}{path}", false, use, null)
            : new ReadyPath(request.ReadyUrl, false, null, $"nothing can be opened at {own}, which is this machine for the engine's");

    /// <summary>The addresses of the machine in a network, IPv4 first. An address may be followed by the length of its prefix.</summary>
    internal static IReadOnlyList<IPAddress> GatewaysOf(NetworkResponse? network)
    {
        List<IPAddress> found = [];
        foreach (var range in network?.IPAM?.Config ?? [])
        {
            if (IPAddress.TryParse(range?.Gateway?.Split('/')[0], out var address))
            {
                found.Insert(address.AddressFamily == AddressFamily.InterNetwork ? 0 : found.Count, address);
            }
        }

        return found;
    }
}
