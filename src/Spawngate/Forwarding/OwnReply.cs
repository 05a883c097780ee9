namespace Spawngate.Forwarding;

/// <summary>An answer of the gateway itself that is no JSON error.</summary>
/// <param name="Error">What it tells: its status and code; <see cref="ProxyError.None"/> for 200.</param>
/// <param name="ContentType">Content type.</param>
/// <param name="Body">Body.</param>
/// <param name="RetryAfterSecs">Seconds for Retry-After; 0 for none.</param>
/// <param name="Fields">Further fields, names in lower case.</param>
internal sealed record OwnReply(
    ProxyError Error,
    string ContentType,
    byte[] Body,
    int RetryAfterSecs,
    IReadOnlyList<(string Name, string Value)> Fields
)
{
    /// <summary>Bytes of the further fields.</summary>
    public int FieldBytes => Fields.Sum(static each => each.Name.Length + each.Value.Length);
}
