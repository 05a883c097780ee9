using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Spawngate.Admin;

/// <summary>
/// The page at <c>/</c>: every backend in one table, rendered here so that it needs no script. Its Content-Security-Policy allows the
/// one style sheet it carries (by hash) and nothing else; every text that comes from outside is encoded besides.
/// </summary>
internal static class AdminPage
{
    private const string Style =
        "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0}"
        + "th,td{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #ccc;vertical-align:top}td.n{text-align:right}"
        + ".ready{color:#07623a}.starting,.stopping{color:#7a4b00}.unhealthy{color:#a3141d}.stopped{color:#555}"
        + "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#444}.ready{color:#5fd39a}"
        + ".starting,.stopping{color:#f0b95a}.unhealthy{color:#ff8a8f}.stopped{color:#aaa}}";

    // The hash is that of the style sheet, which a test checks: computing it would load a cryptographic library for this alone.
    private const string Policy =
        "default-src 'none'; style-src 'sha256-7AJMjVEKCOnBpEUwzSFcbpAtPedxZiRnz9j5ED4R6Zw='; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Sends the page.</summary>
    public static Task AnswerAsync(HttpContext context, IReadOnlyList<BackendReport> backends)
    {
        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        return AdminReply.TextAsync(context, 200, "text/html; charset=utf-8", Render(backends));
    }

    private static string Render(IReadOnlyList<BackendReport> backends)
    {
        var html = new StringBuilder();
        html.Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Spawngate</title>\n")
            .Append("<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\">\n")
            .Append("<style>").Append(Style).Append("</style></head>\n<body><h1>Spawngate</h1>\n")
            .Append(CultureInfo.InvariantCulture, $"<p>Version {Encode(SpawngateVersion.Text)}, {backends.Count} backends. ")
            .Append("<a href=\"/backends\">JSON</a> · <a href=\"/metrics\">metrics</a></p>\n<table><thead><tr>");
        foreach (string title in (ReadOnlySpan<string>)["Host", "State", "Runs as", "Port", "In flight", "Waiting", "Last start", "Stops", "Last failure"])
        {
            html.Append("<th scope=\"col\">").Append(title).Append("</th>");
        }

        html.Append("</tr></thead><tbody>\n");
        foreach (BackendReport backend in backends)
        {
            RenderRow(html, backend);
        }

        return html.Append("</tbody></table></body></html>\n").ToString();
    }

    private static void RenderRow(StringBuilder html, BackendReport backend)
    {
        string state = backend.State.ToString().ToLowerInvariant();
        string log = $"/backends/{Uri.EscapeDataString(backend.Hostname)}/logs";
        string start = backend.LastStart?.ReadyMs is { } ms ? string.Create(CultureInfo.InvariantCulture, $"ready after {ms:0.#} ms") : "";
        string stops = backend.IdleStopInSecs is { } secs ? $"in {secs} s" : "";
        html.Append("<tr><td><a href=\"").Append(Encode(log)).Append("\">").Append(Encode(backend.Hostname)).Append("</a></td>")
            .Append("<td class=\"").Append(state).Append("\">").Append(state).Append("</td><td>").Append(Encode(backend.Description ?? "")).Append("</td>")
            .Append(CultureInfo.InvariantCulture, $"<td class=\"n\">{backend.Port}</td><td class=\"n\">{backend.InFlight}</td><td class=\"n\">{backend.Waiting}</td>")
            .Append("<td>").Append(start).Append("</td><td>").Append(stops).Append("</td><td>").Append(Encode(backend.LastFailure ?? "")).Append("</td></tr>\n");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
