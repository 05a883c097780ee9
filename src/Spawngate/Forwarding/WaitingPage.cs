using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Spawngate.Backends;

namespace Spawngate.Forwarding;

/// <summary>
/// The page that a browser gets when the backend it goes to takes longer than a moment to start, and the answers to that page's own
/// questions. Nothing of the request stands in either; the only text that is not ours is the last line that the starting process wrote.
/// </summary>
/// <remarks>
/// <code>
///   navigation ──▶ held a moment ─┬─ ready ───────▶ forwarded, as if there were no such page
///                                 ├─ failed ──────▶ 503, the page: failed
///                                 └─ not yet ─────▶ 503, the page: starting ──┐ its script, or its refresh when scripts are off
///   poll (same URL, a field of ours) ◀────────────────────────────────────────┘
///     └─▶ held a moment ─┬─ ready ──▶ {"state":"ready"}    and the page loads anew
///                        ├─ failed ─▶ {"state":"failed"}   and the page says so
///                        └─ not yet ▶ {"state":"starting"} and the page asks again
/// </code>
/// A poll wakes the backend like any request: the navigation that did so has gone. It never reaches the backend. Both take half of the
/// queue at most, and are told "not yet" at once beyond that, so that they never push out a program that can do nothing but wait.
/// </remarks>
internal static class WaitingPage
{
    /// <summary>Hash of the style sheet. A test checks it.</summary>
    public const string StyleHash = "sha256-zOkqmBiEDFTO71bsVt8Nmi0ovH7ro4jNyq59sTARzlk=";

    /// <summary>Hash of the script.</summary>
    public const string ScriptHash = "sha256-eWuDjW9Ntt4UoQkQvbD4EEJHoPYVMva0neBF9pYOxss=";

    private const string Policy =
        $"default-src 'none'; script-src '{ScriptHash}'; style-src '{StyleHash}'; connect-src 'self'; base-uri 'none'; form-action 'none'";

    private static readonly (string, string)[] PageFields =
    [
        ("cache-control", "no-store"),
        ("content-security-policy", Policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ];

    private static readonly (string, string)[] PollFields =
    [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-spawngate-waiting", "1"),
    ];

    private static readonly Lazy<string> Template = new(Compose);

    /// <summary>The answer to a poll of a backend that is ready.</summary>
    public static readonly OwnReply Ready = new(ProxyError.None, "application/json", Json(new Progress { State = "ready" }), 0, PollFields);

    /// <summary>Waits for the decision for a moment only: what is not decided by then is told to be not yet so.</summary>
    /// <param name="exchange">The exchange, which may be aborted meanwhile.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="waiter">Its place in the queue.</param>
    /// <param name="navigation">
    /// What the request is: one that waits for room only is not told that something starts, it waits like all others.
    /// </param>
    /// <param name="time">The time.</param>
    public static async Task<Admission> HoldAsync(
        Exchange exchange,
        Backend backend,
        BackendWaiter waiter,
        NavigationKind navigation,
        TimeProvider time
    )
    {
        await ((Task)waiter.Decision)
            .WaitAsync(ForwardingLimits.WaitingPageHold, time, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        bool waitsForRoom = navigation == NavigationKind.Navigation && backend.Word.Phase == BackendPhase.Ready;
        bool tooLong = !waitsForRoom && backend.Cancel(waiter) && !exchange.IsAborted;
        return tooLong ? new Admission(AdmissionOutcome.NotYet, null, 0) : await waiter.Decision.ConfigureAwait(false);
    }

    /// <summary>What a visit is answered with; null when it is to go on like any other request.</summary>
    /// <param name="context">The time, and where lines are.</param>
    /// <param name="backend">The backend.</param>
    /// <param name="navigation">What the request is.</param>
    /// <param name="admission">What became of it.</param>
    public static OwnReply? Answer(ForwardingContext context, Backend backend, NavigationKind navigation, Admission admission)
    {
        if (navigation == NavigationKind.Poll)
        {
            return admission.Outcome switch
            {
                AdmissionOutcome.Cancelled => null,
                AdmissionOutcome.Admitted => Ready,
                AdmissionOutcome.NotYet
                or AdmissionOutcome.QueueFull
                or AdmissionOutcome.TimedOut when backend.Word.Phase == BackendPhase.Ready => Ready,
                AdmissionOutcome.NotYet or AdmissionOutcome.TimedOut or AdmissionOutcome.QueueFull or AdmissionOutcome.Unhealthy => Poll(
                    Starting(context, backend)
                ),
                AdmissionOutcome.StartFailed => Poll(Failed(context, backend, admission.RetryAfterSecs)),
                _ => Poll(
                    new Progress
                    {
                        State = "failed",
                        Title = "Not available",
                        Message = "It is being shut down.",
                    }
                ),
            };
        }

        return admission.Outcome switch
        {
            AdmissionOutcome.QueueFull when backend.Word.Phase == BackendPhase.Ready => null,
            AdmissionOutcome.NotYet or AdmissionOutcome.QueueFull => Page(
                ProxyError.BackendStarting,
                Starting(context, backend),
                ForwardingLimits.WaitingPageRefreshSecs
            ),
            AdmissionOutcome.StartFailed => Page(
                ProxyError.BackendStartFailed,
                Failed(context, backend, admission.RetryAfterSecs),
                admission.RetryAfterSecs
            ),
            _ => null,
        };
    }

    private static Progress Starting(ForwardingContext context, Backend backend)
    {
        var (phase, instanceNumber, start) = backend.GetProgress();
        bool runs = phase == BackendPhase.Starting;
        return new Progress
        {
            State = "starting",
            Title = "Starting …",
            Start = runs ? instanceNumber : instanceNumber + 1,
            Step =
                !runs ? (phase == BackendPhase.Stopped ? "spawn" : "stop")
                : start.IsListening ? "ready"
                : start.IsSpawned ? "listen"
                : "spawn",
            ElapsedMs = runs ? (long)context.Time.GetElapsedTime(start.WokenTimestamp).TotalMilliseconds : 0,
            Line = runs ? LastLine(context, backend, start) : "",
        };
    }

    private static Progress Failed(ForwardingContext context, Backend backend, int retryAfterSecs)
    {
        string wait = retryAfterSecs switch
        {
            0 => "",
            1 => " The next attempt is possible in 1 second.",
            _ => string.Create(CultureInfo.InvariantCulture, $" The next attempt is possible in {retryAfterSecs} seconds."),
        };
        return new Progress
        {
            State = "failed",
            Title = "It could not be started",
            Message = "It ended, or was not ready in time." + wait,
            Line = LastLine(context, backend, backend.GetProgress().Start),
        };
    }

    /// <summary>The last line that this start has written; of an earlier one nothing is shown.</summary>
    private static string LastLine(ForwardingContext context, Backend backend, StartProgress start)
    {
        if (context.LastLine(backend.Name) is not { } line || line.Time < start.WokenAt)
        {
            return "";
        }

        // Not in the middle of a pair of surrogates, which would be no text any more.
        int length = Math.Min(line.Text.Length, ForwardingLimits.WaitingPageLineChars);
        length -= length < line.Text.Length && char.IsHighSurrogate(line.Text[length - 1]) ? 1 : 0;
        return length < line.Text.Length ? line.Text[..length] + " …" : line.Text;
    }

    private static OwnReply Poll(Progress progress) => new(ProxyError.None, "application/json", Json(progress), 0, PollFields);

    private static OwnReply Page(ProxyError error, Progress progress, int retryAfterSecs)
    {
        string refresh =
            progress.State == "starting"
                ? $"<noscript><meta http-equiv=\"refresh\" content=\"{ForwardingLimits.WaitingPageRefreshSecs}\"></noscript>\n"
                : "";
        string[] values =
        [
            progress.Title,
            refresh,
            progress.State,
            Number(progress.Start),
            Number(progress.ElapsedMs),
            progress.Title,
            progress.Step,
            progress.State == "starting" ? Number(progress.ElapsedMs / 1000) + " s" : "",
            progress.Message,
            WebUtility.HtmlEncode(progress.Line),
        ];

        // One pass over the template, so that what is put in is never looked at again.
        var page = new StringBuilder();
        string rest = Template.Value;
        foreach (string value in values)
        {
            int mark = rest.IndexOf('\0', StringComparison.Ordinal);
            page.Append(rest, 0, mark).Append(value);
            rest = rest[(mark + 1)..];
        }

        return new OwnReply(
            error,
            "text/html; charset=utf-8",
            Encoding.UTF8.GetBytes(page.Append(rest).ToString()),
            retryAfterSecs,
            PageFields
        );
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static byte[] Json(Progress progress)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("state", progress.State);
            json.WriteString("title", progress.Title);
            json.WriteString("message", progress.Message);
            json.WriteString("step", progress.Step);
            json.WriteNumber("elapsed_ms", progress.ElapsedMs);
            json.WriteString("line", progress.Line);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The page with its style and script, and a NUL where each value goes, in the order of <see cref="Page"/>.</summary>
    private static string Compose()
    {
        string page = Read("waiting.html");
        foreach (string name in (string[])["title", "refresh", "state", "start", "ms", "title", "step", "elapsed", "message", "line"])
        {
            int mark = page.IndexOf($"{{{name}}}", StringComparison.Ordinal);
            page = string.Concat(page.AsSpan(0, mark), "\0", page.AsSpan(mark + name.Length + 2));
        }

        return page.Replace("{style}", Read("waiting.css"), StringComparison.Ordinal)
            .Replace("{script}", Read("waiting.js"), StringComparison.Ordinal);
    }

    /// <summary>A file of the page.</summary>
    public static string Read(string name)
    {
        using Stream stream = typeof(WaitingPage).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not part of this executable");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>What the page shows.</summary>
    private sealed record Progress
    {
        public required string State { get; init; }

        public string Title { get; init; } = "";

        public string Message { get; init; } = "";

        public int Start { get; init; }

        public string Step { get; init; } = "";

        public long ElapsedMs { get; init; }

        public string Line { get; init; } = "";
    }
}
