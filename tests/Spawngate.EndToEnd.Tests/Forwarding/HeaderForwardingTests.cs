using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>What reaches the backend, and what comes back: everything but what belongs to one connection.</summary>
internal sealed class HeaderForwardingTests : SharedGatewayTest
{
    private static readonly string[] AddedByTheGateway =
    [
        "X-Request-ID",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Via",
    ];

    [Test]
    public async Task Method_target_order_and_case_are_kept()
    {
        const string Target = "/echo?q=%2F..%2f&empty=&a=b;c=d&utf=%C3%A9";
        RawResponse response = await RequestAsync(
            Target,
            "PATCH",
            "zZ-Last: 1\r\naCCept: */*\r\nX-Dup: one\r\nx-other:  spaced \r\nX-Dup: two\r\nX-Empty:\r\nCookie: a=b; c=d\r\n"
        );

        EchoedRequest request = response.Echoed;
        Assert.That(request.RequestLine, Is.EqualTo($"PATCH {Target} HTTP/1.1"));
        Assert.That(
            request.Headers.Where(each => !AddedByTheGateway.Contains(each.Name)),
            Is.EqualTo(
                new[]
                {
                    ("Host", Host),
                    ("zZ-Last", "1"),
                    ("aCCept", "*/*"),
                    ("X-Dup", "one"),
                    ("x-other", "spaced"),
                    ("X-Dup", "two"),
                    ("X-Empty", ""),
                    ("Cookie", "a=b; c=d"),
                }
            )
        );
    }

    [Test]
    public async Task The_original_host_is_kept_with_its_port()
    {
        RawResponse response = await RawClient.RequestAsync(Port, Host + ":8080", "/echo");

        Assert.That(response.Echoed.Header("Host"), Is.EqualTo(Host + ":8080"));
        Assert.That(response.Echoed.Header("X-Forwarded-Host"), Is.EqualTo(Host + ":8080"));
    }

    [TestCase("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", "Keep-Alive")]
    [TestCase("Connection: X-Private\r\nX-Private: 1\r\n", "X-Private")]
    [TestCase("Connection: x-one , X-Two\r\nX-One: 1\r\nx-two: 2\r\n", "X-One", "X-Two")]
    [TestCase("Connection: X-One\r\nConnection: X-Two\r\nX-One: 1\r\nX-Two: 2\r\n", "X-One", "X-Two")]
    [TestCase("Proxy-Connection: keep-alive\r\n", "Proxy-Connection")]
    [TestCase("TE: gzip\r\nConnection: TE\r\n", "TE")]
    public async Task Hop_by_hop_fields_of_the_request_are_dropped(string headers, params string[] dropped)
    {
        RawResponse response = await RequestAsync("/echo", headers: headers + "X-Kept: 1\r\n");

        IEnumerable<string> names = response.Echoed.Headers.Select(each => each.Name.ToLowerInvariant());
        Assert.That(names.Intersect(dropped.Select(each => each.ToLowerInvariant())), Is.Empty);
        Assert.That(response.Echoed.Header("X-Kept"), Is.EqualTo("1"));
    }

    [Test]
    public async Task Naming_an_end_to_end_field_in_Connection_cannot_remove_what_the_gateway_adds_or_frames()
    {
        RawResponse response = await RequestAsync(
            "/echo",
            "POST",
            "Connection: X-Forwarded-For, Content-Length, Host, X-Request-ID\r\n",
            "hello"
        );

        Assert.That(response.Header("X-Body-Length"), Is.EqualTo("5"));
        Assert.That(response.Echoed.Header("Host"), Is.EqualTo(Host));
        Assert.That(response.Echoed.Header("X-Forwarded-For"), Is.EqualTo("127.0.0.1"));
    }

    [Test]
    public async Task Hop_by_hop_fields_of_the_response_are_dropped_and_the_rest_is_kept_in_order()
    {
        RawResponse response = await RequestAsync(
            "/headers?h=X-B:%202|x-a:%201|Connection:%20X-Private|X-Private:%201|Keep-Alive:%20timeout%3D5|"
                + "Set-Cookie:%20a%3Db|Set-Cookie:%20c%3Dd|Server:%20mine"
        );

        Assert.That(response.Text, Is.EqualTo("ok"));
        IEnumerable<(string, string)> kept = response.Headers.Where(each =>
            each.Name is not ("Content-Length" or "X-Request-ID" or "Via" or "Date")
        );
        Assert.That(
            kept,
            Is.EqualTo(new[] { ("X-B", "2"), ("x-a", "1"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("Server", "mine") })
        );
    }

    [Test]
    public async Task Bytes_above_ASCII_in_values_pass_unchanged()
    {
        RawResponse response = await RequestAsync("/echo", headers: "X-Latin: caf\u00e9\r\n");

        Assert.That(System.Text.Encoding.Latin1.GetString(response.Body), Does.Contain("X-Latin: caf\u00e9\r\n"));
    }

    [Test]
    public async Task Four_kilobytes_of_cookie_and_many_fields_pass()
    {
        string many = string.Concat(Enumerable.Range(0, 80).Select(i => $"X-Many-{i}: {i}\r\n"));

        RawResponse response = await RequestAsync("/echo", headers: many + "Cookie: " + new string('c', 4096) + "\r\n");

        Assert.That(response.Echoed.Header("Cookie"), Has.Length.EqualTo(4096));
        Assert.That(response.Echoed.Headers.Count(each => each.Name.StartsWith("X-Many-", StringComparison.Ordinal)), Is.EqualTo(80));
    }

    [TestCase("OPTIONS", "/echo")]
    [TestCase("DELETE", "/echo")]
    [TestCase("PUT", "/echo")]
    [TestCase("PROPFIND", "/echo")]
    [TestCase("X-CUSTOM", "/echo")]
    public async Task Any_method_passes(string method, string target)
    {
        Assert.That((await RequestAsync(target, method)).Echoed.RequestLine, Is.EqualTo($"{method} {target} HTTP/1.1"));
    }

    [Test]
    public async Task OPTIONS_of_the_whole_server_passes()
    {
        RawResponse response = await RequestAsync("*", "OPTIONS");

        Assert.That(response.Text, Is.EqualTo("no such path: *"));
    }
}

/// <summary>The five fields that the gateway adds.</summary>
internal sealed class AddedHeaderTests : SharedGatewayTest
{
    [Test]
    public async Task A_sane_request_id_is_kept_and_comes_back()
    {
        RawResponse response = await RequestAsync("/echo", headers: "X-Request-ID: abc-123_x.y/z\r\n");

        Assert.That(response.Echoed.Header("X-Request-ID"), Is.EqualTo("abc-123_x.y/z"));
        Assert.That(response.Header("X-Request-ID"), Is.EqualTo("abc-123_x.y/z"));
    }

    [Test]
    public async Task Without_one_each_request_gets_a_new_id_that_comes_back()
    {
        RawResponse first = await RequestAsync("/echo");
        RawResponse second = await RequestAsync("/echo");

        Assert.That(first.Echoed.Header("X-Request-ID"), Has.Length.InRange(16, 128).And.EqualTo(first.Header("X-Request-ID")));
        Assert.That(second.Header("X-Request-ID"), Is.Not.EqualTo(first.Header("X-Request-ID")));
    }

    [TestCase("", TestName = "An_empty_request_id_is_replaced")]
    [TestCase("has space", TestName = "A_request_id_with_a_space_is_replaced")]
    [TestCase("caf\u00e9", TestName = "A_request_id_beyond_ASCII_is_replaced")]
    [TestCase("tab\tbed", TestName = "A_request_id_with_a_tab_is_replaced")]
    public async Task An_insane_request_id_is_replaced(string id)
    {
        RawResponse response = await RequestAsync("/echo", headers: $"X-Request-ID: {id}\r\n");

        Assert.That(response.Echoed.Header("X-Request-ID"), Is.Not.EqualTo(id).And.Match("^[\x21-\x7e]{1,128}$"));
        Assert.That(response.Header("X-Request-ID"), Is.EqualTo(response.Echoed.Header("X-Request-ID")));
    }

    [Test]
    public async Task A_request_id_of_128_characters_is_kept_and_a_longer_one_replaced()
    {
        string longest = new('a', 128);

        Assert.That(
            (await RequestAsync("/echo", headers: $"X-Request-ID: {longest}\r\n")).Echoed.Header("X-Request-ID"),
            Is.EqualTo(longest)
        );
        Assert.That(
            (await RequestAsync("/echo", headers: $"X-Request-ID: {longest}a\r\n")).Echoed.Header("X-Request-ID"),
            Has.Length.LessThan(128)
        );
    }

    [Test]
    public async Task A_request_id_that_the_backend_sets_wins()
    {
        RawResponse response = await RequestAsync("/headers?h=X-Request-ID:%20from-backend", headers: "X-Request-ID: mine\r\n");

        Assert.That(response.Header("X-Request-ID"), Is.EqualTo("from-backend"));
    }

    [Test]
    public async Task A_trusted_peers_chain_is_extended_and_its_host_and_proto_are_kept()
    {
        RawResponse response = await RequestAsync(
            "/echo",
            headers: "X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\nX-Forwarded-Host: public.example\r\nX-Forwarded-Proto: https\r\n"
        );

        Assert.That(response.Echoed.Header("X-Forwarded-For"), Is.EqualTo("203.0.113.7, 10.0.0.1, 127.0.0.1"));
        Assert.That(response.Echoed.Header("X-Forwarded-Host"), Is.EqualTo("public.example"));
        Assert.That(response.Echoed.Header("X-Forwarded-Proto"), Is.EqualTo("https"));
    }

    [Test]
    public async Task Several_fields_of_a_trusted_chain_keep_their_order()
    {
        RawResponse response = await RequestAsync("/echo", headers: "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 10.0.0.1\r\n");

        string chain = string.Join(", ", response.Echoed.Headers.Where(each => each.Name == "X-Forwarded-For").Select(each => each.Value));
        Assert.That(chain, Is.EqualTo("203.0.113.7, 10.0.0.1, 127.0.0.1"));
    }

    [Test]
    public async Task Without_a_chain_the_peer_stands_alone()
    {
        EchoedRequest request = (await RequestAsync("/echo")).Echoed;

        Assert.That(request.Header("X-Forwarded-For"), Is.EqualTo("127.0.0.1"));
        Assert.That(request.Header("X-Forwarded-Host"), Is.EqualTo(Host));
        Assert.That(request.Header("X-Forwarded-Proto"), Is.EqualTo("http"));
    }

    [Test]
    public async Task Via_is_added_after_those_that_came()
    {
        RawResponse response = await RequestAsync("/echo", headers: "Via: 1.0 fred, 1.1 p.example.com\r\n");

        string via = string.Join(", ", response.Echoed.Headers.Where(each => each.Name == "Via").Select(each => each.Value));
        Assert.That(via, Does.Match("^1\\.0 fred, 1\\.1 p\\.example\\.com, 1\\.1 [!-~]+"));
    }
}

/// <summary>Gateways in front of gateways.</summary>
internal sealed class ChainTests : GatewayTest
{
    [Test]
    public async Task An_untrusted_peers_forwarding_headers_are_replaced()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("trusted_proxies = []").TestBackend(Host));

        RawResponse response = await RawClient.RequestAsync(
            gateway.Port,
            Host,
            "/echo",
            headers: "X-Forwarded-For: 203.0.113.7\r\nx-forwarded-host: evil.example\r\nX-Forwarded-Proto: https\r\n"
        );

        Assert.That(response.Echoed.Header("X-Forwarded-For"), Is.EqualTo("127.0.0.1"));
        Assert.That(response.Echoed.Header("X-Forwarded-Host"), Is.EqualTo(Host));
        Assert.That(response.Echoed.Header("X-Forwarded-Proto"), Is.EqualTo("http"));
    }

    [Test]
    public async Task Two_gateways_in_a_row_are_no_loop()
    {
        GatewayProcess inner = await GatewayAsync();
        GatewayProcess outer = await Scene.GatewayAsync(
            new ConfigFile().TestBackendWith(Host, ["health_path = \"\""], "--name=relay", $"--relay={inner.Port}")
        );

        RawResponse response = await RawClient.RequestAsync(outer.Port, Host, "/echo");

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Echoed.Header("X-Forwarded-For"), Is.EqualTo("127.0.0.1, 127.0.0.1"));
    }

    [Test]
    public async Task A_request_that_comes_back_to_the_gateway_is_refused_with_508()
    {
        var config = new ConfigFile();
        GatewayProcess gateway = await Scene.GatewayAsync(config.TestBackendWith(Host, ["health_path = \"\""], $"--relay={config.Port}"));

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((508, "LOOP_DETECTED")));
    }
}
