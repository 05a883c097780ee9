using System.Net;
using Spawngate.Runtime;

namespace Spawngate.Commands;

/// <summary>
/// <c>check --live</c>: whether the gateway that a configuration file describes is running and answers. Made for the health check of a
/// container that has neither a shell nor curl, so it ends with 0 or 1 and says the reason in one line.
/// </summary>
internal static class LiveCommand
{
    private const string HealthPath = "/health";
    private const string HealthyAnswer = "ok";

    /// <summary>Asks.</summary>
    /// <param name="actions">Finds the admin API in a configuration file.</param>
    /// <param name="console">Takes the line.</param>
    /// <param name="admin">Address of the admin API; null to take it from <paramref name="config"/>.</param>
    /// <param name="config">Path of the configuration file.</param>
    /// <returns>The exit code: 0 when it answers as it should, else 1. Docker knows no other for a health check.</returns>
    public static async Task<int> RunAsync(CommandActions actions, CommandConsole console, string? admin, string config)
    {
        var call = new AdminCall(actions, console);
        if (call.Locate(admin, config) is not { } location)
        {
            return ExitCode.CannotRun;
        }

        // The health of a gateway is no secret, and what answers at that address may be something else.
        var url = new Uri(location.Url, HealthPath);
        AdminAnswer answer = await call.AskAsync(location with { Token = null }, HealthPath);
        if (answer.Status != HttpStatusCode.OK || answer.Body != HealthyAnswer)
        {
            throw new CannotRunException($"what answers at {url}, with status {(int)answer.Status}, is not the admin API of Spawngate");
        }

        await console.Out.WriteLineAsync($"spawngate: live, as {url} says");
        return ExitCode.Success;
    }
}
