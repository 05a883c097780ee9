namespace Spawngate.Protocols.Http2;

/// <summary>How the bytes received so far compare with the preface of HTTP/2.</summary>
public enum PrefaceMatch : byte
{
    /// <summary>They are its beginning; more are needed.</summary>
    Partial,

    /// <summary>They begin with all of it.</summary>
    Complete,

    /// <summary>They are something else.</summary>
    No,
}

/// <summary>The client's connection preface (RFC 9113 section 3.4), which tells HTTP/2 from HTTP/1.</summary>
public static class Http2Preface
{
    /// <summary>Its bytes.</summary>
    public static ReadOnlySpan<byte> Bytes => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <summary>Compares the first bytes of a connection.</summary>
    public static PrefaceMatch Match(ReadOnlySpan<byte> received)
    {
        if (received.Length >= Bytes.Length)
        {
            return received.StartsWith(Bytes) ? PrefaceMatch.Complete : PrefaceMatch.No;
        }

        return Bytes.StartsWith(received) ? PrefaceMatch.Partial : PrefaceMatch.No;
    }
}
