using System.Net;
using System.Text.Json;
using Spawngate.Admin;
using Spawngate.Runtime;

namespace Spawngate.Commands;

/// <summary>The subcommand <c>explain</c>: asks the admin API of a running gateway about one backend and says it in words.</summary>
internal sealed class ExplainCommand
{
    private readonly AdminCall _call;
    private readonly CommandConsole _console;

    /// <summary>Makes it.</summary>
    public ExplainCommand(CommandActions actions, CommandConsole console)
    {
        _call = new AdminCall(actions, console);
        _console = console;
    }

    /// <summary>Runs it.</summary>
    /// <param name="host">Host name, as in a request.</param>
    /// <param name="admin">Address of the admin API; null to take it from <paramref name="config"/>.</param>
    /// <param name="config">Path of the configuration file.</param>
    /// <param name="json">Print what the admin API said instead of words.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(string host, string? admin, string config, bool json)
    {
        AdminLocation? location = _call.Locate(admin, config);
        if (location is null)
        {
            return ExitCode.Usage;
        }

        string format = json ? "json" : "text";
        AdminAnswer answer = await _call.AskAsync(location, $"/backends/{Uri.EscapeDataString(host)}?route=1&format={format}");
        if (answer.Status != HttpStatusCode.OK)
        {
            throw new CannotRunException(Refusal(location, host, answer.Status, answer.Body));
        }

        string wanted = json ? "application/json" : BackendExplanation.ContentType.Split(';')[0];
        if (answer.MediaType != wanted)
        {
            throw new CannotRunException($"what answers at {location.Url} is not the admin API of Spawngate, or of another version");
        }

        await _console.Out.WriteAsync(json ? answer.Body + "\n" : answer.Body);
        return ExitCode.Success;
    }

    private static string Refusal(AdminLocation location, string host, HttpStatusCode status, string body)
    {
        AdminErrorBody? error = null;
        try
        {
            error = JsonSerializer.Deserialize(body, AdminJson.Default.AdminErrorBody);
        }
        catch (JsonException)
        {
            // Not our admin API; the status alone is reported.
        }

        return error?.Code switch
        {
            "UNKNOWN_HOST" => $"no backend serves \"{host}\" in the gateway at {location.Url}",
            "UNAUTHORIZED" => $"the admin API at {location.Url} asks for its token: set {AdminCall.TokenVariable}, or name the "
                + "configuration file with --config",
            null => $"{location.Url} answered with status {(int)status}; is it the admin API of Spawngate?",
            _ => $"the admin API at {location.Url} refused: {error.Message}",
        };
    }
}
