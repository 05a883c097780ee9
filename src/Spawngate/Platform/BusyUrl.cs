namespace Spawngate.Platform;

/// <summary>
/// The URL by which an instance says that it works although nobody has a request open at it. It leads to where the ready URL does, and has
/// the same token, in its path: the whole query is the caller's.
/// <code>
///   http://ADMIN/ready/NAME?token=TOKEN     http://ADMIN/busy/NAME/TOKEN
/// </code>
/// </summary>
internal static class BusyUrl
{
    /// <summary>Name of the variable that tells an instance.</summary>
    public const string Variable = "SPAWNGATE_BUSY_URL";

    private const string ReadyPath = "/ready/";
    private const string TokenQuery = "?token=";

    /// <summary>The busy URL that belongs to a ready URL. A name in a URL has no slash of its own, so neither part is met in it.</summary>
    public static string Of(string readyUrl)
    {
        int path = readyUrl.IndexOf(ReadyPath, StringComparison.Ordinal);
        int query = readyUrl.LastIndexOf(TokenQuery, StringComparison.Ordinal);
        return path < 0 || query < path
            ? ""
            : $"{readyUrl[..path]}/busy/{readyUrl[(path + ReadyPath.Length)..query]}/{readyUrl[(query + TokenQuery.Length)..]}";
    }
}
