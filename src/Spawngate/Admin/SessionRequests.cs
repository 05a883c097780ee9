using System.Buffers;
using System.Globalization;
using Microsoft.Net.Http.Headers;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Sessions;

namespace Spawngate.Admin;

/// <summary>Answers the admin API's requests that make, show and end sessions.</summary>
/// <param name="sessions">The sessions.</param>
/// <param name="server">For the addresses that callers are given.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Category <c>spawngate.admin</c>.</param>
/// <param name="stopping">Ends waits and streams.</param>
internal sealed class SessionRequests(
    SessionSet sessions,
    ServerConfig server,
    TimeProvider time,
    ILogger logger,
    CancellationToken stopping
)
{
    private const string JsonType = "application/json";
    private readonly SessionStreams _streams = new(time, stopping);

    /// <summary>Answers one request.</summary>
    public Task AnswerAsync(HttpContext context, AdminRoute route)
    {
        if (route.Target == AdminTarget.Spawn)
        {
            return SpawnAsync(context);
        }

        if (sessions.Find(route.Hostname) is not { } session)
        {
            return AdminReply.ErrorAsync(context, AdminError.UnknownSession);
        }

        return route.Target switch
        {
            AdminTarget.Session => DeleteAsync(context, session),
            AdminTarget.SessionReady => ReadyAsync(context, session),
            AdminTarget.SessionStatusStream => _streams.StatusAsync(context, session),
            AdminTarget.SessionEvents => _streams.UseAsync(context, session),
            _ => StatusAsync(context, 200, session),
        };
    }

    private async Task SpawnAsync(HttpContext context)
    {
        byte[]? body;
        try
        {
            body = await ReadBodyAsync(context.Request);
        }
        catch (BadHttpRequestException e)
        {
            // The server's word for a body that is too large, too slow or broken.
            var error =
                e.StatusCode == AdminError.TooLarge.Status ? AdminError.TooLarge : new AdminError(e.StatusCode, "BAD_REQUEST", e.Message);
            await AdminReply.ErrorAsync(context, error);
            return;
        }

        if (body is null)
        {
            await AdminReply.ErrorAsync(context, AdminError.TooLarge);
            return;
        }

        if (body.Length > 0 && !IsJson(context.Request.ContentType))
        {
            context.Response.Headers.Accept = JsonType;
            await AdminReply.ErrorAsync(context, AdminError.NotJson);
            return;
        }

        SpawnOutcome outcome = SpawnRequest.Read(body, out SpawnError? problem) is { } request
            ? Spawn(request)
            : new SpawnOutcome(null, false, problem);
        await (outcome.Session is { } session ? AnswerAsync(context, session, outcome.IsNew) : RefuseAsync(context, outcome.Error!));
    }

    /// <summary>
    /// With a token whoever comes here knows it. Without one it may be any program of this machine, which must not decide what runs as the
    /// gateway's user.
    /// </summary>
    private SpawnOutcome Spawn(SpawnRequest request) =>
        server.AdminToken is null && sessions.Config is not null && request.FieldForTrusted is { } field
            ? new SpawnOutcome(null, false, SpawnError.TokenNeeded(field))
            : sessions.Spawn(request);

    /// <summary>Whether a body is of the one type that is taken (RFC 8259: always UTF-8).</summary>
    private static bool IsJson(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
        && type.MediaType.Equals(JsonType, StringComparison.OrdinalIgnoreCase)
        && (!type.Charset.HasValue || HeaderUtilities.RemoveQuotes(type.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private Task AnswerAsync(HttpContext context, Session session, bool isNew)
    {
        if (isNew)
        {
            AdminEvents.SessionMade(logger, session.Hostname, session.Totals.Template);
        }

        string apiBase = sessions.Config?.ApiBaseOf(server) ?? $"http://{LocalAddress.Of(server.AdminBind, server.AdminPort)}";
        return AdminReply.ReportAsync(context, 200, new SpawnReport(session, apiBase, isNew), SessionJson.Write);
    }

    private static Task RefuseAsync(HttpContext context, SpawnError error)
    {
        if (error.Status == 503)
        {
            context.Response.Headers.RetryAfter = AdminLimits.SessionsFullRetrySecs.ToString(CultureInfo.InvariantCulture);
        }

        return AdminReply.ReportAsync(context, error.Status, error, SessionJson.Write);
    }

    private Task DeleteAsync(HttpContext context, Session session)
    {
        if (!session.Status.IsLast)
        {
            AdminEvents.SessionDeleted(logger, session.Hostname);
            sessions.End(session, StopReason.Asked);
        }

        return StatusAsync(context, 202, session);
    }

    private async Task ReadyAsync(HttpContext context, Session session)
    {
        if (!TryReadWait(context.Request, out int secs))
        {
            await RefuseAsync(
                context,
                SpawnError.BadField("wait", $"allowed is a whole number from 0 to {AdminLimits.SessionWaitSecsMax}")
            );
            return;
        }

        if (secs > 0 && !session.IsReady && !session.IsEnding && !await _streams.WaitAsync(context, session, TimeSpan.FromSeconds(secs)))
        {
            await AdminReply.ErrorAsync(context, AdminError.TooManyFollowers);
            return;
        }

        if (!session.IsReady)
        {
            await AdminReply.ErrorAsync(context, AdminError.NotReady);
            return;
        }

        context.Response.StatusCode = 302;
        context.Response.Headers.Location = session.Url;
    }

    private static Task StatusAsync(HttpContext context, int status, Session session) =>
        AdminReply.BytesAsync(context, status, "application/json", StatusBytes(session.Status));

    /// <summary>A status as JSON.</summary>
    internal static byte[] StatusBytes(SessionStatus status) => ReportJson.Bytes(status, SessionJson.Write);

    private static bool TryReadWait(HttpRequest request, out int secs)
    {
        secs = 0;
        return !request.Query.TryGetValue("wait", out var values)
            || (
                values is [{ } text]
                && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out secs)
                && secs <= AdminLimits.SessionWaitSecsMax
            );
    }

    /// <summary>The whole body; null when it is larger than allowed.</summary>
    private static async Task<byte[]?> ReadBodyAsync(HttpRequest request)
    {
        while (true)
        {
            var read = await request.BodyReader.ReadAsync(request.HttpContext.RequestAborted);
            if (read.Buffer.Length > AdminLimits.AdminRequestBodyBytesMax)
            {
                return null;
            }

            if (read.IsCompleted)
            {
                byte[] body = read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
