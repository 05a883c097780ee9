using System.Globalization;
using Microsoft.Extensions.Primitives;
using Spawngate.Backends;

namespace Spawngate.Admin;

/// <summary>
/// Answers <c>POST /busy/{host}/{token}?secs=N</c>, by which an instance holds its backend although no request is open: the same on the
/// admin API and where containers call back.
/// </summary>
internal static class BusyCallback
{
    private const string Secs = "secs";
    private static readonly string SecsAllowed =
        $"a whole number of seconds from 0 (ends the lease) to {BackendLimits.LeaseSecsMax.ToString(CultureInfo.InvariantCulture)}, "
        + "as in ?secs=60";

    /// <summary>Answers one call.</summary>
    /// <param name="context">The call.</param>
    /// <param name="route">Its path.</param>
    /// <param name="lease">Gives the lease: name, token, seconds.</param>
    public static async Task AnswerAsync(HttpContext context, AdminRoute route, Func<string, string, int, Task<LeaseOutcome>> lease)
    {
        if (Fault(context.Request.Query, out int secs) is { } fault)
        {
            await AdminReply.ErrorAsync(context, fault);
            return;
        }

        // Who does not know a token does not learn here which hosts there are.
        await (
            await lease(route.Name, route.Token, secs) switch
            {
                LeaseOutcome.Accepted => AdminReply.TextAsync(context, 200, "text/plain", "ok"),
                LeaseOutcome.Stopping => AdminReply.ErrorAsync(context, AdminError.IsStopping),
                LeaseOutcome.TooMany => AdminReply.ErrorAsync(context, AdminError.TooManyCommands),
                _ => AdminReply.ErrorAsync(context, AdminError.BusyUnauthorised),
            }
        );
    }

    private static AdminError? Fault(IQueryCollection query, out int secs)
    {
        secs = 0;
        foreach (string name in query.Keys)
        {
            if (name != Secs)
            {
                return AdminError.BadQuery($"The query has \"{Shortened(name)}\", which means nothing here: allowed is secs alone.");
            }
        }

        StringValues values = query[Secs];
        string problem = values.Count switch
        {
            0 => "The query has no secs",
            1 => $"secs is \"{Shortened(values[0])}\"",
            _ => "secs is there more than once",
        };
        bool isNumber = int.TryParse(values.Count == 1 ? values[0] : null, NumberStyles.None, CultureInfo.InvariantCulture, out secs);
        return isNumber && secs <= BackendLimits.LeaseSecsMax ? null : AdminError.BadQuery($"{problem}, allowed is {SecsAllowed}.");
    }

    private static string Shortened(string? text) =>
        text is { Length: > AdminLimits.QuotedCharsMax } ? text[..AdminLimits.QuotedCharsMax] + "…" : text ?? "";
}
