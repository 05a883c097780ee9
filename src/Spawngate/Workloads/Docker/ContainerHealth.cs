using System.Globalization;
using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>What the engine says that the HEALTHCHECK of an image has found.</summary>
internal static class ContainerHealth
{
    private const string Healthy = "healthy";
    private const string Unhealthy = "unhealthy";

    /// <summary>Reads it; null is that of a container without such a check.</summary>
    public static HealthFinding Of(Health? health) =>
        health?.Status switch
        {
            Healthy => new HealthFinding(true, Describe(health)),
            Unhealthy => new HealthFinding(false, Describe(health)),
            null or "" or "none" => new HealthFinding(null, "the container has no HEALTHCHECK"),
            _ => new HealthFinding(null, Describe(health)),
        };

    /// <summary>With what the check itself said, of which the first line is the most telling.</summary>
    private static string Describe(Health health)
    {
        var text = $"the image's HEALTHCHECK says {health.Status}";
        if (health.Status == Healthy || health.Log is not [.., { } last])
        {
            return text;
        }

        var line = (last.Output ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault()
            ?? "";
        var shown = line.Length > DockerLimits.HealthOutputCharsMax ? line[..DockerLimits.HealthOutputCharsMax] + "…" : line;
        return string.Create(CultureInfo.InvariantCulture, $"{text}: exit status {last.ExitCode}{(shown.Length > 0 ? ", " : "")}{shown}");
    }
}
