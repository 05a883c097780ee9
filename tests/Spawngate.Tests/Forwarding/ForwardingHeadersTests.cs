using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Spawngate.Backends;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Protocols.Http1;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>The heads that are sent on, read again by a strict reader of the tests' own.</summary>
internal sealed class ForwardingHeadersTests
{
    private static readonly string[] AnyNames =
    [
        "X-A",
        "x-b",
        "Cookie",
        "Accept",
        "Via",
        "TE",
        "Keep-Alive",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Request-ID",
        "Expect",
        "Trailer",
        "Upgrade",
    ];

    /// <summary>What the gateway writes itself, or drops, whatever came.</summary>
    private static readonly string[] WrittenAnew =
    [
        "TE",
        "Keep-Alive",
        "X-Forwarded-For",
        "X-Request-ID",
        "Upgrade",
        "Via",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
    ];

    private static readonly HeadLimits HeadLimits = new(8192, 65536, 512);

    [Test]
    public void What_is_not_hop_by_hop_keeps_order_case_and_value()
    {
        var sent = Forward(
            "GET /p?q HTTP/1.1\r\nB-field: 2\r\nhOST:  Example.COM:80 \r\nA-Field:\r\na-field: x\ty \xe9\r\nCookie: c\r\n\r\n"
        );
        Assert.That(sent.StartLine, Is.EqualTo("GET /p?q HTTP/1.1"));
        Assert.That(
            sent.Fields.Take(5),
            Is.EqualTo(new[] { ("B-field", "2"), ("hOST", "Example.COM:80"), ("A-Field", ""), ("a-field", "x\ty \xe9"), ("Cookie", "c") })
        );
    }

    [TestCase("Connection: keep-alive\r\nKeep-Alive: 5\r\n")]
    [TestCase("Proxy-Connection: keep-alive\r\n")]
    [TestCase("TE: gzip, trailersx\r\n")]
    [TestCase("X_Forwarded_For: 1.1.1.1\r\nx-forwarded_host: b\r\nX_FORWARDED-PROTO: https\r\nX_Request_ID: 1\r\n")]
    [TestCase("Upgrade: websocket\r\n")]
    [TestCase("HTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n")]
    [TestCase("X-Gone: 1\r\nConnection: close, x-gone\r\nx-GONE: 2\r\n")]
    [TestCase("Connection: a\r\nConnection: b\r\nA: 1\r\nB: 2\r\n")]
    [TestCase("Connection: Trailer\r\nTrailer: x\r\n")]
    public void Hop_by_hop_fields_are_dropped(string fields)
    {
        var sent = Forward($"GET / HTTP/1.1\r\nHost: a\r\n{fields}Last: 1\r\n\r\n");
        Assert.That(
            sent.Names,
            Is.EqualTo(new[] { "Host", "Last", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via" })
        );
    }

    [Test]
    public void What_the_gateway_answers_for_cannot_be_nominated_away()
    {
        var sent = Forward(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: host, content-length, x-forwarded-for, x-request-id, via, "
                + "x-forwarded-host, x-forwarded-proto\r\nContent-Length: 5\r\nVia: 1.0 x\r\n\r\n",
            trusted: true
        );
        Assert.That(
            (sent["Host"], sent["Content-Length"], sent["X-Forwarded-For"], sent["X-Forwarded-Host"], sent["X-Forwarded-Proto"]),
            Is.EqualTo(("a", "5", "192.0.2.7", "a", "http"))
        );
        Assert.That((sent["X-Request-ID"], sent["Via"]), Is.EqualTo(("new-id", "1.0 x|1.1 spawngate-x")));
    }

    [TestCase(false, "192.0.2.7", "a:80", "http")]
    [TestCase(true, "1.1.1.1, 2.2.2.2, 192.0.2.7", "public.example", "https")]
    public void Forwarded_fields_are_believed_from_trusted_peers_only(bool trusted, string chain, string host, string proto)
    {
        var sent = Forward(
            "GET / HTTP/1.1\r\nHost: a:80\r\nX-Forwarded-For: 1.1.1.1\r\nX-FORWARDED-FOR: 2.2.2.2\r\nX-Forwarded-For:\r\n"
                + "X-Forwarded-Host: public.example\r\nX-Forwarded-Proto: https\r\n\r\n",
            trusted
        );
        Assert.That((sent["X-Forwarded-For"], sent["X-Forwarded-Host"], sent["X-Forwarded-Proto"]), Is.EqualTo((chain, host, proto)));
    }

    [TestCase(false, "http")]
    [TestCase(true, "https")]
    public void The_scheme_is_that_of_the_peer(bool secure, string proto) =>
        Assert.That(Forward("GET / HTTP/1.1\r\nHost: a\r\n\r\n", secure: secure)["X-Forwarded-Proto"], Is.EqualTo(proto));

    [TestCase(true)]
    [TestCase(false)]
    public void Without_forwarded_fields_trust_makes_no_difference(bool trusted)
    {
        var sent = Forward("GET / HTTP/1.1\r\nHost: a\r\n\r\n", trusted);
        Assert.That(
            (sent["X-Forwarded-For"], sent["X-Forwarded-Host"], sent["X-Forwarded-Proto"], sent["Via"]),
            Is.EqualTo(("192.0.2.7", "a", "http", "1.1 spawngate-x"))
        );
    }

    [TestCase("Forwarded: for=1.1.1.1;proto=https;host=evil\r\n")]
    [TestCase("X-Real-IP: 1.1.1.1\r\nx_real_ip: 1.1.1.1\r\nX-Real_IP: 1.1.1.1\r\n")]
    [TestCase(
        "X-Forwarded-Ssl: on\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /admin\r\nX-Forwarded-Scheme: https\r\n"
            + "X-Forwarded-Server: b\r\nX-Forwarded-Anything: b\r\n"
    )]
    [TestCase(
        "X_Forwarded_Prefix: /a\r\nx_forwarded-ssl: on\r\nX-FORWARDED_PORT: 443\r\nX_FORWARDED_PROTO: https\r\nX.Forwarded.For: 1.1.1.1\r\n"
    )]
    [TestCase(
        "Connection: x-forwarded-prefix, forwarded, x-real-ip\r\nX-Forwarded-Prefix: /a\r\nForwarded: for=b\r\nX-Real-IP: 1.1.1.1\r\n"
    )]
    public void What_would_tell_another_origin_passes_from_trusted_peers_only(string fields)
    {
        string head = $"GET / HTTP/1.1\r\nHost: a\r\n{fields}Last: 1\r\n\r\n";
        string[] own = ["Host", "Last", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via"];
        Assert.That(Forward(head).Names, Is.EqualTo(own));
        Assert.That(
            Forward(head.Replace("Host: a", "Host: a\r\nConnection: Upgrade\r\nUpgrade: x", StringComparison.Ordinal))
                .Names.Except(["Upgrade", "Connection"]),
            Is.EqualTo(own)
        );

        var plain = fields
            .Split("\r\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(':')[0])
            .Where(name => name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'));
        bool nominated = fields.StartsWith("Connection", StringComparison.Ordinal);
        Assert.That(
            Forward(head, trusted: true).Names.Except(own),
            Is.EqualTo(nominated ? [] : plain),
            "what a trusted proxy cannot have meant stays out"
        );
    }

    [TestCase("GET / HTTP/1.0\r\n\r\n", "Host")]
    [TestCase("GET / HTTP/1.0\r\nhost:\r\n\r\n", "host")]
    public void A_request_without_a_host_gets_the_one_of_health_checks(string head, string name)
    {
        var sent = Forward(head);
        Assert.That(sent.Names, Is.EqualTo(new[] { name, "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Proto", "Via" }));
        Assert.That(sent[name], Is.EqualTo("localhost"));
    }

    [TestCase("X-Request-ID: abc-1\r\n", "abc-1")]
    [TestCase("x-request-id: {~}\r\n", "{~}")]
    [TestCase("X-Request-ID: a b\r\n", "")]
    [TestCase("X-Request-ID:\r\n", "")]
    [TestCase("X-Request-ID: \xe9\r\n", "")]
    [TestCase("X-Request-ID: a\r\nX-Request-ID: b\r\n", "")]
    [TestCase("", "")]
    public void A_request_id_is_taken_over_if_it_is_one_sane_token(string field, string expected)
    {
        var (request, head) = Parse($"GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        Assert.That(Latin(ProxyHeaders.SaneRequestId(request, head)), Is.EqualTo(expected));
    }

    [TestCase(128, true)]
    [TestCase(129, false)]
    public void A_request_id_has_a_length(int length, bool sane)
    {
        var (request, head) = Parse($"GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {new string('x', length)}\r\n\r\n");
        Assert.That(ProxyHeaders.SaneRequestId(request, head).Length, Is.EqualTo(sane ? length : 0));
    }

    [TestCase("GET http://b/x HTTP/1.1\r\nHost: B\r\n\r\n", "GET /x HTTP/1.1", "b")]
    [TestCase("GET http://b/x HTTP/1.1\r\nHost: b:80\r\n\r\n", "GET /x HTTP/1.1", "b")]
    [TestCase("GET http://b?x HTTP/1.0\r\n\r\n", "GET /?x HTTP/1.1", "b")]
    [TestCase("GET http://b:8080 HTTP/1.0\r\n\r\n", "GET / HTTP/1.1", "b:8080")]
    [TestCase("OPTIONS http://b HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1", "b")]
    [TestCase("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", "OPTIONS * HTTP/1.1", "b")]
    public void An_absolute_target_becomes_origin_form_with_a_host(string head, string line, string host)
    {
        var sent = Forward(head);
        Assert.That((sent.StartLine, sent["Host"]), Is.EqualTo((line, host)));
    }

    [TestCase("Content-Length: 007\r\n", "Content-Length", "7")]
    [TestCase("cOntent-length: 0\r\n", "cOntent-length", "0")]
    [TestCase("Transfer-Encoding: ,CHUNKED,\r\n", "Transfer-Encoding", "chunked")]
    public void Framing_is_written_as_it_was_understood(string field, string name, string value)
    {
        var sent = Forward(
            $"POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n",
            body: value == "chunked" ? "0\r\n\r\n" : new string('x', int.Parse(value))
        );
        Assert.That((sent.Names.Contains(name), sent[name]), Is.EqualTo((true, value)));
    }

    [Test]
    public void Expect_and_trailer_announcements_pass()
    {
        var sent = Forward("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTrailer: x\r\nContent-Length: 0\r\n\r\n");
        Assert.That((sent["Expect"], sent["Trailer"]), Is.EqualTo(("100-continue", "x")));
    }

    [TestCase("TE: trailers\r\n", "TE")]
    [TestCase("te: gzip;q=0.5 , Trailers\r\nConnection: te\r\nTE: trailers\r\n", "TE")]
    [TestCase("TE: trailers\r\nConnection: Upgrade, TE\r\nUpgrade: websocket\r\n", "Upgrade, TE")]
    public void That_the_client_takes_trailers_is_passed_on_as_an_option_of_this_hop(string fields, string connection)
    {
        var sent = Forward($"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        Assert.That((sent["TE"], sent["Connection"]), Is.EqualTo(("trailers", connection)));
        Assert.That(Forward($"GET / HTTP/1.0\r\nHost: a\r\n{fields}\r\n")["TE"], Is.Null);
    }

    [TestCase("X_Forwarded")]
    [TestCase("X_ForwardedFor")]
    [TestCase("X_Request_IDs")]
    [TestCase("Y_Forwarded_For")]
    public void Other_names_with_underscores_pass(string name) =>
        Assert.That(Forward($"GET / HTTP/1.1\r\nHost: a\r\n{name}: 1\r\n\r\n")[name], Is.EqualTo("1"));

    [TestCase("websocket", "websocket", "Upgrade")]
    [TestCase("a/1, b", "a/1, b", "Upgrade")]
    [TestCase("h2c", null, null)]
    [TestCase("websocket, H2C", null, null)]
    [TestCase("h2c/2.0", null, null)]
    public void Upgrades_pass_but_not_to_h2c(string asked, string? sentUpgrade, string? sentConnection)
    {
        var sent = Forward($"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {asked}\r\n\r\n");
        Assert.That((sent["Upgrade"], sent["Connection"]), Is.EqualTo((sentUpgrade, sentConnection)));
    }

    [TestCase("POST", "1.0", null)]
    [TestCase("POST", "1.1", "100-continue")]
    public void An_expectation_in_HTTP_1_0_is_ignored(string method, string version, string? expected)
    {
        var sent = Forward($"{method} / HTTP/{version}\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
        Assert.That(sent["Expect"], Is.EqualTo(expected));
    }

    [TestCase("OPTIONS", "5", "4", false)]
    [TestCase("TRACE", "1", "0", false)]
    [TestCase("TRACE", "0", "0", true)]
    [TestCase("OPTIONS", "00", "0", true)]
    [TestCase("OPTIONS", "many", "many", false)]
    [TestCase("GET", "0", "0", false)]
    public void Max_Forwards_is_counted_down_for_TRACE_and_OPTIONS(string method, string received, string sentOn, bool last)
    {
        string head = $"{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {received}\r\n\r\n";
        var (request, bytes) = Parse(head);
        Assert.That(ProxyHeaders.IsLastHop(request, bytes), Is.EqualTo(last));
        Assert.That(Forward(head, body: "")["Max-Forwards"], Is.EqualTo(sentOn));
    }

    [TestCase("", "Sun, 06 Nov 1994 08:49:37 GMT")]
    [TestCase("date: theirs\r\n", "theirs")]
    public void A_response_without_a_date_gets_one(string field, string expected)
    {
        byte[] bytes = Encoding.Latin1.GetBytes($"HTTP/1.1 200 OK\r\n{field}Content-Length: 0\r\n\r\n");
        var response = new ResponseHead();
        response.Reset();
        Assert.That(ResponseHeadParser.Parse(response, bytes, false, HeadLimits), Is.EqualTo(HeadStatus.Complete));
        byte[] target = new byte[ProxyHeaders.ResponseBytesNeeded(response)];
        int length = ProxyHeaders.WriteResponse(
            target,
            response,
            bytes,
            false,
            "Upgrade, close"u8,
            Encoding.ASCII.GetBytes(new string('x', 128)),
            "Sun, 06 Nov 1994 08:49:37 GMT"u8
        );
        var sent = StrictHttp.TryRead(target.AsSpan(0, length), ended: true, toHead: true, out _)!;
        Assert.That(sent["Date"], Is.EqualTo(expected));
    }

    [TestCase("Via: 1.1 GATE-A\r\n", true)]
    [TestCase("Via: 1.0 a, 1.1 GATE-A (c), 1.1 b\r\n", true)]
    [TestCase("Via: 1.0 a\r\nVia: 2.0 GATE-B,1.1 GATE-A\r\n", true)]
    [TestCase("Via: 1.1 GATE-B\r\n", false)]
    [TestCase("Via: 1.1 GATE-B, 1.1 GATE-C, 1.1 GATE-B\r\n", false)]
    [TestCase("Via: 1.1 spawngate-y-A\r\n", false)]
    [TestCase("Via: 1.1 GATE-\r\n", false)]
    [TestCase("X: GATE-A\r\n", false)]
    [TestCase("Via: GATE-B, GATE-C, GATE-D, GATE-B\r\nVia: GATE-C, GATE-D, GATE-E\r\n", false)]
    [TestCase("Via: GATE-B, GATE-C, GATE-D, GATE-B\r\nVia: GATE-C, GATE-D, GATE-E, GATE-F\r\n", true)]
    public void A_loop_is_seen_in_via(string field, bool loop)
    {
        field = field.Replace("GATE-", "spawngate-x-", StringComparison.Ordinal);
        foreach (string key in new[] { "A", "B", "C", "D", "E", "F" })
        {
            byte[] digits = new byte[ViaMark.Bytes];
            ViaMark.Join(digits, default, ViaMark.Of(key));
            field = field.Replace($"spawngate-x-{key}", "spawngate-x-" + Latin(digits), StringComparison.Ordinal);
        }

        var (request, head) = Parse($"GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        Assert.That(ProxyHeaders.IsLoop(request, head, "spawngate-x-"u8, ViaMark.Of("A")), Is.EqualTo(loop));
    }

    [Test]
    public void The_mark_of_a_backend_tells_nothing_of_it_and_stays_the_same()
    {
        byte[] via = ViaMark.Join(new byte[ForwardingLimits.ViaBytesMax], "1.1 spawngate-x-"u8, ViaMark.Of("app.example.com")).ToArray();
        Assert.That(Latin(via), Does.Match("^1\\.1 spawngate-x-[0-9a-f]{8}$"));
        Assert.That(
            ViaMark.Of(new string("app.example.com")),
            Is.EqualTo(ViaMark.Of("app.example.com")).And.Not.EqualTo(ViaMark.Of("app.example.org"))
        );
    }

    [TestCase(
        "HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: y\r\n"
            + "Content-Length: 05\r\nset-cookie: a\r\nSet-Cookie: b\r\n\r\n",
        "HTTP/1.1 200 Fine|Server=x|Content-Length=5|set-cookie=a|Set-Cookie=b|X-Request-ID=new-id"
    )]
    [TestCase("HTTP/1.1 204\r\nContent-Length: 5\r\nX-Request-Id: theirs\r\n\r\n", "HTTP/1.1 204 |X-Request-Id=theirs")]
    [TestCase(
        "HTTP/1.1 426 Upgrade\r\nUpgrade: y\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 426 Upgrade|Upgrade=y|Content-Length=0|X-Request-ID=new-id"
    )]
    [TestCase(
        "HTTP/1.1 304 x\r\nContent-Length: 5\r\nVia: 1.1 b\r\nTrailer: t\r\n\r\n",
        "HTTP/1.1 304 x|Content-Length=5|Via=1.1 b|Trailer=t|X-Request-ID=new-id"
    )]
    [TestCase(
        "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\nConnection: trailer\r\nTrailer: t\r\n\r\n",
        "HTTP/1.1 204 x|X-Request-ID=new-id"
    )]
    [TestCase("HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\nLink: a\r\n\r\n", "HTTP/1.1 103 x|Link=a|X-Request-ID=new-id")]
    public void Responses_keep_what_is_theirs(string response, string expected)
    {
        var sent = Relay(response, chunked: false, "");
        Assert.That(string.Join('|', sent.Fields.Select(f => $"{f.Name}={f.Value}").Prepend(sent.StartLine)), Is.EqualTo(expected));
    }

    [TestCase(true, true, 200, "")]
    [TestCase(false, true, 200, "close")]
    [TestCase(true, false, 200, "keep-alive")]
    [TestCase(false, false, 200, "close")]
    [TestCase(true, true, 101, "Upgrade")]
    [TestCase(false, true, 426, "Upgrade, close")]
    [TestCase(true, true, 426, "Upgrade")]
    public void Connection_says_what_the_client_must_know(bool keep, bool http11, int status, string expected)
    {
        var response = new ResponseHead();
        response.Reset();
        ResponseHeadParser.Parse(
            response,
            Encoding.ASCII.GetBytes($"HTTP/1.1 {status} x\r\nUpgrade: y\r\nContent-Length: 0\r\n\r\n"),
            false,
            HeadLimits
        );
        Assert.That(Latin(ProxyHeaders.ConnectionOption(response, keep, http11)), Is.EqualTo(expected));
    }

    [Test]
    public void Any_accepted_request_is_sent_on_as_the_same_message_within_the_space_asked_for() =>
        Prop.ForAll(AnyRequests().ToArbitrary(), static request =>
            {
                var head = request.Head;
                var parsed = new RequestHead();
                parsed.Reset();
                if (RequestHeadParser.Parse(parsed, Encoding.Latin1.GetBytes(head), HeadLimits) != HeadStatus.Complete)
                {
                    return !request.WithHost || (request.Version == "1.0" && request.IsChunked);
                }

                return IsSameMessage(request, Forward(head, request.Trusted, request.Body));
            })
            .Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(1000));

    private static Gen<AnyRequest> AnyRequests()
    {
        var value = Letters("abz 019,;=/\"\t\xe9", 0, 20).Select(v => v.Trim(' ', '\t'));
        var field = Gen.Zip(Gen.Elements(AnyNames), value);
        var options = Gen.ListOf(Gen.Elements("close", "keep-alive", "x-a", "Cookie", "upgrade", "te", "host"));
        return from target in Gen.Elements("/", "/a?b=c", "http://h.example/x", "http://h.example?q", "http://h.example", "*")
            from version in Gen.Elements("1.0", "1.1")
            from withHost in Gen.Frequency((9, Gen.Constant(true)), (1, Gen.Constant(false)))
            from fields in Gen.ListOf(field)
            from connection in options.Select(list => list.Take(Protocols.CodecLimits.ConnectionOptionsMax))
            from framing in Gen.Elements("", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n")
            from trusted in Gen.Elements(true, false)
            select new AnyRequest(target, version, withHost, [.. fields], [.. connection], framing, trusted);
    }

    private static bool IsSameMessage(AnyRequest request, StrictMessage sent)
    {
        var kept = sent.Fields.Where(f => request.Fields.Select(x => x.Name).Contains(f.Name) && !WrittenAnew.Contains(f.Name));
        return sent["Host"] == (request.WithHost || request.Target.StartsWith('h') ? "h.example" : "localhost")
            && kept.SequenceEqual(request.Fields.Where(field => request.Passes(field.Name)))
            && sent["Via"]!.EndsWith("1.1 spawngate-x", StringComparison.Ordinal)
            && sent["X-Request-ID"] == "new-id";
    }

    private static Gen<string> Letters(string alphabet, int lengthMin, int lengthMax) =>
        from length in Gen.Choose(lengthMin, lengthMax)
        from letters in Gen.ArrayOf(Gen.Elements(alphabet.ToCharArray()), length)
        select new string(letters);

    private static string Latin(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    private static (RequestHead Request, byte[] Head) Parse(string head)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(head);
        var request = new RequestHead();
        request.Reset();
        Assert.That(RequestHeadParser.Parse(request, bytes, HeadLimits), Is.EqualTo(HeadStatus.Complete), request.Fault.ToString());
        return (request, bytes);
    }

    private static StrictMessage Forward(string head, bool trusted = false, string body = "hello", bool secure = false)
    {
        var (request, bytes) = Parse(head);

        // Exactly the space that was promised to suffice.
        byte[] target = new byte[ProxyHeaders.RequestBytesNeeded(request)];
        int length = ProxyHeaders.WriteRequest(
            target,
            request,
            bytes,
            new ClientIdentity("192.0.2.7", trusted, new ClientAddress(1), secure),
            "new-id"u8,
            "1.1 spawngate-x"u8
        );
        byte[] message = [.. target.AsSpan(0, length), .. Encoding.Latin1.GetBytes(body)];
        return StrictHttp.TryRead(message, ended: true, toHead: false, out _)
            ?? throw new AssertionException($"Incomplete: {Latin(message)}");
    }

    private static StrictMessage Relay(string head, bool chunked, string connection)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(head);
        var response = new ResponseHead();
        response.Reset();
        Assert.That(
            ResponseHeadParser.Parse(response, bytes, false, HeadLimits),
            Is.EqualTo(HeadStatus.Complete),
            response.Fault.ToString()
        );
        byte[] target = new byte[ProxyHeaders.ResponseBytesNeeded(response)];
        int length = ProxyHeaders.WriteResponse(target, response, bytes, chunked, Encoding.ASCII.GetBytes(connection), "new-id"u8);
        return StrictHttp.TryRead(target.AsSpan(0, length), ended: true, toHead: true, out _)
            ?? throw new AssertionException($"Incomplete: {Latin(target)}");
    }

    /// <summary>A request as the property test makes them.</summary>
    private sealed record AnyRequest(
        string Target,
        string Version,
        bool WithHost,
        (string Name, string Value)[] Fields,
        string[] Connection,
        string Framing,
        bool Trusted
    )
    {
        public bool IsChunked => Framing.StartsWith('T');

        public string Body =>
            IsChunked ? "0\r\n\r\n"
            : Framing.Length > 0 ? "abc"
            : "";

        public string Head =>
            $"{(Target == "*" ? "OPTIONS" : "POST")} {Target} HTTP/{Version}\r\n"
            + (WithHost ? "Host: h.example\r\n" : "")
            + string.Concat(Fields.Select(each => $"{each.Name}:{each.Value}\r\n"))
            + (Connection.Length > 0 ? $"Connection: {string.Join(',', Connection)}\r\n" : "")
            + $"{Framing}\r\n";

        /// <summary>Whether a field of this name reaches the backend as it came.</summary>
        public bool Passes(string name) =>
            !WrittenAnew.Contains(name)
            && (name != "Expect" || Version == "1.1")
            && !(Connection.Contains(name, StringComparer.OrdinalIgnoreCase) && name != "Host");
    }
}
