namespace Spawngate.Workloads.Docker;

/// <summary>
/// Says what a failed pull means to who has to act on it. Engines pass on what a registry said in words only, so it is recognised by words;
/// the engine's own message always follows.
/// </summary>
internal static class PullFault
{
    private static readonly (string Meaning, string[] Words)[] Meanings =
    [
        // Docker Hub says the same of an image that does not exist and of one that is private.
        ("the image is unknown, or the registry needs a login", ["repository does not exist or may require"]),
        (
            "the registry cannot be reached",
            [
                "connection refused",
                "no such host",
                "i/o timeout",
                "network is unreachable",
                "no route to host",
                "server misbehaving",
                "Client.Timeout",
                "request canceled while waiting for connection",
                "context deadline exceeded",
                "connection reset",
                "TLS handshake timeout",
                "temporary failure in name resolution",
            ]
        ),
        ("the registry's certificate is not trusted", ["x509:", "server gave HTTP response to HTTPS client", "certificate"]),
        ("the registry needs a login", ["unauthorized", "authentication required", "no basic auth credentials", "denied", "forbidden"]),
        ("too many pulls from this address", ["toomanyrequests", "rate limit"]),
        (
            "the image is unknown to the registry",
            ["manifest unknown", "not found", "name unknown", "does not exist", "no matching manifest"]
        ),
        ("the disk of the engine is full", ["no space left on device"]),
        ("the image reference is not valid", ["invalid reference format"]),
    ];

    /// <summary>The failure of a pull, for people.</summary>
    /// <param name="image">What was to be pulled.</param>
    /// <param name="message">What the engine said.</param>
    public static string Describe(string image, string message)
    {
        foreach (var (meaning, words) in Meanings)
        {
            if (words.Any(word => message.Contains(word, StringComparison.OrdinalIgnoreCase)))
            {
                return $"image {image} cannot be pulled: {meaning} ({message})";
            }
        }

        return $"image {image} cannot be pulled: {message}";
    }
}
