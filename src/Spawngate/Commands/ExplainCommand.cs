using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Spawngate.Admin;

namespace Spawngate.Commands;

/// <summary>The subcommand <c>explain</c>: asks the admin API of a running gateway about one backend and says it in words.</summary>
internal sealed class ExplainCommand
{
    private const string TokenVariable = "SPAWNGATE_ADMIN_TOKEN";

    private readonly CommandActions _actions;
    private readonly CommandConsole _console;

    /// <summary>Makes it.</summary>
    public ExplainCommand(CommandActions actions, CommandConsole console)
    {
        _actions = actions;
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
        AdminLocation? location = Locate(admin, config);
        if (location is null)
        {
            return ExitCode.Usage;
        }

        (HttpStatusCode status, string body) = await AskAsync(location, host);
        if (status != HttpStatusCode.OK)
        {
            throw new CannotRunException(Refusal(location, host, status, body));
        }

        try
        {
            BackendReport report = JsonSerializer.Deserialize(body, AdminJson.Default.BackendReport)
                ?? throw new JsonException("The answer is null.");
            await _console.Out.WriteAsync(json ? body + "\n" : BackendExplanation.Of(report, host));
            return ExitCode.Success;
        }
        catch (JsonException e)
        {
            throw new CannotRunException($"what answers at {location.Url} is not the admin API of Spawngate, or of another version", e);
        }
    }

    private AdminLocation? Locate(string? admin, string config)
    {
        string? token = _console.Variable(TokenVariable);
        if (admin is null)
        {
            AdminLocation? found = _actions.LocateAdmin(config, _console);
            return found is null ? null : found with { Token = token ?? found.Token };
        }

        if (Uri.TryCreate(admin, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https")
        {
            return new AdminLocation(url, token);
        }

        _console.Error.WriteLine($"spawngate: --admin is \"{admin}\"; it must be an address like http://127.0.0.1:9999");
        return null;
    }

    private async Task<(HttpStatusCode Status, string Body)> AskAsync(AdminLocation location, string host)
    {
        // The address is this machine or was given by hand: a proxy of the environment would only be in the way.
        using var sockets = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false };
        using var client = new HttpClient(sockets)
        {
            Timeout = TimeSpan.FromSeconds(Limits.ExplainTimeoutSecs),
            MaxResponseContentBufferSize = Limits.ExplainAnswerBytesMax,
        };
        client.DefaultRequestHeaders.Authorization = location.Token is null ? null : new AuthenticationHeaderValue("Bearer", location.Token);
        var url = new Uri(location.Url, $"/backends/{Uri.EscapeDataString(host)}?route=1");
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(url, _console.Cancel);
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(_console.Cancel));
        }
        catch (HttpRequestException e)
        {
            throw new CannotRunException($"no gateway is reachable at {location.Url} ({e.InnerException?.Message ?? e.Message}); is Spawngate running?", e);
        }
        catch (OperationCanceledException e) when (!_console.Cancel.IsCancellationRequested)
        {
            throw new CannotRunException($"the admin API at {location.Url} did not answer within {Limits.ExplainTimeoutSecs} s", e);
        }
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
            "UNAUTHORIZED" => $"the admin API at {location.Url} asks for its token: set {TokenVariable}, or name the configuration file with --config",
            null => $"{location.Url} answered with status {(int)status}; is it the admin API of Spawngate?",
            _ => $"the admin API at {location.Url} refused: {error.Message}",
        };
    }
}
