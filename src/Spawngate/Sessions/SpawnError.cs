namespace Spawngate.Sessions;

/// <summary>Why no session was made.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">For programs.</param>
/// <param name="Message">For people.</param>
/// <param name="Field">The field that is wrong; null when none is.</param>
internal sealed record SpawnError(int Status, string Code, string Message, string? Field = null)
{
    /// <summary>There is no <c>[sessions]</c> table.</summary>
    public static SpawnError NoSessions { get; } = new(404, "NO_SESSIONS", "This gateway has no sessions: its configuration has no [sessions] table.");

    /// <summary>The gateway stops.</summary>
    public static SpawnError ShuttingDown { get; } = new(503, "SHUTTING_DOWN", "The gateway is stopping and makes no more sessions.");

    /// <summary>As many live as may.</summary>
    public static SpawnError Full(int max) => new(503, "SESSIONS_FULL", $"As many sessions live as sessions.max allows: {max}.");

    /// <summary>The body is no JSON.</summary>
    public static SpawnError BadJson(string problem) => new(400, "BAD_JSON", $"The body is not one JSON object: {problem}.");

    /// <summary>A field is wrong.</summary>
    public static SpawnError BadField(string field, string problem) => new(400, "BAD_FIELD", $"{field}: {problem}", field);

    /// <summary>An image that calls may not name.</summary>
    public static SpawnError ImageNotAllowed(string image) =>
        new(403, "IMAGE_NOT_ALLOWED", $"image: found {Config.ConfigText.Quote(image)}, which sessions.allow_images does not allow", "image");
}
