using Spawngate.Backends;

namespace Spawngate.Admin;

/// <summary>Why the admin API refuses a request: status, code for programs, message for people.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">Code in the JSON body.</param>
/// <param name="Message">Message in the JSON body.</param>
internal sealed record AdminError(int Status, string Code, string Message)
{
    /// <summary>No such path.</summary>
    public static AdminError NotFound { get; } = new(404, "NOT_FOUND", "The admin API has no such path.");

    /// <summary>A path names a backend that is not configured.</summary>
    public static AdminError UnknownHost { get; } = new(404, "UNKNOWN_HOST", "No backend is configured under that host name.");

    /// <summary>The admin token is missing or wrong.</summary>
    public static AdminError Unauthorised { get; } =
        new(401, "UNAUTHORIZED", "This needs the header 'Authorization: Bearer TOKEN' with the server.admin_token of the configuration.");

    /// <summary>A ready callback without the right token.</summary>
    public static AdminError ReadyUnauthorised { get; } =
        new(401, "UNAUTHORIZED", "This needs the token of the current start (the whole SERVERLESS_PROXY_READY_URL) or the admin token.");

    /// <summary>A lease without the right token.</summary>
    public static AdminError BusyUnauthorised { get; } =
        new(
            401,
            "UNAUTHORIZED",
            "This needs the whole SPAWNGATE_BUSY_URL of the process that runs now: its token is another at each start, and ends with it."
        );

    /// <summary>A lease of an instance that is being stopped.</summary>
    public static AdminError IsStopping { get; } = new(409, "STOPPING", "The backend is being stopped, which a lease does not put off.");

    /// <summary>A ready callback for a backend that is not starting.</summary>
    public static AdminError NotStarting { get; } =
        new(409, "NOT_STARTING", "The backend is not starting, so it cannot be declared ready.");

    /// <summary>The Host header is neither a loopback name nor the address of the admin API.</summary>
    public static AdminError ForbiddenHost { get; } =
        new(
            403,
            "FORBIDDEN_HOST",
            "The Host of this request is neither a loopback name nor the address of the admin API "
                + "(server.admin_bind); such requests are refused because a web page could send them by DNS rebinding."
        );

    /// <summary>A web page of another origin sent a request that changes something.</summary>
    public static AdminError ForbiddenOrigin { get; } =
        new(403, "FORBIDDEN_ORIGIN", "A web page of another origin may not send this request.");

    /// <summary>The body is larger than anything this API takes.</summary>
    public static AdminError TooLarge { get; } =
        new(413, "PAYLOAD_TOO_LARGE", $"The body of a request to the admin API may have at most {AdminLimits.RequestBodyBytesMax} bytes.");

    /// <summary>A body of another type than JSON, as web pages may send to any address without being asked.</summary>
    public static AdminError NotJson { get; } =
        new(415, "UNSUPPORTED_MEDIA_TYPE", "The body of this request must be JSON in UTF-8 and say so: 'Content-Type: application/json'.");

    /// <summary>Too many clients follow logs or events.</summary>
    public static AdminError TooManyFollowers { get; } =
        new(503, "TOO_MANY_FOLLOWERS", "Too many clients follow logs or events already; close one of them.");

    /// <summary>More commands wait for a backend than it takes.</summary>
    public static AdminError TooManyCommands { get; } =
        new(
            503,
            "TOO_MANY_COMMANDS",
            $"{BackendLimits.MailboxMessagesMax} commands wait for this backend already; send it again when they are done."
        );

    /// <summary>A session starts once.</summary>
    public static AdminError IsSession { get; } =
        new(409, "IS_SESSION", "A session starts once: it can be stopped, but neither started nor restarted.");

    /// <summary>A path names a session that does not live and is not remembered.</summary>
    public static AdminError UnknownSession { get; } = new(404, "UNKNOWN_SESSION", "No session has that id.");

    /// <summary>A session that cannot be sent to, not yet or not any more.</summary>
    public static AdminError NotReady { get; } = new(409, "NOT_READY", "The session is not ready.");

    /// <summary>A fault of this program; the log has the details.</summary>
    public static AdminError Internal { get; } =
        new(500, "INTERNAL_ERROR", "The admin API failed on this request; the log of Spawngate has the details.");

    /// <summary>The query is wrong.</summary>
    /// <param name="message">What is wrong with it.</param>
    public static AdminError BadQuery(string message) => new(400, "BAD_QUERY", message);

    /// <summary>The path exists, but not for this method.</summary>
    /// <param name="allowed">The value of the Allow header.</param>
    public static AdminError MethodNotAllowed(string allowed) => new(405, "METHOD_NOT_ALLOWED", $"This path allows only {allowed}.");
}
