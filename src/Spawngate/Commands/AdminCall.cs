using System.Net;
using System.Net.Http.Headers;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Commands;

/// <summary>What the admin API answered.</summary>
/// <param name="Status">The status.</param>
/// <param name="MediaType">The type of the body; null when it is not said.</param>
/// <param name="Body">The body.</param>
internal sealed record AdminAnswer(HttpStatusCode Status, string? MediaType, string Body);

/// <summary>How a subcommand asks the admin API of a running gateway.</summary>
/// <param name="actions">Finds the admin API in a configuration file.</param>
/// <param name="console">Takes messages, and gives the admin token of the environment.</param>
internal sealed class AdminCall(CommandActions actions, CommandConsole console)
{
    /// <summary>Name of the variable with the admin token.</summary>
    public const string TokenVariable = OwnVariables.AdminToken;

    /// <summary>Finds out whom to ask; null when that cannot be known, which has been reported then.</summary>
    /// <param name="admin">Address given on the command line; null to take it from <paramref name="config"/>.</param>
    /// <param name="config">Path of the configuration file.</param>
    public AdminLocation? Locate(string? admin, string config)
    {
        string? token = console.Variable(TokenVariable);
        if (admin is null)
        {
            AdminLocation? found = actions.LocateAdmin(config, console);
            return found is null ? null : found with { Token = token ?? found.Token };
        }

        if (Uri.TryCreate(admin, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https")
        {
            return new AdminLocation(url, token);
        }

        console.Error.WriteLine($"spawngate: --admin is \"{admin}\"; it must be an address like http://127.0.0.1:9999");
        return null;
    }

    /// <summary>Asks with GET.</summary>
    /// <param name="location">Whom.</param>
    /// <param name="path">What, with the query.</param>
    /// <exception cref="CannotRunException">There is no answer.</exception>
    public async Task<AdminAnswer> AskAsync(AdminLocation location, string path)
    {
        // The address is this machine or was given by hand: a proxy of the environment would only be in the way.
        using var sockets = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false };
        using var client = new HttpClient(sockets)
        {
            Timeout = TimeSpan.FromSeconds(CommandLimits.AdminCallTimeoutSecs),
            MaxResponseContentBufferSize = CommandLimits.AdminCallAnswerBytesMax,
        };
        client.DefaultRequestHeaders.Authorization = location.Token is null
            ? null
            : new AuthenticationHeaderValue("Bearer", location.Token);
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(location.Url, path), console.Cancel);
            return new AdminAnswer(
                answer.StatusCode,
                answer.Content.Headers.ContentType?.MediaType,
                await answer.Content.ReadAsStringAsync(console.Cancel)
            );
        }
        catch (HttpRequestException e)
        {
            throw new CannotRunException(
                $"no gateway is reachable at {location.Url} ({e.InnerException?.Message ?? e.Message}); is Spawngate running?",
                e
            );
        }
        catch (OperationCanceledException e) when (!console.Cancel.IsCancellationRequested)
        {
            throw new CannotRunException(
                $"the admin API at {location.Url} did not answer within {CommandLimits.AdminCallTimeoutSecs} s",
                e
            );
        }
    }
}
