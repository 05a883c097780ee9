namespace Spawngate.Sessions;

/// <summary>Why no session was made.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">For programs.</param>
/// <param name="Message">For people.</param>
/// <param name="Field">The field that is wrong; null when none is.</param>
internal sealed record SpawnError(int Status, string Code, string Message, string? Field = null)
{
    /// <summary>There is no <c>[sessions]</c> table.</summary>
    public static SpawnError NoSessions { get; } =
        new(404, "NO_SESSIONS", "This gateway has no sessions: its configuration has no [sessions] table.");

    /// <summary>The gateway stops.</summary>
    public static SpawnError ShuttingDown { get; } = new(503, "SHUTTING_DOWN", "The gateway is stopping and makes no more sessions.");

    /// <summary>As many live as may.</summary>
    public static SpawnError Full(int max) => new(503, "SESSIONS_FULL", $"As many sessions live as sessions.max allows: {max}.");

    /// <summary>The body is no JSON.</summary>
    public static SpawnError BadJson(string problem) => new(400, "BAD_JSON", $"The body is not one JSON object: {problem}.");

    /// <summary>A field is wrong.</summary>
    public static SpawnError BadField(string field, string problem) => new(400, "BAD_FIELD", $"{field}: {problem}", field);

    /// <summary>A field that only callers who know the admin token may use, and there is no such token.</summary>
    public static SpawnError TokenNeeded(string field) =>
        new(
            403,
            "ADMIN_TOKEN_NEEDED",
            $"{field}: found in a call to a gateway without server.admin_token, where a call may name a template, "
                + "a key and a grace period, and nothing else",
            field
        );

    /// <summary>A variable that calls may not set.</summary>
    public static SpawnError EnvNotAllowed(string name, string problem)
    {
        string field = SpawnRequest.VariableField(name);
        return new SpawnError(403, "ENV_NOT_ALLOWED", $"{field}: {problem}", field);
    }

    /// <summary>An image that calls may not name.</summary>
    public static SpawnError ImageNotAllowed(string image) =>
        new(
            403,
            "IMAGE_NOT_ALLOWED",
            $"image: found {Config.ConfigText.Quote(image)}, which sessions.allow_images does not allow",
            "image"
        );
}
