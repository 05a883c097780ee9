using System.Globalization;
using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Forwarding;

/// <summary>
/// What people in browsers get in the place of a JSON error (errors.md): the same status and fields, as a page that looks like the
/// <see cref="WaitingPage"/>. Nothing of the request, of the backend or of this machine stands in it, so there is one page for each error.
/// </summary>
internal static class ErrorPage
{
    private const string Policy =
        $"default-src 'none'; style-src '{WaitingPage.StyleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

    private static readonly (string, string)[] Fields =
    [
        ("cache-control", "no-store"),
        ("content-security-policy", Policy),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ];

    private static readonly OwnReply?[] Pages = new OwnReply?[(int)ProxyError.ClientGone + 1];

    /// <summary>The page for an error; null when the request is one of a program, which gets the JSON, or nobody is to be told.</summary>
    /// <param name="error">The error.</param>
    /// <param name="method">The request's method.</param>
    /// <param name="head">
    /// Its head, as it was received or as it was written for the backend, as far as it is there. A navigation is told by its Accept.
    /// </param>
    public static OwnReply? Of(ProxyError error, MethodKind method, ReadOnlySpan<byte> head) =>
        error is ProxyError.None or ProxyError.ClientGone || !NavigationClassifier.WantsPage(method, head)
            ? null
            : Pages[(int)error] ??= Make(error);

    private static OwnReply Make(ProxyError error)
    {
        string code = Encoding.ASCII.GetString(ProxyErrors.Code(error));
        int status = ProxyErrors.Status(error);
        string page = WaitingPage
            .Read("error.html")
            .Replace("{title}", TitleOf(error), StringComparison.Ordinal)
            .Replace("{message}", ProxyErrors.Message(error), StringComparison.Ordinal)
            .Replace("{code}", string.Create(CultureInfo.InvariantCulture, $"{status} {code}"), StringComparison.Ordinal)
            .Replace("{again}", MayPass(error) ? "<p id=\"again\"><a href=\"\">Try again</a></p>\n" : "", StringComparison.Ordinal)
            .Replace("{style}", WaitingPage.Read("waiting.css"), StringComparison.Ordinal);
        return new OwnReply(error, "text/html; charset=utf-8", Encoding.UTF8.GetBytes(page), 0, Fields);
    }

    private static string TitleOf(ProxyError error) =>
        error switch
        {
            ProxyError.UnknownHost or ProxyError.MissingHostHeader => "Nothing is here",
            ProxyError.SessionEnded => "It has ended",
            ProxyError.NotRunning => "It is not running",
            ProxyError.BackendStarting => "It is starting",
            ProxyError.BackendStartFailed => "It could not be started",
            ProxyError.BackendUnhealthy or ProxyError.BackendShuttingDown => "Not available at the moment",
            ProxyError.RequestTimeout => "It takes too long",
            ProxyError.ConnectionFailed => "It cannot be reached",
            ProxyError.BadBackendResponse => "It gave no valid answer",
            ProxyError.QueueFull or ProxyError.Overloaded or ProxyError.TooManyRequests => "Too busy at the moment",
            _ => "The request cannot be served",
        };

    /// <summary>Whether another try may bring something else.</summary>
    private static bool MayPass(ProxyError error) =>
        error is ProxyError.TooManyRequests or ProxyError.ClientTimeout || ProxyErrors.Status(error) is 502 or 503 or 504;
}
