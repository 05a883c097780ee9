using System.Text;

namespace Spawngate.Admin;

/// <summary>
/// The dashboard at <c>/</c>: one page that carries its style and its script and asks the admin API for everything else. It holds no facts
/// itself, so a browser without the token gets it too, with status 401, and can ask for the token.
/// </summary>
/// <remarks>
/// Its Content-Security-Policy allows that one style sheet and that one script, by their hashes, and requests to this origin; nothing else
/// loads or runs.
/// </remarks>
internal static class AdminPage
{
    /// <summary>
    /// Hash of the style sheet. A test checks it: computing it at run time would load a cryptographic library for this alone.
    /// </summary>
    public const string StyleHash = "sha256-LgLxRvdNRHbv/RFi3+yhTkaCIsbw2CAPC9Kz5h0zHQc=";

    /// <summary>Hash of the script.</summary>
    public const string ScriptHash = "sha256-LXRQk2UG1isDijX9gZ3eyse7FqLorB4m9O/THjKq3zU=";

    private const string Policy =
        $"default-src 'none'; script-src '{ScriptHash}'; style-src '{StyleHash}'; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly Lazy<string> Page = new(Compose);

    /// <summary>Sends the page.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">200, or 401 when it is all that may be sent.</param>
    public static Task AnswerAsync(HttpContext context, int status)
    {
        if (status == 401)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        context.Response.Headers.ContentSecurityPolicy = Policy;
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        return AdminReply.TextAsync(context, status, "text/html; charset=utf-8", Page.Value);
    }

    private static string Compose() =>
        Read("dashboard.html")
            .Replace("{style}", Read("dashboard.css"), StringComparison.Ordinal)
            .Replace("{script}", Read("dashboard.js"), StringComparison.Ordinal);

    private static string Read(string name)
    {
        using Stream stream = typeof(AdminPage).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not part of this executable");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
