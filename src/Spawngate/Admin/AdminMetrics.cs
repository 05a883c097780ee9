using System.Globalization;
using System.Text;
using Spawngate.Backends;

namespace Spawngate.Admin;

/// <summary>Renders <c>/metrics</c> in the Prometheus text format, version 0.0.4: facts of this process and of every backend.</summary>
internal sealed class AdminMetrics
{
    /// <summary>Content type of the format.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private static readonly BackendPhase[] _phases = Enum.GetValues<BackendPhase>();
    private readonly IAdminBackends _backends;
    private readonly double _startUnixSecs;

    /// <summary>Makes it.</summary>
    /// <param name="backends">Where the facts of the backends are.</param>
    /// <param name="startedAt">When this process started, to about a millisecond.</param>
    public AdminMetrics(IAdminBackends backends, DateTimeOffset startedAt)
    {
        _backends = backends;
        _startUnixSecs = startedAt.ToUnixTimeMilliseconds() / 1000.0;
    }

    /// <summary>The page as of now.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        IReadOnlyList<BackendReport> backends = _backends.ReportAll();
        RenderProcess(text);
        RenderBackends(text, backends);
        RenderLastStart(text, backends);
        return text.ToString();
    }

    private void RenderProcess(StringBuilder text)
    {
        Head(text, "spawngate_build_info", "gauge", "Always 1; the label is the version.");
        text.Append(CultureInfo.InvariantCulture, $"spawngate_build_info{{version=\"{Escape(SpawngateVersion.Text)}\"}} 1\n");
        Single(text, "process_start_time_seconds", "gauge", "Unix time at which Spawngate started.", _startUnixSecs);
        Single(text, "process_cpu_seconds_total", "counter", "User and system CPU time that Spawngate spent.", Environment.CpuUsage.TotalTime.TotalSeconds);
        Single(text, "process_resident_memory_bytes", "gauge", "Resident memory of Spawngate.", Environment.WorkingSet);
        Single(text, "dotnet_gc_heap_bytes", "gauge", "Managed memory in use, garbage included.", GC.GetTotalMemory(forceFullCollection: false));
        Single(text, "dotnet_gc_collections_total", "counter", "Garbage collections of any generation.", GC.CollectionCount(0));
    }

    private static void RenderBackends(StringBuilder text, IReadOnlyList<BackendReport> backends)
    {
        Single(text, "spawngate_backends", "gauge", "Configured backends.", backends.Count);
        Head(text, "spawngate_backend_state", "gauge", "1 for the state the backend is in, 0 for the others.");
        foreach (BackendReport backend in backends)
        {
            foreach (BackendPhase phase in _phases)
            {
                Sample(text, "spawngate_backend_state", backend, ("state", phase.ToString().ToLowerInvariant()), backend.State == phase ? 1 : 0);
            }
        }

        PerBackend(text, backends, "spawngate_backend_in_flight", "gauge", "Requests and tunnels that hold the backend.", b => b.InFlight);
        PerBackend(text, backends, "spawngate_backend_waiting", "gauge", "Requests held until the backend is ready.", b => b.Waiting);
        PerBackend(text, backends, "spawngate_backend_starts_total", "counter", "Starts of the backend, failed ones included.", b => b.Generation);
        PerBackend(text, backends, "spawngate_backend_failures_in_a_row", "gauge", "Failed starts since the last that became ready.", b => b.FailuresInARow);
    }

    private static void RenderLastStart(StringBuilder text, IReadOnlyList<BackendReport> backends)
    {
        Head(text, "spawngate_backend_last_start_seconds", "gauge", "How long the latest start took to each step.");
        foreach (BackendReport backend in backends)
        {
            LastStartStep(text, backend, "spawn", backend.LastStart?.SpawnMs);
            LastStartStep(text, backend, "listen", backend.LastStart?.ListenMs);
            LastStartStep(text, backend, "ready", backend.LastStart?.ReadyMs);
        }
    }

    private static void LastStartStep(StringBuilder text, BackendReport backend, string step, double? ms)
    {
        if (ms is { } known)
        {
            Sample(text, "spawngate_backend_last_start_seconds", backend, ("step", step), known / 1000);
        }
    }

    private static void PerBackend(
        StringBuilder text, IReadOnlyList<BackendReport> backends, string name, string type, string meaning, Func<BackendReport, int> value)
    {
        Head(text, name, type, meaning);
        foreach (BackendReport backend in backends)
        {
            text.Append(CultureInfo.InvariantCulture, $"{name}{{hostname=\"{Escape(backend.Hostname)}\"}} {value(backend)}\n");
        }
    }

    private static void Single(StringBuilder text, string name, string type, string meaning, double value)
    {
        Head(text, name, type, meaning);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }

    private static void Head(StringBuilder text, string name, string type, string meaning) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {meaning}\n# TYPE {name} {type}\n");

    private static void Sample(StringBuilder text, string name, BackendReport backend, (string Name, string Value) label, double value) =>
        text.Append(CultureInfo.InvariantCulture, $"{name}{{hostname=\"{Escape(backend.Hostname)}\",{label.Name}=\"{label.Value}\"}} {value}\n");

    private static string Escape(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}
