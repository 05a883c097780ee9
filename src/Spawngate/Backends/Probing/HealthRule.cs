using System.Globalization;
using Spawngate.Config;

namespace Spawngate.Backends.Probing;

/// <summary>By what a running instance is watched.</summary>
internal enum HealthWatch
{
    /// <summary>Not decided yet: its next answer to the health path decides.</summary>
    Undecided,

    /// <summary>By its answers to the health path.</summary>
    Path,

    /// <summary>By its port alone: somebody listens there.</summary>
    Port,
}

/// <summary>What an answer means.</summary>
/// <param name="Healthy">Whether it counts as ready, or healthy.</param>
/// <param name="Watch">By what the instance is watched from then on.</param>
/// <param name="Words">For people: what was answered, and what follows from it.</param>
internal readonly record struct HealthVerdict(bool Healthy, HealthWatch Watch, string Words);

/// <summary>
/// What a health check asks, and what its answer means.
/// <code>
///   health_path   ready at                                         watched from then on by
///   ───────────   ──────────────────────────────────────────────   ───────────────────────
///   not set       GET /health answered 2xx                         that path, 2xx
///                 GET /health answered anything else below 500     its port: it serves HTTP and has no health page
///   "/path"       a status of health_status                        that path
///   ""            an accepted connection                           its port
///
///   ready by its own word (ready URL, READY=1): the first answer of the path below 500 that does not count as healthy
///   says that the path is no health page, and it is watched by its port.
/// </code>
/// </summary>
/// <param name="path">The file's <c>health_path</c>; null when it names none.</param>
/// <param name="statuses">The file's <c>health_status</c>.</param>
internal sealed class HealthRule(string? path, StatusRanges statuses)
{
    /// <summary>What is asked when the file names nothing: the path that most programs with a health page have it at.</summary>
    public const string UsualPath = "/health";

    /// <summary>Whether the program decides, because the file names no path.</summary>
    public bool LeavesItToTheProgram => path is null;

    /// <summary>The path that is asked for; empty when a connection is enough.</summary>
    public string Path => path ?? UsualPath;

    /// <summary>What is asked for where it only matters whether there is any answer.</summary>
    public string AskedPath => Path.Length == 0 ? "/" : Path;

    /// <summary>By what an instance is watched that has just been started.</summary>
    public HealthWatch First => Path.Length == 0 ? HealthWatch.Port : HealthWatch.Undecided;

    /// <summary>Judges the answer of an instance.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="watch">By what it is watched.</param>
    /// <param name="byItsWord">Whether it said itself that it is ready.</param>
    public HealthVerdict Judge(int status, HealthWatch watch, bool byItsWord)
    {
        string answered = string.Create(CultureInfo.InvariantCulture, $"GET {Path} answered {status}");
        if ((LeavesItToTheProgram ? StatusRanges.Success : statuses).Contain(status))
        {
            return new HealthVerdict(true, HealthWatch.Path, watch == HealthWatch.Path ? answered : $"{answered}: watched by that path");
        }

        bool isNoHealthPage = watch == HealthWatch.Undecided && !IsServerError(status) && (LeavesItToTheProgram || byItsWord);
        return isNoHealthPage
            ? new HealthVerdict(
                true,
                HealthWatch.Port,
                $"{answered}: it serves HTTP and has no health page there, so it is watched by its port"
            )
            : new HealthVerdict(false, watch, answered);
    }

    /// <summary>What may be done about an instance that goes on answering so; empty for nothing to add.</summary>
    /// <param name="status">The status; 0 when there was no answer.</param>
    public string Remedy(int status) =>
        (status, LeavesItToTheProgram) switch
        {
            (0, _) => "; health_path = \"\" would be content with an accepted connection",
            (_, true) => ": below 500 it would be ready; if that page says nothing about the program, name another by health_path, or set "
                + "health_path = \"\"",
            _ => string.Create(
                CultureInfo.InvariantCulture,
                $", and health_status is \"{statuses.Text}\": correct health_path, or leave it out, or add {status} to health_status"
            ),
        };

    // RFC 9110 15.6
    private static bool IsServerError(int status) => status / 100 == 5;
}
