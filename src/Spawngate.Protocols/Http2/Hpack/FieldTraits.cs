using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Http2.Hpack;

/// <summary>What a field is to a request.</summary>
public enum FieldKind : byte
{
    /// <summary>Any field without a meaning of its own here.</summary>
    Regular,

    /// <summary>Cookie, whose crumbs are joined (RFC 9113 section 8.2.3).</summary>
    Cookie,

    /// <summary>:method.</summary>
    Method,

    /// <summary>:scheme.</summary>
    Scheme,

    /// <summary>:authority.</summary>
    Authority,

    /// <summary>:path.</summary>
    Path,

    /// <summary>:protocol (RFC 8441).</summary>
    Protocol,

    /// <summary>Any other name that begins with a colon.</summary>
    UnknownPseudo,
}

/// <summary>
/// What can be said of a field by its bytes alone. The decoder keeps it with the entries of its table, so that a repeated field is not
/// checked again.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Known">Which of the fields that HTTP/1.1 has to understand.</param>
/// <param name="Fault">Why it may not stand in a request; of pseudo-header fields it is for the caller to say.</param>
public readonly record struct FieldTraits(FieldKind Kind, KnownHeader Known, MalformedReason Fault)
{
    /// <summary>True for names that begin with a colon.</summary>
    public bool IsPseudo => Kind >= FieldKind.Method;

    /// <summary>Looks at a field (RFC 9113 sections 8.2 and 8.3).</summary>
    public static FieldTraits Classify(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.IsEmpty)
        {
            return new FieldTraits(FieldKind.Regular, KnownHeader.None, MalformedReason.BadName);
        }

        if (name[0] == (byte)':')
        {
            return ClassifyPseudo(name[1..], value);
        }

        var known = KnownHeaders.Identify(name);
        var kind = name.Length == 6 && name.SequenceEqual("cookie"u8) ? FieldKind.Cookie : FieldKind.Regular;
        return new FieldTraits(kind, known, FaultOf(name, value, known));
    }

    private static MalformedReason FaultOf(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, KnownHeader known)
    {
        if (!Grammar.IsToken(name) || name.IndexOfAnyInRange((byte)'A', (byte)'Z') >= 0)
        {
            return MalformedReason.BadName;
        }

        var fault = FaultOf(value);
        if (fault != MalformedReason.None)
        {
            return fault;
        }

        switch (known)
        {
            case KnownHeader.None:
                return KnownHeaders.IsFramingLookalike(name) ? MalformedReason.Lookalike : MalformedReason.None;
            case KnownHeader.Te:
                return Grammar.EqualsIgnoreCase(value, "trailers"u8) ? MalformedReason.None : MalformedReason.BadTe;
            default:
                return KnownHeaders.IsHopByHop(known) ? MalformedReason.ConnectionSpecific : MalformedReason.None;
        }
    }

    private static MalformedReason FaultOf(ReadOnlySpan<byte> value)
    {
        if (!Grammar.IsFieldValue(value))
        {
            return MalformedReason.BadValue;
        }

        return !value.IsEmpty && (value[0] is (byte)' ' or (byte)'\t' || value[^1] is (byte)' ' or (byte)'\t')
            ? MalformedReason.WhiteSpaceAround
            : MalformedReason.None;
    }

    private static FieldTraits ClassifyPseudo(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        var kind = name.Length switch
        {
            4 when name.SequenceEqual("path"u8) => FieldKind.Path,
            6 when name.SequenceEqual("method"u8) => FieldKind.Method,
            6 when name.SequenceEqual("scheme"u8) => FieldKind.Scheme,
            8 when name.SequenceEqual("protocol"u8) => FieldKind.Protocol,
            9 when name.SequenceEqual("authority"u8) => FieldKind.Authority,
            _ => FieldKind.UnknownPseudo,
        };
        var fault = kind switch
        {
            FieldKind.Method or FieldKind.Protocol => Grammar.IsToken(value) ? MalformedReason.None : MalformedReason.BadMethod,
            FieldKind.Scheme => IsScheme(value) ? MalformedReason.None : MalformedReason.BadScheme,
            FieldKind.Authority => Grammar.IsHost(value) ? MalformedReason.None : MalformedReason.BadAuthority,
            FieldKind.Path => Grammar.IsTarget(value) && value[0] is (byte)'/' or (byte)'*'
                ? MalformedReason.None
                : MalformedReason.BadPath,
            _ => MalformedReason.UnknownPseudo,
        };
        return new FieldTraits(kind, KnownHeader.None, fault);
    }

    /// <summary>scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) (RFC 3986 section 3.1).</summary>
    private static bool IsScheme(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || !char.IsAsciiLetter((char)value[0]))
        {
            return false;
        }

        foreach (byte b in value)
        {
            if (!char.IsAsciiLetterOrDigit((char)b) && b is not ((byte)'+' or (byte)'-' or (byte)'.'))
            {
                return false;
            }
        }

        return true;
    }
}
