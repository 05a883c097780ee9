namespace Spawngate.Protocols.Http1;

/// <summary>
/// Reads request heads (RFC 9112 sections 2 to 6), strictly: what two parties could read differently is refused.
/// </summary>
/// <remarks>
/// <code>
///  [CRLF] request-line CRLF *( field-line CRLF ) CRLF
///         └ method SP target SP HTTP-version
/// </code>
/// The parser works line by line and remembers where it is in the <see cref="RequestHead"/>, so bytes may arrive cut at
/// any place and no byte is scanned twice.
/// </remarks>
public static class RequestHeadParser
{
    /// <summary>Goes on reading a head.</summary>
    /// <param name="head">The head begun with <see cref="RequestHead.Reset"/>.</param>
    /// <param name="bytes">Everything received so far, from the first byte of the head.</param>
    /// <param name="limits">Bounds.</param>
    public static HeadStatus Parse(RequestHead head, ReadOnlySpan<byte> bytes, in HeadLimits limits)
    {
        var fault = ParseLines(head, bytes, limits, out bool complete);
        if (fault == HeadFault.None)
        {
            return complete ? HeadStatus.Complete : HeadStatus.NeedMore;
        }

        head.Fault = fault;
        return HeadStatus.Refused;
    }

    private static HeadFault ParseLines(RequestHead head, ReadOnlySpan<byte> bytes, in HeadLimits limits, out bool complete)
    {
        complete = false;
        while (true)
        {
            int lf = bytes[head.SearchFrom..].IndexOf((byte)'\n');
            if (lf < 0)
            {
                head.SearchFrom = bytes.Length;
                return CheckUnfinished(head, bytes, limits);
            }

            int lineStart = head.LineStart;
            int end = head.SearchFrom + lf - 1;
            head.LineStart = head.SearchFrom = end + 2;
            if (end < lineStart || bytes[end] != (byte)'\r')
            {
                return HeadFault.BareLf;
            }

            if (head.LineStart > limits.MaxHeadBytes)
            {
                return head.HasRequestLine || end - lineStart <= limits.MaxStartLineBytes
                    ? HeadFault.HeadTooLarge
                    : JudgeTooLong(bytes[lineStart..end], limits);
            }

            if (end == lineStart && head.HasRequestLine)
            {
                head.Length = head.LineStart;
                complete = true;
                return Finish(head, bytes);
            }

            var fault = ParseLine(head, bytes, lineStart, end, limits);
            if (fault != HeadFault.None)
            {
                return fault;
            }
        }
    }

    private static HeadFault ParseLine(RequestHead head, ReadOnlySpan<byte> bytes, int start, int end, in HeadLimits limits)
    {
        if (head.HasRequestLine)
        {
            return head.Fields.Count == limits.MaxFields ? HeadFault.TooManyFields : head.Fields.Add(bytes, start, end);
        }

        if (end == start)
        {
            // RFC 9112 section 2.2: one empty line before the request line is ignored; a second one is not a request.
            return start == 0 ? HeadFault.None : HeadFault.BadRequestLine;
        }

        if (end - start > limits.MaxStartLineBytes)
        {
            return JudgeTooLong(bytes[start..end], limits);
        }

        head.HasRequestLine = true;
        return ParseRequestLine(head, bytes, start, end);
    }

    /// <summary>A line that is not complete yet may already be too long.</summary>
    private static HeadFault CheckUnfinished(RequestHead head, ReadOnlySpan<byte> bytes, in HeadLimits limits)
    {
        if (!head.HasRequestLine)
        {
            var line = bytes[head.LineStart..];
            if (line.Length > limits.MaxStartLineBytes + 1)
            {
                return JudgeTooLong(line, limits);
            }

            // What cannot become a request line (a TLS handshake, say) is answered now, not at the header timeout.
            if (!line.IsEmpty && line[0] != '\r' && !Grammar.IsToken(line[..1]))
            {
                return HeadFault.BadMethod;
            }
        }

        return bytes.Length >= limits.MaxHeadBytes ? HeadFault.HeadTooLarge : HeadFault.None;
    }

    /// <summary>
    /// RFC 9112 section 3: of a request line that is too long, whether it is the method that is, with the shortest target, or the target.
    /// </summary>
    private static HeadFault JudgeTooLong(ReadOnlySpan<byte> line, in HeadLimits limits)
    {
        int space = line.IndexOf((byte)' ');
        var method = space < 0 ? line : line[..space];
        return !Grammar.IsToken(method) ? HeadFault.BadMethod
            : IsMethodTooLong(method.Length, limits) ? HeadFault.MethodTooLong
            : HeadFault.RequestLineTooLong;
    }

    /// <summary>True when no request line has room for a method of that length.</summary>
    internal static bool IsMethodTooLong(int length, in HeadLimits limits) => length + " / HTTP/1.1"u8.Length > limits.MaxStartLineBytes;

    /// <summary>RFC 9112 section 3: exactly one space between the three parts, nothing else.</summary>
    private static HeadFault ParseRequestLine(RequestHead head, ReadOnlySpan<byte> bytes, int start, int end)
    {
        var line = bytes[start..end];
        if (!Grammar.IsFieldValue(line))
        {
            return HeadFault.ControlCharacter;
        }

        int space = line.IndexOf((byte)' ');
        int last = line.LastIndexOf((byte)' ');
        if (space <= 0 || last <= space + 1)
        {
            return HeadFault.BadRequestLine;
        }

        var method = line[..space];
        if (!Grammar.IsToken(method))
        {
            return HeadFault.BadMethod;
        }

        var fault = ParseVersion(head, line[(last + 1)..]);
        if (fault != HeadFault.None)
        {
            return fault;
        }

        head.MethodStart = start;
        head.MethodLength = space;
        head.Method = IdentifyMethod(method);
        head.TargetStart = start + space + 1;
        head.TargetLength = last - space - 1;
        return head.Method == MethodKind.Connect ? HeadFault.ConnectMethod : ParseTarget(head, line[(space + 1)..last]);
    }

    /// <summary>RFC 9112 section 2.3. A higher minor version of major 1 is served as 1.1.</summary>
    private static HeadFault ParseVersion(RequestHead head, ReadOnlySpan<byte> version)
    {
        if (
            version.Length != 8
            || !version.StartsWith("HTTP/"u8)
            || !char.IsAsciiDigit((char)version[5])
            || version[6] != '.'
            || !char.IsAsciiDigit((char)version[7])
        )
        {
            return HeadFault.BadRequestLine;
        }

        if (version[5] != '1')
        {
            return HeadFault.UnsupportedVersion;
        }

        head.MinorVersion = version[7] == '0' ? 0 : 1;
        return HeadFault.None;
    }

    /// <summary>RFC 9112 section 3.2: origin form, absolute form, or asterisk form.</summary>
    private static HeadFault ParseTarget(RequestHead head, ReadOnlySpan<byte> target)
    {
        if (!Grammar.IsTarget(target))
        {
            return HeadFault.BadTarget;
        }

        if (target[0] == '/')
        {
            return HeadFault.None;
        }

        if (target[0] == '*')
        {
            return target.Length == 1 && head.Method == MethodKind.Options ? HeadFault.None : HeadFault.BadTarget;
        }

        return ParseAbsoluteForm(head, target);
    }

    private static HeadFault ParseAbsoluteForm(RequestHead head, ReadOnlySpan<byte> target)
    {
        int scheme = target.IndexOf("://"u8);
        if (scheme < 0 || !(Grammar.EqualsIgnoreCase(target[..scheme], "http"u8) || Grammar.EqualsIgnoreCase(target[..scheme], "https"u8)))
        {
            return HeadFault.BadTarget;
        }

        int authorityStart = scheme + 3;
        var rest = target[authorityStart..];
        int pathStart = rest.IndexOfAny((byte)'/', (byte)'?');
        var authority = pathStart < 0 ? rest : rest[..pathStart];
        if (authority.IndexOf((byte)'@') >= 0)
        {
            return HeadFault.UserInfo;
        }

        if (!Grammar.IsHost(authority))
        {
            return HeadFault.BadHost;
        }

        head.IsAbsoluteForm = true;
        head.HostStart = head.TargetStart + authorityStart;
        head.HostLength = authority.Length;
        head.TargetStart += authorityStart + authority.Length;
        head.TargetLength = rest.Length - authority.Length;
        return HeadFault.None;
    }

    private static HeadFault Finish(RequestHead head, ReadOnlySpan<byte> bytes)
    {
        var fault = CheckHost(head, bytes);
        if (fault != HeadFault.None)
        {
            return fault;
        }

        fault = BodyFraming.ForRequest(head.Fields, head.IsHttp11, out var framing);
        head.Framing = framing;
        return fault;
    }

    /// <summary>
    /// RFC 9112 section 3.2: exactly one Host in HTTP/1.1, and at most one in HTTP/1.0; where the target has an authority the two must
    /// agree.
    /// </summary>
    private static HeadFault CheckHost(RequestHead head, ReadOnlySpan<byte> bytes)
    {
        int index = head.Fields.HostIndex;
        var field = index < 0 ? default : head.Fields.Fields[index];
        if (field.ValueLength == 0)
        {
            // RFC 9112 section 3.2 asks it of HTTP/1.1 only. Whether anybody serves a request without is for routing to say.
            return head.IsHttp11 ? HeadFault.MissingHost : HeadFault.None;
        }

        var value = field.Value(bytes);
        if (!Grammar.IsHost(value))
        {
            return value.IndexOf((byte)'@') >= 0 ? HeadFault.UserInfo : HeadFault.BadHost;
        }

        if (head.IsAbsoluteForm)
        {
            return SameAuthority(head.Host(bytes), value) ? HeadFault.None : HeadFault.HostMismatch;
        }

        head.HostStart = field.ValueStart;
        head.HostLength = field.ValueLength;
        return HeadFault.None;
    }

    /// <summary>Equal without case; the default port 80 may be written or left out.</summary>
    internal static bool SameAuthority(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        System.Text.Ascii.EqualsIgnoreCase(WithoutDefaultPort(a), WithoutDefaultPort(b));

    private static ReadOnlySpan<byte> WithoutDefaultPort(ReadOnlySpan<byte> host) =>
        host.EndsWith(":80"u8) ? host[..^3]
        : host.EndsWith(":"u8) ? host[..^1]
        : host;

    /// <summary>Methods are case-sensitive (RFC 9110 section 9.1).</summary>
    internal static MethodKind IdentifyMethod(ReadOnlySpan<byte> method) =>
        method.Length switch
        {
            3 when method.SequenceEqual("GET"u8) => MethodKind.Get,
            3 when method.SequenceEqual("PUT"u8) => MethodKind.Put,
            4 when method.SequenceEqual("POST"u8) => MethodKind.Post,
            4 when method.SequenceEqual("HEAD"u8) => MethodKind.Head,
            5 when method.SequenceEqual("TRACE"u8) => MethodKind.Trace,
            6 when method.SequenceEqual("DELETE"u8) => MethodKind.Delete,
            7 when method.SequenceEqual("OPTIONS"u8) => MethodKind.Options,
            7 when method.SequenceEqual("CONNECT"u8) => MethodKind.Connect,
            _ => MethodKind.Other,
        };
}
