using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Sessions;

/// <summary>The calls of the API: their answers, and what enemies send.</summary>
[LongRunning]
internal sealed class SessionCallTests : SessionTest
{
    [Test]
    public async Task Wrong_calls_are_refused_by_field()
    {
        GatewayProcess gateway = await GatewayWithTokenAsync(Config());
        foreach (
            (string body, int status, string code, string? field) in ((string, int, string, string?)[])
                [
                    ("{\"tempalte\":\"t\"}", 400, "BAD_FIELD", "tempalte"),
                    ("{\"template\":\"x\"}", 400, "BAD_FIELD", "template"),
                    ("{\"port\":80}", 400, "BAD_FIELD", "port"),
                    ("{\"env\":{\"PORT\":\"1\"}}", 400, "BAD_FIELD", "env.PORT"),
                    ("{\"env\":{\"NOTIFY_SOCKET\":\"/tmp/x\"}}", 400, "BAD_FIELD", "env.NOTIFY_SOCKET"),
                    ("{\"env\":{\"SESSION_ID\":\"1\"}}", 400, "BAD_FIELD", "env.SESSION_ID"),
                    ("{\"env\":{\"SESSION_KEY\":\"1\"}}", 400, "BAD_FIELD", "env.SESSION_KEY"),
                    ("{\"env\":{\"SESSION_X\":\"1\",\"LD_PRELOAD\":\"/tmp/x.so\"}}", 403, "ENV_NOT_ALLOWED", "env.LD_PRELOAD"),
                    ("{\"env\":{\"DOCUMENT\":\"1\"}}", 403, "ENV_NOT_ALLOWED", "env.DOCUMENT"),
                    ("{\"image\":\"ubuntu\"}", 403, "IMAGE_NOT_ALLOWED", "image"),
                    ("{\"key\":\"a\",\"key\":\"b\"}", 400, "BAD_FIELD", "key"),
                    ("{", 400, "BAD_JSON", null),
                    ("[]", 400, "BAD_JSON", null),
                    ("\0", 400, "BAD_JSON", null),
                    (new string('[', 60_000), 400, "BAD_JSON", null),
                    (new string(' ', 70_000), 413, "PAYLOAD_TOO_LARGE", null),
                ]
        )
        {
            (int seen, JsonElement answer) = await CallAsync(gateway, HttpMethod.Post, "/spawn", body);
            string? named = answer.TryGetProperty("field", out JsonElement value) ? value.GetString() : null;
            Assert.That(
                (seen, answer.GetProperty("code").GetString(), answer.GetProperty("status").GetInt32(), named),
                Is.EqualTo((status, code, status, field)),
                body[..Math.Min(body.Length, 50)]
            );
        }

        using HttpResponseMessage get = await gateway.Admin.SendAsync(HttpMethod.Get, "/spawn");
        Assert.That(get.StatusCode, Is.EqualTo(HttpStatusCode.MethodNotAllowed));
        Assert.That(get.Content.Headers.Allow, Is.EqualTo(["POST"]));
        foreach (string path in (string[])["", "/ready", "/status", "/status/stream", "/events"])
        {
            Assert.That(
                (
                    await CallAsync(
                        gateway,
                        path.Length == 0 ? HttpMethod.Delete : HttpMethod.Get,
                        $"/backend/aaaaaaaaaaaaaaaaaaaaaaaa{path}"
                    )
                ).Status,
                Is.EqualTo(404),
                path
            );
        }

        Spawned session = await SpawnAsync(gateway);
        Assert.That(
            (await CallAsync(gateway, HttpMethod.Get, $"/backend/{session.Name}/ready?wait=-1")).Answer.GetProperty("field").GetString(),
            Is.EqualTo("wait")
        );
        Assert.That((await CallAsync(gateway, HttpMethod.Post, $"/backends/{session.Host}/restart")).Status, Is.EqualTo(409));
        Assert.That((await CallAsync(gateway, HttpMethod.Post, $"/backends/{session.Host}/stop")).Status, Is.EqualTo(202));
        await UntilAsync(gateway, session, "Swept");
    }

    [Test]
    public async Task Bodies_without_length_without_end_or_without_order_harm_nobody()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        string admin = $"127.0.0.1:{gateway.Config.AdminPort}";
        using RawClient huge = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        await huge.SendAsync($"POST /spawn HTTP/1.1\r\nHost: {admin}\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 17; i++)
        {
            await huge.SendChunkAsync(new byte[4096]);
        }

        Assert.That((await huge.ReadResponseAsync()).Status, Is.EqualTo(413));
        using RawClient cut = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        await cut.SendAsync($"POST /spawn HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 100\r\n\r\n{{");
        cut.Dispose();
        using RawClient foreign = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        Assert.That(
            (
                await foreign.ExchangeAsync(admin, "/spawn", "POST", "Content-Type: application/json\r\nOrigin: http://evil.test\r\n", "{}")
            ).Status,
            Is.EqualTo(403)
        );
        using RawClient rebound = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        Assert.That(
            (await rebound.ExchangeAsync("evil.test", "/spawn", "POST", "Content-Type: application/json\r\n", "{}")).Status,
            Is.EqualTo(403)
        );
        Spawned session = await SpawnAsync(gateway, "{}");
        using RawClient deletes = await RawClient.ConnectAsync(gateway.Config.AdminPort);
        Assert.That(
            (await deletes.ExchangeAsync(admin, $"/backend/{session.Name}", "DELETE", "Origin: http://evil.test\r\n")).Status,
            Is.EqualTo(403)
        );
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        Assert.That(Control.Started(), Has.Count.EqualTo(1), "only the one call that was in order made a session");
    }

    [Test]
    public async Task Without_an_admin_token_a_call_names_a_template_a_key_and_a_grace_period_and_nothing_else()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(["allow_env = [\"BASH_ENV\", \"SESSION_*\"]"]));
        foreach (
            (string body, string field) in ((string, string)[])
                [
                    ("""{"template":"t","env":{"BASH_ENV":"/tmp/evil"}}""", "env"),
                    ("""{"template":"t","env":{"SESSION_A":"1"},"key":"k"}""", "env"),
                    ("""{"template":"t","port":80}""", "port"),
                    ("""{"image":"ubuntu"}""", "image"),
                ]
        )
        {
            (int status, JsonElement answer) = await CallAsync(gateway, HttpMethod.Post, "/spawn", body);
            Assert.That(
                (status, answer.GetProperty("code").GetString(), answer.GetProperty("field").GetString()),
                Is.EqualTo((403, "ADMIN_TOKEN_NEEDED", field)),
                body
            );
            Assert.That(
                answer.GetProperty("message").GetString(),
                Does.Contain("server.admin_token").And.Contain("a template, a key and a grace period")
            );
        }

        Spawned session = await SpawnAsync(gateway, """{"template":"t","key":"k","gracePeriodSeconds":50,"env":null}""");
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        Assert.That((session.IsNew, Control.Started().Count), Is.EqualTo((true, 1)), "what was refused made nothing");
    }

    [Test]
    public async Task A_call_cannot_set_what_steers_loaders_and_interpreters()
    {
        string marker = Path.Combine(Scene.Folder, "ran");
        string script = Path.Combine(Scene.Folder, "evil.sh");
        await File.WriteAllTextAsync(script, $"echo ran > {marker}\n");
        string[] shell = ["command = \"bash\"", $"args = [\"-c\", \"exec {Executables.Backend}\"]"];
        ConfigFile config = new ConfigFile()
            .Section("[sessions]", $"domain = \"{Domain}\"")
            .Section(["[sessions.templates.usual]", .. shell])
            .Section(["[sessions.templates.wide]", .. shell, "allow_env = [\"*\", \"BASH_*\"]"])
            .Section(["[sessions.templates.literal]", .. shell, "allow_env = [\"BASH_ENV\"]"]);
        GatewayProcess gateway = await GatewayWithTokenAsync(config);
        string env = $$"""{"BASH_ENV":{{JsonSerializer.Serialize(script)}} }""";
        foreach (string template in (string[])["usual", "wide"])
        {
            (int status, JsonElement answer) = await CallAsync(
                gateway,
                HttpMethod.Post,
                "/spawn",
                $$"""{"template":"{{template}}","env":{{env}} }"""
            );
            Assert.That((status, answer.GetProperty("field").GetString()), Is.EqualTo((403, "env.BASH_ENV")), template);
            Spawned plain = await SpawnAsync(gateway, $$"""{"template":"{{template}}","env":{"SESSION_A":"mine"} }""");
            Assert.That((await AskAsync(gateway, plain, "/env?name=SESSION_A")).Text, Is.EqualTo("mine"));
        }

        Assert.That(File.Exists(marker), Is.False, "code of the caller ran");
        Spawned session = await SpawnAsync(gateway, $$"""{"template":"literal","env":{{env}} }""");
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        Assert.That(File.Exists(marker), Is.True, "listed by its whole name");
    }

    [Test]
    public async Task Every_session_is_told_its_id_and_its_key()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config(["env = { SESSION_KEY = \"of the template\", SESSION_ID = \"1\" }"]));
        Spawned keyed = await SpawnAsync(gateway, """{"key":"a \"document\" of ☃"}""");
        Spawned plain = await SpawnAsync(gateway, "");

        Assert.That((await AskAsync(gateway, keyed, "/env?name=SESSION_ID")).Text, Is.EqualTo(keyed.Name));
        Assert.That((await AskAsync(gateway, keyed, "/env?name=SESSION_KEY")).Text, Is.EqualTo("a \"document\" of ☃"));
        Assert.That((await AskAsync(gateway, plain, "/env?name=SESSION_ID")).Text, Is.EqualTo(plain.Name));
        RawResponse none = await AskAsync(gateway, plain, "/env?name=SESSION_KEY");
        Assert.That((none.Status, none.Text), Is.EqualTo((200, "")), "set, and empty");
    }

    [TestCase("", 415)]
    [TestCase("Content-Type: application/x-www-form-urlencoded\r\n", 415)]
    [TestCase("Content-Type: text/plain\r\n", 415)]
    [TestCase("Content-Type: application/jsonp\r\n", 415)]
    [TestCase("Content-Type: application/json, text/plain\r\n", 415)]
    [TestCase("Content-Type: application/json\r\nContent-Type: text/plain\r\n", 415)]
    [TestCase("Content-Type: application/json; charset=utf-16\r\n", 415)]
    [TestCase("Content-Type: application/json\r\n", 200)]
    [TestCase("Content-Type: Application/JSON; charset=\"UTF-8\"\r\n", 200)]
    public async Task Only_JSON_is_taken_and_an_empty_body_needs_no_type(string type, int expected)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        string admin = $"127.0.0.1:{gateway.Config.AdminPort}";
        using RawClient client = await RawClient.ConnectAsync(gateway.Config.AdminPort);

        RawResponse response = await client.ExchangeAsync(admin, "/spawn", "POST", type, "{\"key\":\"a\"}");
        Assert.That(response.Status, Is.EqualTo(expected), response.Text);
        if (expected == 415)
        {
            Assert.That(
                (response.Header("Accept"), JsonDocument.Parse(response.Text).RootElement.GetProperty("code").GetString()),
                Is.EqualTo(("application/json", "UNSUPPORTED_MEDIA_TYPE"))
            );
            await client.SendAsync(
                $"POST /spawn HTTP/1.1\r\nHost: {admin}\r\n{type}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            );
            Assert.That((await client.ReadResponseAsync()).Status, Is.EqualTo(415), "in chunks");
        }

        Assert.That((await client.ExchangeAsync(admin, "/spawn", "POST", type)).Status, Is.EqualTo(200), "nothing, with whatever type");
    }

    [Test]
    public async Task The_token_applies()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config().Server("admin_token = \"open-sesame\""));
        Assert.That((await CallAsync(gateway, HttpMethod.Post, "/spawn", "{}")).Status, Is.EqualTo(401));
        Assert.That((await CallAsync(gateway, HttpMethod.Delete, "/backend/aaaaaaaaaaaaaaaaaaaaaaaa")).Status, Is.EqualTo(401));
        Assert.That((await CallAsync(gateway, HttpMethod.Get, "/backend/aaaaaaaaaaaaaaaaaaaaaaaa/status")).Status, Is.EqualTo(401));
        gateway.Admin.Token = "open-sesame";
        Spawned session = await SpawnAsync(gateway, "{}");
        await ReadyAsync(gateway, session);
        Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200), "the session itself asks for none");
    }

    [Test]
    public async Task Ten_thousand_calls_with_one_key_make_one_process()
    {
        int calls = Executables.GatewayIsNative ? 10_000 : 1000;
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        var sessions = new ConcurrentBag<Spawned>();
        await Parallel.ForEachAsync(Enumerable.Range(0, calls), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (_, _) =>
            sessions.Add(await SpawnAsync(gateway, """{"key":"one document"}"""))
        );

        Assert.That(
            (sessions.Count, sessions.Select(session => session.Name).Distinct().Count(), sessions.Count(session => session.IsNew)),
            Is.EqualTo((calls, 1, 1))
        );
        await gateway.LogsAsync("Backend is ready");
        Assert.That(Control.Started(), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task Past_the_most_there_is_no_room_and_then_there_is_again()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Section("[sessions]", $"domain = \"{Domain}\"", "max = 2").Template("t", [])
        );
        Spawned first = await SpawnAsync(gateway);
        await SpawnAsync(gateway);
        using HttpResponseMessage full = await gateway.Admin.SendAsync(HttpMethod.Post, "/spawn", body: "{}");
        Assert.That(((int)full.StatusCode, full.Headers.RetryAfter?.ToString()), Is.EqualTo((503, "1")));
        await CallAsync(gateway, HttpMethod.Delete, $"/backend/{first.Name}");
        await UntilAsync(gateway, first, "Swept");
        await SpawnAsync(gateway);
    }

    [Test]
    public async Task A_stream_resumes_behind_what_it_told_and_is_not_to_be_opened_again_at_its_end()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        Spawned session = await SpawnAsync(gateway);
        await ReadyAsync(gateway, session);
        string path = $"/backend/{session.Name}/status/stream";
        await CallAsync(gateway, HttpMethod.Delete, $"/backend/{session.Name}");
        await UntilAsync(gateway, session, "Swept");

        Assert.That((await ResumeAsync("5")).Body, Does.StartWith("id: 6\ndata: {\"state\":\"Swept\"").And.EndWith("}\n\n"));
        Assert.That(await ResumeAsync("6"), Is.EqualTo((204, "")));
        Assert.That((await ResumeAsync("7")).Body, Does.StartWith("id: 1\n"), "not a number of ours");
        Assert.That((await ResumeAsync("-1")).Body, Does.StartWith("id: 1\n"));

        async Task<(int Status, string Body)> ResumeAsync(string id)
        {
            RawResponse response = await RawClient.RequestAsync(
                gateway.Config.AdminPort,
                $"127.0.0.1:{gateway.Config.AdminPort}",
                path,
                headers: $"Last-Event-ID: {id}\r\n"
            );
            return (response.Status, response.Text);
        }
    }

    [Test, LongRunning]
    public async Task Streams_that_nobody_reads_hold_nothing_up_and_too_many_are_refused()
    {
        const int Unread = 400;
        GatewayProcess gateway = await Scene.GatewayAsync(Config());
        Spawned session = await SpawnAsync(gateway);
        await ReadyAsync(gateway, session);
        long before = ProcessScan.ResidentBytes(gateway.Pid);
        var clients = new List<RawClient>();
        for (int i = 0; i < Unread; i++)
        {
            RawClient client = await RawClient.ConnectAsync(gateway.Config.AdminPort);
            string leaf = i % 2 == 0 ? "events" : "status/stream";
            await client.SendAsync($"GET /backend/{session.Name}/{leaf} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.Config.AdminPort}\r\n\r\n");
            clients.Add(client);
        }

        for (int i = 0; i < 200; i++)
        {
            Assert.That((await AskAsync(gateway, session)).Status, Is.EqualTo(200));
        }

        Spawned other = await SpawnAsync(gateway);
        await ReadyAsync(gateway, other);
        await Figures.NoteAsync(
            $"{Unread} streams that nobody reads: {(ProcessScan.ResidentBytes(gateway.Pid) - before) / 1024.0 / Unread:F0} KB each"
        );
        await CallAsync(gateway, HttpMethod.Delete, $"/backend/{session.Name}");
        await UntilAsync(gateway, session, "Swept");
        foreach (RawClient client in clients)
        {
            RawResponse response = await client.ReadResponseAsync();
            Assert.That(response.Text, Does.Contain("data: {").And.EndWith("}\n\n"), "who reads late still gets the end");
            client.Dispose();
        }
    }
}
