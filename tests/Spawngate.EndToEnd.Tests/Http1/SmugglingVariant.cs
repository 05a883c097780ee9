namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Bytes of a hostile client, and what has to come of them.</summary>
/// <param name="Name">Name of the variant, and first segment of all its targets.</param>
/// <param name="Bytes">What is sent.</param>
/// <param name="Refused">Status of the refusal that ends the connection; 0 for none.</param>
/// <param name="Meant">The requests that the backend has to see, as <c>METHOD TARGET BODY</c>, before the refusal if there is one.</param>
internal sealed record SmugglingVariant(string Name, string Bytes, int Refused, string[] Meant)
{
    /// <summary>The field that names the lenient backend.</summary>
    public const string Host = "Host: lenient.test\r\n";

    /// <summary>Beginning of a POST; fields, an empty line and a body follow.</summary>
    public const string Post = "POST /{v}/a HTTP/1.1\r\n" + Host;

    /// <summary>Beginning of a GET.</summary>
    public const string Get = "GET /{v}/a HTTP/1.1\r\n" + Host;

    /// <summary>The request that must never be seen, unless the client sends it openly as one of its own.</summary>
    public const string Hidden = "GET /{v}/hidden HTTP/1.1\r\n" + Host + "\r\n";

    /// <summary>What the backend sees of <see cref="Hidden"/> where it was meant.</summary>
    public const string HiddenSeen = "GET /{v}/hidden";

    /// <summary>True when the connection ends in order after the last answer.</summary>
    public bool Closes { get; init; }

    /// <summary>A variant that is refused, after the requests that came before in good order.</summary>
    public static SmugglingVariant Refuse(string name, int status, string bytes, params string[] before) =>
        Make(name, bytes, status, before);

    /// <summary>A variant that is forwarded, and so is harmless only when it is understood in one way.</summary>
    public static SmugglingVariant Pass(string name, string bytes, params string[] meant) => Make(name, bytes, 0, meant);

    /// <summary>Like <see cref="Pass"/>, with an orderly end of the connection.</summary>
    public static SmugglingVariant PassAndClose(string name, string bytes, params string[] meant) =>
        Make(name, bytes, 0, meant) with
        {
            Closes = true,
        };

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static SmugglingVariant Make(string name, string bytes, int refused, string[] meant) =>
        new(
            name,
            bytes.Replace("{v}", name, StringComparison.Ordinal),
            refused,
            [.. meant.Select(each => each.Replace("{v}", name, StringComparison.Ordinal))]
        );
}
