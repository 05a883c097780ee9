namespace Spawngate.Telemetry.History;

/// <summary>One open request or tunnel: what is open at a backend.</summary>
/// <param name="Kind"><c>request</c>, <c>tunnel</c>, or <c>waiting</c> while it is held until the backend is ready.</param>
/// <param name="Protocol"><c>http/1.1</c> or <c>http/2</c>.</param>
/// <param name="Method">Method.</param>
/// <param name="Path">Path without the query.</param>
/// <param name="Client">Address of the client.</param>
/// <param name="AgeSecs">Seconds since it came.</param>
/// <param name="NoWake">Whether it does not count as use, so that it keeps nothing awake.</param>
internal sealed record ActiveRequest(
    string Kind,
    string Protocol,
    string Method,
    string Path,
    string Client,
    double AgeSecs,
    bool NoWake = false
)
{
    /// <summary>
    /// Seconds since data passed last; null but for a WebSocket that counts as use only while some does (<c>websocket_idle_secs</c>).
    /// </summary>
    public double? QuietSecs { get; init; }

    /// <summary>Whether that is so long that it does not count as use.</summary>
    public bool IsQuiet { get; init; }

    /// <summary>Whether it does not count as use, for whatever reason.</summary>
    public bool IsPassive => NoWake || IsQuiet;

    /// <summary>For people: <c>tunnel GET /socket from 10.0.0.7, 812 s</c>.</summary>
    public string Words =>
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"{Kind} {Method} {Path} from {Client}, {Math.Floor(AgeSecs)} s{(NoWake ? " (no_wake)" : "")}{QuietWords}"
        );

    private string QuietWords =>
        QuietSecs is { } secs
            ? string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $" (quiet for {Math.Floor(secs)} s{(IsQuiet ? ", does not count" : "")})"
            )
            : "";
}
