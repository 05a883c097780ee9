namespace Spawngate.Sessions;

/// <summary>The bounds of sessions, each with the reasoning behind its value.</summary>
internal static class SessionLimits
{
    /// <summary>Ended sessions that are remembered, the latest: some 700 bytes each, 7 MB.</summary>
    public const int SessionsRemembered = 10_000;

    /// <summary>Characters of a key: a path or address of a document.</summary>
    public const int SessionKeyCharsMax = 256;

    /// <summary>Characters of an image reference: a name of 255, a tag of 128 and a digest of 71, with what separates them.</summary>
    public const int SessionImageCharsMax = 512;

    /// <summary>Variables that a call may set: far more than any program reads; their size is bounded by that of the body.</summary>
    public const int SessionEnvMax = 256;

    /// <summary>The port of a container whose call names none: what most images of web programs use.</summary>
    public const int SessionImagePort = 8080;
}
