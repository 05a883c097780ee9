using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>What a client gets when its request, the backend or the connection between them is at fault.</summary>
internal sealed class ClientAndBackendFaultTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    private const string PostWithBody = "POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nhello";
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [TestCase("GET / HTTP/1.1\r\n\r\n", 400, "MISSING_HOST_HEADER")]
    [TestCase("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "BAD_REQUEST")]
    [TestCase("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP_VERSION_NOT_SUPPORTED")]
    [TestCase("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "NOT_IMPLEMENTED")]
    [TestCase("POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "NOT_IMPLEMENTED")]
    [TestCase(
        "POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            + "GET /smuggled HTTP/1.1\r\n",
        400,
        "BAD_REQUEST"
    )]
    [TestCase("\x16\x03\x01", 400, "BAD_REQUEST")]
    public async Task A_refused_head_gets_its_error_and_the_connection_ends(string request, int status, string code)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(request);
        var response = await client.ReadAsync();
        Assert.That(
            (response.Status, response["X-Proxy-Error"], response["Connection"], response["Content-Type"]),
            Is.EqualTo((status, code, "close", "application/json"))
        );
        Assert.That(response.Text, Does.Match($$"""^\{"code":"{{code}}","message":"[^"]+","status":{{status}}\}$"""));
        Assert.That(await client.ReadToEndAsync(), Is.Empty);
        client.EndSending();
        await stage.EndedAsync(client);
        Assert.That(stage.HasNewConnection, Is.False);
    }

    [Test]
    public async Task A_long_request_line_and_a_large_head_have_their_own_errors()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync($"GET /{new string('x', 9000)}");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(414));
        client = await stage.ConnectAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: a\r\nX: {new string('x', 33000)}");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(431));
    }

    [Test]
    public async Task An_error_shows_nothing_of_the_request_before_it()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get.Replace("\r\n\r\n", "\r\nX-Request-ID: secret-1\r\n\r\n", StringComparison.Ordinal));
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync())["X-Request-ID"], Is.EqualTo("secret-1"));
        await client.SendAsync("BAD\r\n\r\n");
        Assert.That((await client.ReadAsync())["X-Request-ID"], Is.Null);
    }

    [Test]
    public async Task An_unknown_host_keeps_the_connection_unless_a_body_follows()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(
            "HEAD / HTTP/1.1\r\nHost: nobody\r\n\r\nPOST / HTTP/1.1\r\nHost: nobody\r\nContent-Length: 44\r\n\r\n" + Get
        );
        var response = await client.ReadAsync(toHead: true);
        Assert.That((response.Status, response["X-Proxy-Error"], response["Connection"]), Is.EqualTo((404, "UNKNOWN_HOST", (string?)null)));
        response = await client.ReadAsync();
        Assert.That((response.Status, response["Connection"]), Is.EqualTo((404, "close")));
        Assert.That(await client.ReadToEndAsync(), Is.Empty, "the body is not taken for a request");
        Assert.That(stage.HasNewConnection, Is.False);
    }

    [Test]
    public async Task A_loop_is_refused()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        var forwarded = await backend.ReadAsync();
        await backend.SendAsync(Ok);
        await client.ReadAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\nHost: app.example.com\r\nVia: 1.1 other, {forwarded["Via"]}\r\n\r\n");
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(508));
    }

    [Test]
    public async Task A_pooled_connection_that_closed_does_not_cost_a_request()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, old) = await PoolAsync(stage);

        await client.SendAsync("GET /again HTTP/1.1\r\nHost: app.example.com\r\nX-Kept: 1\r\n\r\n");
        var first = await old.ReadAsync();
        old.Dispose();
        var fresh = await stage.AcceptAsync();
        var second = await fresh.ReadAsync();
        Assert.That(second.Fields, Is.EqualTo(first.Fields), "the same request, with the same id");
        await fresh.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));

        // Only once: the next one gets the error.
        await client.SendAsync(Get);
        await fresh.ReadAsync();
        fresh.Dispose();
        var last = await stage.AcceptAsync();
        await last.ReadAsync();
        last.Dispose();
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["X-Proxy-Error"]), Is.EqualTo((502, "CONNECTION_FAILED")));
    }

    [TestCase("PUT", true)]
    [TestCase("POST", false)]
    public async Task A_body_that_went_with_the_head_is_repeated_only_for_idempotent_methods(string method, bool repeated)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, old) = await PoolAsync(stage);
        await client.SendAsync($"{method} / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nhello");
        Assert.That((await old.ReadAsync()).Text, Is.EqualTo("hello"));
        old.Dispose();
        if (repeated)
        {
            var fresh = await stage.AcceptAsync();
            Assert.That((await fresh.ReadAsync()).Text, Is.EqualTo("hello"));
            await fresh.SendAsync(Ok);
        }

        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(repeated ? 200 : 502));
        Assert.That(stage.HasNewConnection, Is.False);
    }

    [TestCase("GET", false)]
    [TestCase("GET", true)]
    [TestCase("POST", true)]
    public async Task A_new_connection_that_closes_without_an_answer_is_502_and_the_same_process_is_not_asked_again(
        string method,
        bool reset
    )
    {
        await using var stage = await StartPatientAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get.Replace("GET", method, StringComparison.Ordinal));
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        if (reset)
        {
            backend.Reset();
        }
        else
        {
            backend.Dispose();
        }

        // After a reset it is waited for the process to be seen as ended, which it is not here.
        var answer = client.ReadAsync();
        await stage.AdvanceUntilAsync(answer, 1);
        var response = await answer;
        Assert.That(
            (response.Status, response["X-Proxy-Error"], response["Connection"]),
            Is.EqualTo((502, "CONNECTION_FAILED", (string?)null))
        );
        await stage.NothingIsAskedAsync();
    }

    /// <summary>
    /// Docker's forwarder of a port takes a connection, and what is sent, although the container is dead, and then closes as if nothing
    /// were wrong.
    /// </summary>
    [TestCase("GET", 200)]
    [TestCase("POST", 502)]
    public async Task A_forwarder_that_closes_without_an_answer_is_a_run_that_has_ended(string method, int status)
    {
        await using var stage = await ForwardingStage.StartAsync(config =>
            config with
            {
                RequestTimeoutSecs = 1_000_000,
                Settings = new DockerSettings { Image = "app", ContainerName = "app" },
            }
        );
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get.Replace("GET", method, StringComparison.Ordinal));
        var forwarder = await stage.AcceptAsync();
        await forwarder.ReadAsync();
        var first = stage.Backend.Word.InstanceNumber;
        forwarder.Dispose();
        var answer = client.ReadAsync();
        if (status == 200)
        {
            // It is known before the time moves: that is over before anybody could notice.
            stage.EndRun();
            Assert.That(SpinWait.SpinUntil(() => stage.Backend.Word.Phase != BackendPhase.Ready, TimeSpan.FromSeconds(30)));
            var next = stage.AcceptAsync();
            await stage.AdvanceUntilAsync(next, 1);
            await (await next).ReadAsync();
            await (await next).SendAsync(Ok);
        }

        Assert.That((await answer).Status, Is.EqualTo(status));
        Assert.That(stage.Backend.Word.InstanceNumber, Is.EqualTo(status == 200 ? first + 1 : first));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_request_whose_used_connection_is_reset_is_sent_again_if_it_is_idempotent(bool isIdempotent)
    {
        await using var stage = await StartPatientAsync();
        var (client, old) = await PoolAsync(stage);
        old.Vanish();
        await client.SendAsync(isIdempotent ? Get : PostWithBody);
        if (isIdempotent)
        {
            var fresh = await stage.AcceptAsync();
            await fresh.ReadAsync();
            await fresh.SendAsync(Ok);
        }

        // The other waits for the next instance, in case that this one has ended.
        var answer = client.ReadAsync();
        await stage.AdvanceUntilAsync(answer, 10);
        Assert.That((await answer).Status, Is.EqualTo(isIdempotent ? 200 : 502));
        await stage.NothingIsAskedAsync();
    }

    /// <summary>The kernel acknowledges late on a connection that has had answers: a reset may come before that.</summary>
    [Test]
    public async Task A_request_that_was_read_before_the_reset_of_its_used_connection_is_not_sent_again()
    {
        await using var stage = await StartPatientAsync();
        var (client, old) = await PoolAsync(stage);
        await client.SendAsync(PostWithBody);
        Assert.That((await old.ReadAsync()).Text, Is.EqualTo("hello"), "it may act on it now");
        old.Reset();
        var answer = client.ReadAsync();
        await stage.AdvanceUntilAsync(answer, 10);
        Assert.That((await answer).Status, Is.EqualTo(502));
        await stage.NothingIsAskedAsync();
    }

    /// <summary>A process that ends resets what it has left unread, also on connections that it has used.</summary>
    [Test]
    public async Task A_request_that_an_ended_instance_left_unread_on_a_used_connection_is_served_by_the_next()
    {
        await using var stage = await StartPatientAsync();
        var (client, old) = await PoolAsync(stage);
        await client.SendAsync(PostWithBody);
        Assert.That(SpinWait.SpinUntil(() => old.HasUnread, TimeSpan.FromSeconds(30)));
        old.Dispose();

        // It is known before the time moves: that is over before anybody could notice.
        stage.EndRun();
        Assert.That(SpinWait.SpinUntil(() => stage.Backend.Word.Phase != BackendPhase.Ready, TimeSpan.FromSeconds(30)));
        var next = stage.AcceptAsync();
        await stage.AdvanceUntilAsync(next, 10);
        Assert.That((await (await next).ReadAsync()).Text, Is.EqualTo("hello"));
        await (await next).SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }

    [TestCaseSource(nameof(WithoutIdempotence))]
    public async Task A_request_that_crosses_the_end_of_its_connection_is_sent_again_whatever_its_method(string head, string rest)
    {
        for (int i = 0; i < 20; i++)
        {
            await using var stage = await ForwardingStage.StartAsync();
            var (client, old) = await PoolAsync(stage);

            // The gateway may have seen the end when it takes the connection, or see it when it sends.
            old.Dispose();
            await AssertSentAgainAsync(stage, client, head, rest);
        }
    }

    [Test]
    public async Task A_body_that_follows_its_head_goes_over_a_connection_that_is_there()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var (client, backend) = await PoolAsync(stage);
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n");
            await backend.ReadHeadAsync();
            await client.SendAsync("5\r\nhello\r\n0\r\n\r\n");
            Assert.That(await backend.ReadTextAsync(15), Does.StartWith("5\r\nhello\r\n0"));
            await backend.SendAsync(Ok);
            Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
        }

        Assert.That(stage.HasNewConnection, Is.False);
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Le")]
    [TestCase("HTTP/1.1 100 Continue\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [TestCase("HTTP/1.1 101 Switching Protocols\r\n\r\n")]
    [TestCase("nonsense\r\n\r\n")]
    public async Task A_malformed_or_cut_head_of_the_backend_is_502(string answer)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(answer);
        backend.EndSending();
        var response = await client.ReadAsync();
        response = response.Status == 100 ? await client.ReadAsync() : response;
        Assert.That((response.Status, response["X-Proxy-Error"]), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")));
    }

    [TestCase("Content-Length: 10\r\n\r\nhello")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")]
    [TestCase("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n")]
    public async Task A_body_cut_by_the_backend_is_seen_as_cut(string rest)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\n" + rest);
        backend.EndSending();
        Assert.That(await client.ReadToResetAsync(), Does.Not.Contain("0\r\n\r\n"));
        await stage.EndedAsync(client);
    }

    [TestCase("5\r\nhelloXX")]
    [TestCase("zz\r\n")]
    [TestCase("5 5\r\nhello\r\n0\r\n\r\n")]
    public async Task Broken_chunks_that_come_with_the_head_are_502(string body)
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["X-Proxy-Error"]), Is.EqualTo((502, "BAD_BACKEND_RESPONSE")));
    }

    [Test]
    public async Task Broken_chunks_that_come_later_cut_what_was_begun()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        Assert.That(await client.ReadHeadAsync(), Does.Contain("200 OK"));
        Assert.That(await client.ReadTextAsync("5\r\nhello".Length), Is.EqualTo("5\r\nhello"));
        await backend.SendAsync("zz\r\n");
        Assert.That(await client.ReadToResetAsync(), Does.Not.Contain("0\r\n\r\n"));
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task Broken_request_chunks_are_refused_and_never_complete_the_body()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await client.SendAsync("0x\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.That((response.Status, response["Connection"]), Is.EqualTo((400, "close")));
        Assert.That(await backend.ReadToResetOrEndAsync(), Does.Not.Contain("0\r\n\r\n"));
        client.EndSending();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task A_client_that_leaves_during_its_upload_or_its_wait_frees_the_backend()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 10\r\n\r\nhello");
        var backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        client.Reset();
        await stage.EndedAsync(client);
        Assert.That(await backend.ReadToResetOrEndAsync(), Is.EqualTo("hello"));

        client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        client.Reset();
        await stage.EndedAsync(client);
        Assert.That(await backend.ReadToResetOrEndAsync(), Is.Empty);

        client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n");
        backend = await stage.AcceptAsync();
        await backend.ReadHeadAsync();
        await client.SendAsync("0\r\n\r\n");
        Assert.That(await backend.ReadTextAsync(5), Is.EqualTo("0\r\n\r\n"));
        client.Reset();
        await stage.EndedAsync(client);
    }

    [Test]
    public async Task Bytes_that_nobody_asked_for_are_never_taken_for_an_answer()
    {
        await using var stage = await ForwardingStage.StartAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(Ok + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
        await client.SendAsync(Get);
        var second = await stage.AcceptAsync();
        await second.ReadAsync();
        await second.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Text, Is.EqualTo("ok"));
    }

    /// <summary>Its process lives as far as anybody knows: it has as long to start itself anew as for a start.</summary>
    [Test]
    public async Task A_backend_that_goes_on_refusing_connections_is_502_after_the_time_of_a_start()
    {
        await using var stage = await ForwardingStage.StartAsync(static config =>
            config with
            {
                RequestTimeoutSecs = 1,
                StartupTimeoutSecs = 3,
            }
        );
        stage.StopListening();
        var client = await stage.ConnectAsync();
        await client.SendAsync("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 2\r\n\r\nhi" + Get);
        for (int i = 0; i < 2; i++)
        {
            var begun = stage.Time.GetUtcNow();
            var answer = client.ReadAsync();
            while (!answer.IsCompleted)
            {
                // Not so fast that the time to take an answer is over while its sender waits for a processor.
                stage.Time.AdvanceMs(1);
                await Task.Yield();
                Thread.SpinWait(5000);
            }

            Assert.That((await answer)["X-Proxy-Error"], Is.EqualTo("CONNECTION_FAILED"));
            if (i == 0)
            {
                Assert.That((stage.Time.GetUtcNow() - begun).TotalSeconds, Is.GreaterThanOrEqualTo(2.9));
            }
        }
    }

    [TestCase("GET")]
    [TestCase("POST")]
    public async Task A_backend_that_refuses_connections_while_it_starts_itself_anew_is_waited_for(string method)
    {
        await using var stage = await StartPatientAsync();
        stage.StopListening();
        var client = await stage.ConnectAsync();
        await client.SendAsync($"{method} / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 2\r\n\r\nhi");
        Assert.That(() => stage.Backend.Traffic.Retried, Is.EqualTo(1).After(30_000, 1));
        Assert.That(stage.InFlight, Is.EqualTo(1), "it is in use meanwhile");

        stage.ListenAgain();

        var backend = await stage.AcceptAsync();
        Assert.That((await backend.ReadAsync()).Text, Is.EqualTo("hi"));
        await backend.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }

    /// <summary>The child of a development server is ended with a request in hand, and the next one is not there yet.</summary>
    [Test]
    public async Task A_request_whose_server_restarts_below_its_parent_is_sent_to_the_new_one()
    {
        await using var stage = await StartPatientAsync();
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var old = await stage.AcceptAsync();
        await old.ReadAsync();
        stage.StopListening();
        old.Reset();
        var waits = Task.Run(() => SpinWait.SpinUntil(() => stage.Backend.Traffic.Retried == 3, TimeSpan.FromSeconds(30)));
        await stage.AdvanceUntilAsync(waits, 1);

        stage.ListenAgain();

        var next = await stage.AcceptAsync();
        await next.ReadAsync();
        await next.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }

    private static TestCaseData[] WithoutIdempotence() =>
        [
            new TestCaseData("POST / HTTP/1.1\r\nHost: app.example.com\r\n\r\n", "").SetArgDisplayNames("without a body"),
            new TestCaseData("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nhello", "").SetArgDisplayNames(
                "with its body in hand"
            ),
            new TestCaseData("POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 5\r\n\r\nhe", "llo").SetArgDisplayNames(
                "with a body that follows"
            ),
            new TestCaseData(
                "PATCH / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked\r\n\r\n",
                "5\r\nhello\r\n0\r\n\r\n"
            ).SetArgDisplayNames("with chunks that follow"),
        ];

    /// <summary>
    /// A stage on which the time may be moved until something happens: no answer is too late, however long this machine takes for it.
    /// </summary>
    private static Task<ForwardingStage> StartPatientAsync() =>
        ForwardingStage.StartAsync(config => config with { RequestTimeoutSecs = 1_000_000 });

    /// <summary>A client whose first request was answered, and the backend's end of the connection that waits in the pool now.</summary>
    private static async Task<(WireEnd Client, WireEnd Backend)> PoolAsync(ForwardingStage stage)
    {
        var client = await stage.ConnectAsync();
        await client.SendAsync(Get);
        var backend = await stage.AcceptAsync();
        await backend.ReadAsync();
        await backend.SendAsync(Ok);
        await client.ReadAsync();
        return (client, backend);
    }

    private static async Task AssertSentAgainAsync(ForwardingStage stage, WireEnd client, string head, string rest)
    {
        await client.SendAsync(head);
        var fresh = await stage.AcceptAsync();
        await client.SendAsync(rest);
        string request = await fresh.ReadHeadAsync();
        Assert.That(request, Does.StartWith(head[..6]));
        string body = head.Contains("Length", StringComparison.Ordinal) ? "hello" : rest;
        Assert.That(await fresh.ReadTextAsync(body.Length), Is.EqualTo(body));
        await fresh.SendAsync(Ok);
        Assert.That((await client.ReadAsync()).Status, Is.EqualTo(200));
    }
}
