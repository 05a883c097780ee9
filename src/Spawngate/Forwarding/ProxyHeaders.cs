using Spawngate.Backends;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>
/// Writes the heads that are sent on (http1-conformance.md): everything is written again from what was understood, order and case kept,
/// hop-by-hop fields and those named in Connection dropped, framing ours.
/// </summary>
internal static class ProxyHeaders
{
    /// <summary>
    /// Room for what a request head gains besides its own bytes: fixed names, Via, and an address; the id and chain are counted apart.
    /// </summary>
    private const int RequestAddedBytes = 512;

    /// <summary>Room for what a response head gains.</summary>
    private const int ResponseAddedBytes = 320 + ForwardingLimits.ServerTimingBytes;

    /// <summary>Bytes that <see cref="WriteRequest"/> may need.</summary>
    public static int RequestBytesNeeded(RequestHead request) =>
        HeadWriter.BytesNeeded(request.Length + request.HostLength, request.Fields.Count, RequestAddedBytes);

    /// <summary>Bytes that <see cref="WriteResponse"/> may need.</summary>
    public static int ResponseBytesNeeded(ResponseHead response) =>
        HeadWriter.BytesNeeded(response.Length, response.Fields.Count, ResponseAddedBytes);

    /// <summary>Writes the request head for the backend. Returns its length.</summary>
    /// <param name="target">At least <see cref="RequestBytesNeeded"/> bytes.</param>
    /// <param name="request">The parsed head.</param>
    /// <param name="head">Its bytes.</param>
    /// <param name="client">The peer.</param>
    /// <param name="requestId">X-Request-ID to send.</param>
    /// <param name="via">Our Via value.</param>
    /// <param name="trace">The trace that it belongs to; null leaves what the client says of one as it is.</param>
    /// <param name="closes">True when no other request will follow over its connection (RFC 9112 section 9.6).</param>
    public static int WriteRequest(
        Span<byte> target,
        RequestHead request,
        ReadOnlySpan<byte> head,
        ClientIdentity client,
        ReadOnlySpan<byte> requestId,
        ReadOnlySpan<byte> via,
        TraceContext? trace = null,
        bool closes = false
    )
    {
        var writer = new HeadWriter(target);
        writer.Write(request.MethodBytes(head));
        writer.WriteByte((byte)' ');
        if (request.NeedsSlash(head))
        {
            writer.WriteByte((byte)'/');
        }

        writer.Write(request.Target(head));
        writer.Write(" HTTP/1.1\r\n"u8);
        // An HTTP/1.0 request without Host names none; HTTP/1.1 needs one, and health checks of such a backend say the same.
        var host = request.HostLength > 0 ? request.Host(head) : "localhost"u8;
        if (request.Fields.HostIndex < 0)
        {
            writer.WriteField("Host"u8, host);
        }

        bool upgrade = IsForwardedUpgrade(request, head);
        bool trailers = false;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.ContentLength)
            {
                WriteNumber(ref writer, field.Name(head), request.Fields.ContentLength);
            }
            else if (field.Known == KnownHeader.Host)
            {
                // Of an absolute target, its own authority (RFC 9112 section 3.2.2).
                writer.WriteField(field.Name(head), host);
            }
            else if (
                field.Known == KnownHeader.MaxForwards
                && CountsForwards(request)
                && Grammar.TryParseLength(field.Value(head), out long forwards)
            )
            {
                WriteNumber(ref writer, field.Name(head), Math.Max(0, forwards - 1));
            }
            else if (!trailers && field.Known == KnownHeader.Te && AcceptsTrailers(request, head))
            {
                trailers = true;
                writer.WriteField(field.Name(head), "trailers"u8);
            }
            else if (
                (upgrade && field.Known == KnownHeader.Upgrade)
                || !(IsDroppedFromRequest(request, head, field, client.IsTrusted) || IsReplaced(trace, field.Name(head)))
            )
            {
                writer.WriteField(field.Name(head), field.Value(head));
            }
        }

        if (upgrade || trailers || closes)
        {
            writer.WriteField(
                "Connection"u8,
                (upgrade, trailers, closes) switch
                {
                    (true, true, _) => "Upgrade, TE"u8,
                    (true, false, _) => "Upgrade"u8,
                    (false, true, true) => "TE, close"u8,
                    (false, true, false) => "TE"u8,
                    _ => "close"u8,
                }
            );
        }

        if (request.Framing.Kind == BodyKind.Chunked)
        {
            writer.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        writer.WriteField("X-Request-ID"u8, requestId);
        WriteForwarded(ref writer, request, head, client);
        if (trace is { Header.IsEmpty: false })
        {
            writer.WriteField("traceparent"u8, trace.Header);
        }

        writer.WriteField("Via"u8, via);
        writer.Write("\r\n"u8);
        return writer.Length;
    }

    /// <summary>
    /// True when the upgrade is passed on. An upgrade to h2c is not: the backend would speak HTTP/2 through a tunnel past every check here
    /// (h2c smuggling), and RFC 9113 section 3.1 has dropped it.
    /// </summary>
    public static bool IsForwardedUpgrade(RequestHead request, ReadOnlySpan<byte> head)
    {
        if (!request.WantsUpgrade)
        {
            return false;
        }

        foreach (ref readonly var field in request.Fields.Fields)
        {
            var rest = field.Known == KnownHeader.Upgrade ? field.Value(head) : default;
            while (FieldTable.NextListItem(ref rest, out var protocol))
            {
                if (protocol.Length >= 3 && Grammar.EqualsIgnoreCase(protocol[..3], "h2c"u8))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>
    /// The settings of a request without a body that asks to upgrade to h2c and to nothing else, and names its one HTTP2-Settings in
    /// Connection (RFC 7540 section 3.2.1); else empty.
    /// </summary>
    public static ReadOnlySpan<byte> SettingsOfH2cUpgrade(RequestHead request, ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> settings = default;
        int asked = request.WantsUpgrade && request.Framing.Kind == BodyKind.None && request.Fields.Has(KnownHeader.Http2Settings) ? 0 : 2;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.Upgrade)
            {
                asked += Grammar.EqualsIgnoreCase(field.Value(head), "h2c"u8) ? 1 : 2;
            }
            else if (field.Known == KnownHeader.Http2Settings)
            {
                settings = settings.IsEmpty && request.Fields.IsNominated(head, field) ? field.Value(head) : default;
            }
        }

        return asked == 1 ? settings : default;
    }

    /// <summary>
    /// True when the request goes in a loop: its Via fields say that this gateway has sent it to the same backend before, or to any too
    /// often. Only one who repeats what a Via field said can bring that about, and only for requests of his own.
    /// </summary>
    /// <param name="request">The parsed head.</param>
    /// <param name="head">Its bytes.</param>
    /// <param name="pseudonym">How this gateway names itself, up to where the backend's mark follows.</param>
    /// <param name="mark">The backend's <see cref="ViaMark"/>.</param>
    public static bool IsLoop(RequestHead request, ReadOnlySpan<byte> head, ReadOnlySpan<byte> pseudonym, ulong mark)
    {
        if (!request.Fields.Has(KnownHeader.Via))
        {
            return false;
        }

        int passes = 0;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            var rest = field.Known == KnownHeader.Via ? field.Value(head) : default;
            while (rest.IndexOf(pseudonym) is >= 0 and var at)
            {
                rest = rest[(at + pseudonym.Length)..];
                if (ViaMark.Is(rest, mark) || ++passes == ForwardingLimits.PassesMax)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>True when a TRACE or OPTIONS must not go further (RFC 9110 section 7.6.2): Max-Forwards is 0.</summary>
    public static bool IsLastHop(RequestHead request, ReadOnlySpan<byte> head)
    {
        if (!request.Fields.Has(KnownHeader.MaxForwards) || !CountsForwards(request))
        {
            return false;
        }

        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.MaxForwards && Grammar.TryParseLength(field.Value(head), out long forwards) && forwards == 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The client's X-Request-ID if it sent exactly one sane token (1 to 128 visible ASCII characters), else empty.</summary>
    public static ReadOnlySpan<byte> SaneRequestId(RequestHead request, ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> found = default;
        if (!request.Fields.Has(KnownHeader.RequestId))
        {
            return found;
        }

        int count = 0;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.RequestId)
            {
                count++;
                found = field.Value(head);
            }
        }

        return count == 1 && found.Length <= ForwardingLimits.RequestIdBytesMax && Grammar.IsVisibleAscii(found) ? found : default;
    }

    /// <summary>Takes over that id, or makes one; returns its length.</summary>
    public static int TakeRequestId(RequestHead request, ReadOnlySpan<byte> head, ForwardingContext context, Span<byte> target)
    {
        var id = SaneRequestId(request, head);
        id.CopyTo(target);
        return id.IsEmpty ? context.WriteRequestId(target) : id.Length;
    }

    /// <summary>Writes a response head, final or interim, for an HTTP/1 client. Returns its length.</summary>
    /// <param name="target">At least <see cref="ResponseBytesNeeded"/> bytes.</param>
    /// <param name="response">The parsed head.</param>
    /// <param name="head">Its bytes.</param>
    /// <param name="chunked">True when its body goes to the client chunked.</param>
    /// <param name="connection">What to say in Connection; empty for nothing.</param>
    /// <param name="requestId">Added as X-Request-ID if the backend sent none; empty for none.</param>
    /// <param name="date">Added as Date if the backend sent none (RFC 9110 section 6.6.1); empty for none.</param>
    /// <param name="timing">A Server-Timing of ours, behind those of the backend; empty for none.</param>
    public static int WriteResponse(
        Span<byte> target,
        ResponseHead response,
        ReadOnlySpan<byte> head,
        bool chunked,
        ReadOnlySpan<byte> connection,
        ReadOnlySpan<byte> requestId,
        ReadOnlySpan<byte> date = default,
        ReadOnlySpan<byte> timing = default
    )
    {
        var writer = new HeadWriter(target);
        writer.Write("HTTP/1.1 "u8);
        var status = response.StatusAndReason(head);
        writer.Write(status);
        writer.Write(status.Length == 3 ? " \r\n"u8 : "\r\n"u8);
        bool keepUpgrade = response.Status is 101 or 426;
        foreach (ref readonly var field in response.Fields.Fields)
        {
            bool dropped = field.Known switch
            {
                KnownHeader.Upgrade => !keepUpgrade,
                KnownHeader.ContentLength => response.Status is < 200 or 204,
                KnownHeader.None or KnownHeader.Trailer => response.Fields.ConnectionNominates && response.Fields.IsNominated(head, field),
                _ => KnownHeaders.IsHopByHop(field.Known),
            };
            if (dropped)
            {
                continue;
            }

            if (field.Known == KnownHeader.ContentLength)
            {
                WriteNumber(ref writer, field.Name(head), response.Fields.ContentLength);
            }
            else
            {
                writer.WriteField(field.Name(head), field.Value(head));
            }
        }

        if (chunked)
        {
            writer.Write("Transfer-Encoding: chunked\r\n"u8);
        }

        if (!date.IsEmpty && !response.Fields.Has(KnownHeader.Date))
        {
            writer.WriteField("Date"u8, date);
        }

        if (!requestId.IsEmpty && !response.Fields.Has(KnownHeader.RequestId))
        {
            writer.WriteField("X-Request-ID"u8, requestId);
        }

        if (!timing.IsEmpty)
        {
            writer.WriteField("Server-Timing"u8, timing);
        }

        if (!connection.IsEmpty)
        {
            writer.WriteField("Connection"u8, connection);
        }

        writer.Write("\r\n"u8);
        return writer.Length;
    }

    /// <summary>What to say in Connection to an HTTP/1 client, with a final response; empty for nothing.</summary>
    /// <param name="response">The response.</param>
    /// <param name="keep">True when the client's connection is kept.</param>
    /// <param name="isHttp11">False for an HTTP/1.0 client, which has to be told that it is kept.</param>
    public static ReadOnlySpan<byte> ConnectionOption(ResponseHead response, bool keep, bool isHttp11)
    {
        if (response.Status == 101)
        {
            return "Upgrade"u8;
        }

        if (response.Status == 426 && response.Fields.Has(KnownHeader.Upgrade))
        {
            return keep ? "Upgrade"u8 : "Upgrade, close"u8;
        }

        return !keep ? "close"u8
            : isHttp11 ? default
            : "keep-alive"u8;
    }

    /// <summary>
    /// A span of ours stands between the client's and the backend's; the state of a trace that could not be read belongs to none.
    /// </summary>
    private static bool IsReplaced(TraceContext? trace, ReadOnlySpan<byte> name) =>
        trace is { IsSampled: true } && (TraceContext.IsTraceParent(name) || (!trace.KeepsState && TraceContext.IsTraceState(name)));

    private static bool IsDroppedFromRequest(RequestHead request, ReadOnlySpan<byte> head, in HeaderField field, bool trusted)
    {
        switch (field.Known)
        {
            case KnownHeader.RequestId or KnownHeader.ForwardedFor:
                return true; // Written again below.
            case KnownHeader.ForwardedHost or KnownHeader.ForwardedProto:
                return !trusted;
            case KnownHeader.Expect:
                return !request.IsHttp11; // To be ignored there (RFC 9110 section 10.1.1), and nobody could relay the 100.
            case KnownHeader.Via:
                return false;
            case KnownHeader.None
                when KnownHeaders.IsForwardedLookalike(field.Name(head)) || (!trusted && KnownHeaders.TellsOrigin(field.Name(head))):
                return true;
            default:
                return KnownHeaders.IsHopByHop(field.Known)
                    || (request.Fields.ConnectionNominates && request.Fields.IsNominated(head, field));
        }
    }

    /// <summary>
    /// True when the client takes trailers (RFC 9110 section 10.1.4). They pass, so the same is said to the backend, which may be waiting
    /// for it; other codings are for one hop.
    /// </summary>
    private static bool AcceptsTrailers(RequestHead request, ReadOnlySpan<byte> head)
    {
        foreach (ref readonly var field in request.Fields.Fields)
        {
            var rest = field.Known == KnownHeader.Te && request.IsHttp11 ? field.Value(head) : default;
            while (FieldTable.NextListItem(ref rest, out var coding))
            {
                if (Grammar.EqualsIgnoreCase(coding, "trailers"u8))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool CountsForwards(RequestHead request) => request.Method is MethodKind.Trace or MethodKind.Options;

    /// <summary>The number we understood, not the client's spelling of it ("007").</summary>
    private static void WriteNumber(ref HeadWriter writer, ReadOnlySpan<byte> name, long number)
    {
        writer.Write(name);
        writer.Write(": "u8);
        writer.WriteNumber(number);
        writer.Write("\r\n"u8);
    }

    private static void WriteForwarded(ref HeadWriter writer, RequestHead request, ReadOnlySpan<byte> head, ClientIdentity client)
    {
        writer.Write("X-Forwarded-For: "u8);
        if (client.IsTrusted && request.Fields.Has(KnownHeader.ForwardedFor))
        {
            foreach (ref readonly var field in request.Fields.Fields)
            {
                if (field.Known == KnownHeader.ForwardedFor && field.ValueLength > 0)
                {
                    writer.Write(field.Value(head));
                    writer.Write(", "u8);
                }
            }
        }

        writer.Write(client.Address);
        writer.Write("\r\n"u8);
        if (request.HostLength > 0 && (!client.IsTrusted || !request.Fields.Has(KnownHeader.ForwardedHost)))
        {
            writer.WriteField("X-Forwarded-Host"u8, request.Host(head));
        }

        if (!client.IsTrusted || !request.Fields.Has(KnownHeader.ForwardedProto))
        {
            writer.Write("X-Forwarded-Proto: "u8);
            writer.Write(client.Scheme);
            writer.Write("\r\n"u8);
        }
    }
}
