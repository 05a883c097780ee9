using Spawngate.Telemetry;

namespace Spawngate.Admin;

/// <summary>The part of the metrics that says what clients hold, and who had to go.</summary>
internal static class OverloadMetrics
{
    /// <summary>Writes it.</summary>
    public static void Render(ExpositionText text, OverloadNumbers overload)
    {
        text.Single(
            "spawngate_client_memory_bytes",
            "gauge",
            "Memory that clients make the gateway and its kernel hold.",
            overload.HeldBytes
        );
        text.Single("spawngate_client_memory_max_bytes", "gauge", "Bound of that memory: memory_limit.", overload.HeldBytesMax);
        text.Single("spawngate_client_addresses", "gauge", "Client addresses that something is counted for.", overload.Addresses);
        const string Low = "spawngate_resource_low";
        text.Family(Low, "gauge", "1 while the resource runs low, and the clients that hold most of it are refused.");
        foreach (var (resource, isLow) in overload.Resources)
        {
            text.Sample(Low, isLow ? 1 : 0, ("resource", resource));
        }

        const string Refused = "spawngate_clients_refused_total";
        text.Family(
            Refused,
            "counter",
            "What was refused, closed or cut for the sake of others, or because of a limit of the client's address."
        );
        foreach (var (what, reason, count) in overload.Refused)
        {
            text.Sample(Refused, count, ("what", what), ("reason", reason));
        }
    }
}
