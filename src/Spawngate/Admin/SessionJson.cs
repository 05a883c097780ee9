using System.Text.Json;
using Spawngate.Sessions;

namespace Spawngate.Admin;

/// <summary>What a caller of <c>POST /spawn</c> is given.</summary>
/// <param name="Session">The session.</param>
/// <param name="ApiBase">Prefix of its addresses in the API.</param>
/// <param name="IsNew">Whether the call made it.</param>
internal sealed record SpawnReport(Session Session, string ApiBase, bool IsNew);

/// <summary>
/// Writes sessions as JSON, field by field: <c>docs/reference/sessions.md</c> is its contract, whose names are those that existing clients
/// know.
/// </summary>
internal static class SessionJson
{
    /// <summary>Body of <c>POST /spawn</c>.</summary>
    public static void Write(Utf8JsonWriter json, SpawnReport report)
    {
        json.WriteStartObject();
        json.WriteString("url", report.Session.Url);
        json.WriteString("name", report.Session.Name);
        json.WriteString("readyUrl", $"{report.ApiBase}/backend/{report.Session.Name}/ready");
        json.WriteString("statusUrl", $"{report.ApiBase}/backend/{report.Session.Name}/status");
        json.WriteBoolean("spawned", report.IsNew);
        json.WriteEndObject();
    }

    /// <summary>A state and since when.</summary>
    public static void Write(Utf8JsonWriter json, SessionStatus status)
    {
        json.WriteStartObject();
        json.WriteString("state", Name(status.State));
        json.WriteString("time", ReportJson.Stamp(status.Time));
        json.WriteEndObject();
    }

    /// <summary>How it is used.</summary>
    public static void Write(Utf8JsonWriter json, SessionUse use)
    {
        json.WriteStartObject();
        json.WriteBoolean("ready", use.Ready);
        if (use is { Ready: true, Connections: > 0 })
        {
            json.WriteNumber("live_connections", use.Connections);
        }
        else if (use.Ready)
        {
            json.WriteNumber("seconds_since_active", use.IdleSecs);
        }

        json.WriteEndObject();
    }

    /// <summary>Why there is no session.</summary>
    public static void Write(Utf8JsonWriter json, SpawnError error)
    {
        json.WriteStartObject();
        json.WriteString("code", error.Code);
        json.WriteString("message", error.Message);
        json.WriteNumber("status", error.Status);
        if (error.Field is { } field)
        {
            json.WriteString("field", field);
        }

        json.WriteEndObject();
    }

    /// <summary>A state as clients know it.</summary>
    public static string Name(SessionState state) =>
        state switch
        {
            SessionState.Submitted => "Submitted",
            SessionState.Constructed => "Constructed",
            SessionState.Scheduled => "Scheduled",
            SessionState.Running => "Running",
            SessionState.Ready => "Ready",
            SessionState.Swept => "Swept",
            _ => "Failed",
        };
}
