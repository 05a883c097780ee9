using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Spawngate.Logging;
using Spawngate.Runtime;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>
/// Writes reports of backends as JSON, field by field: <c>docs/reference/admin-api.md</c> describes them. By hand, because generated code
/// for these shapes makes the executable a quarter of a megabyte larger.
/// </summary>
internal static class ReportJson
{
    /// <summary>One value as bytes.</summary>
    public static byte[] Bytes<T>(T value, Action<Utf8JsonWriter, T> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            write(json, value);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Body of <c>GET /backends</c>.</summary>
    public static void Write(Utf8JsonWriter json, BackendList list)
    {
        json.WriteStartObject();
        json.WriteStartArray("backends");
        foreach (BackendReport report in list.Backends)
        {
            Write(json, report);
        }

        json.WriteEndArray();
        json.WriteNumber("count", list.Backends.Count);
        json.WriteString("time", Stamp(list.Time));
        json.WriteEndObject();
    }

    /// <summary>A report alone.</summary>
    public static void Write(Utf8JsonWriter json, BackendReport report)
    {
        json.WriteStartObject();
        WriteFields(json, report);
        json.WriteEndObject();
    }

    /// <summary>Body of <c>GET /backends/{host}</c>.</summary>
    public static void Write(Utf8JsonWriter json, BackendDetails details)
    {
        json.WriteStartObject();
        WriteFields(json, details.Report);
        json.WriteString("time", Stamp(details.Time));
        Time(json, "idle_stop_at", details.IdleStopAt);
        json.WriteStartArray("held_by");
        foreach (ActiveRequest active in details.HeldBy)
        {
            Write(json, active);
        }

        json.WriteEndArray();
        json.WriteStartArray("ledger");
        foreach (HistoryEvent entry in details.History)
        {
            Write(json, entry);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>An entry of a history and whose it is.</summary>
    public static void Write(Utf8JsonWriter json, HistoryItem item)
    {
        json.WriteStartObject();
        WriteNames(json, item.Hostname, item.GivenName);
        json.WritePropertyName("entry");
        Write(json, item.Entry);
        json.WriteEndObject();
    }

    /// <summary>The numbers that have changed.</summary>
    public static void Write(Utf8JsonWriter json, SampleEvent sample)
    {
        json.WriteStartObject();
        json.WriteString("time", Stamp(sample.Time));
        json.WriteStartArray("backends");
        foreach (BackendReport report in sample.Backends)
        {
            json.WriteStartObject();
            WriteNames(json, report.Hostname, report.GivenName);
            json.WriteNumber("in_flight", report.InFlight);
            json.WriteNumber("no_wake", report.PassiveCount);
            json.WriteNumber("waiting", report.Waiting);
            json.WriteNumber("tunnels", report.Tunnels);
            json.WriteNumber("requests_total", report.RequestsTotal);
            json.WriteNumber("turned_away_total", report.TurnedAwayTotal);
            Number(json, "lease_secs", report.LeaseSecs);
            Number(json, "idle_stop_in_secs", report.IdleStopInSecs);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>First event of a stream.</summary>
    public static void Write(Utf8JsonWriter json, HelloEvent hello)
    {
        json.WriteStartObject();
        json.WriteString("name", SpawngateVersion.Name);
        json.WriteString("version", SpawngateVersion.Text);
        json.WriteString("instance", hello.Instance);
        json.WriteString("time", Stamp(hello.Time));
        json.WriteEndObject();
    }

    /// <summary>A session has ended.</summary>
    public static void Write(Utf8JsonWriter json, GoneEvent gone)
    {
        json.WriteStartObject();
        WriteNames(json, gone.Hostname, gone.GivenName);
        json.WriteEndObject();
    }

    /// <summary>An entry of a history; what does not apply is left out.</summary>
    public static void Write(Utf8JsonWriter json, HistoryEvent entry)
    {
        json.WriteStartObject();
        json.WriteNumber("seq", entry.Seq);
        json.WriteString("time", Stamp(entry.Time));
        json.WriteNumber("start", entry.Start);
        json.WriteString("event", HistoryNames.Of(entry.Event));
        IfThere(json, "reason", entry.Reason);
        IfThere(json, "requests", entry.Requests);
        if (entry.By is { } by)
        {
            json.WriteStartObject("by");
            json.WriteString("method", by.Method);
            json.WriteString("path", by.Path);
            json.WriteString("client", by.Client);
            json.WriteString("user_agent", by.UserAgent);
            json.WriteEndObject();
        }

        IfThere(json, "spawn_ms", entry.SpawnMs);
        IfThere(json, "listen_ms", entry.ListenMs);
        IfThere(json, "ready_ms", entry.ReadyMs);
        IfThere(json, "after_ms", entry.AfterMs);
        if (entry.Exit is { } exit)
        {
            json.WriteStartObject("exit");
            Number(json, "status", exit.Status);
            Number(json, "signal", exit.Signal);
            json.WriteEndObject();
        }

        if (entry.Output is { } lines)
        {
            json.WriteStartArray("stderr");
            foreach (var line in lines.Where(static line => line.Stream == OutputStream.Stderr))
            {
                json.WriteStringValue(line.Text);
            }

            json.WriteEndArray();
            json.WriteStartArray("output");
            foreach (var line in lines)
            {
                json.WriteStartObject();
                json.WriteString("stream", line.StreamName);
                json.WriteString("line", line.Text);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        IfThere(json, "holders", entry.ActiveRequests);
        IfThere(json, "times", entry.Times);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, ActiveRequest active)
    {
        json.WriteStartObject();
        json.WriteString("kind", active.Kind);
        json.WriteString("protocol", active.Protocol);
        json.WriteString("method", active.Method);
        json.WriteString("path", active.Path);
        json.WriteString("client", active.Client);
        json.WriteNumber("age_secs", active.AgeSecs);
        json.WriteBoolean("no_wake", active.NoWake);
        json.WriteBoolean("passive", active.IsPassive);
        if (active.QuietSecs is { } secs)
        {
            json.WriteNumber("quiet_secs", secs);
        }

        json.WriteEndObject();
    }

    private static void WriteFields(Utf8JsonWriter json, BackendReport report)
    {
        WriteNames(json, report.Hostname, report.GivenName);
        json.WriteString("state", report.StateName);
        Number(json, "port", report.Port);
        json.WriteNumber("in_flight", report.InFlight);
        json.WriteNumber("no_wake", report.PassiveCount);
        json.WriteNumber("waiting", report.Waiting);
        json.WriteNumber("max_concurrency", report.MaxConcurrency);
        json.WriteNumber("tunnels", report.Tunnels);
        json.WriteNumber("requests_total", report.RequestsTotal);
        json.WriteNumber("turned_away_total", report.TurnedAwayTotal);
        json.WriteString("kind", report.Kind);
        json.WriteString("session", report.Session);
        json.WriteNumber("generation", report.InstanceNumber);
        Number(json, "pid", report.Pid);
        json.WriteString("description", report.Description);
        foreach (var (name, value) in report.Fields)
        {
            json.WriteString(name, value);
        }

        WriteLastStart(json, report.LastStart);
        Time(json, "ready_since", report.ReadySince);
        Number(json, "uptime_secs", report.UptimeSecs);
        json.WriteNumber("failures_in_a_row", report.FailuresInARow);
        Number(json, "retry_after_secs", report.RetryAfterSecs);
        json.WriteString("last_failure", report.LastFailure);
        json.WriteNumber("failed_checks", report.FailedChecks);
        json.WriteNumber("idle_timeout_secs", report.IdleTimeoutSecs);
        Number(json, "lease_secs", report.LeaseSecs);
        Time(json, "lease_renewed_at", report.LeaseRenewedAt);
        Number(json, "idle_stop_in_secs", report.IdleStopInSecs);
        json.WriteString("stopping_because", report.StoppingBecause);
        json.WriteString("last_stop_reason", report.LastStopReason);
        json.WritePropertyName("last_event");
        if (report.LastEvent is { } entry)
        {
            Write(json, entry);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    private static void WriteNames(Utf8JsonWriter json, string hostname, string? givenName)
    {
        json.WriteString("hostname", hostname);
        IfThere(json, "name", givenName);
    }

    private static void WriteLastStart(Utf8JsonWriter json, StartReport? start)
    {
        if (start is null)
        {
            json.WriteNull("last_start");
            return;
        }

        json.WriteStartObject("last_start");
        Number(json, "spawn_ms", start.SpawnMs);
        Number(json, "listen_ms", start.ListenMs);
        Number(json, "ready_ms", start.ReadyMs);
        json.WriteString("signal", start.Signal);
        json.WriteString("judged", start.Judged);
        json.WriteString("cause", start.Cause);
        json.WriteEndObject();
    }

    /// <summary>Always as long, so that a HEAD and a GET agree.</summary>
    /// <summary>A moment as all of the API writes it.</summary>
    public static string Stamp(DateTime time) => time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);

    private static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } known)
        {
            json.WriteNumber(name, known);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void Time(Utf8JsonWriter json, string name, DateTime? value)
    {
        if (value is { } known)
        {
            json.WriteString(name, Stamp(known));
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void IfThere(Utf8JsonWriter json, string name, double? value)
    {
        if (value is not null)
        {
            Number(json, name, value);
        }
    }

    private static void IfThere(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
