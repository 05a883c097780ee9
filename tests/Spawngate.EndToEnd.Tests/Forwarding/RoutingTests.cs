using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>The host decides where a request goes.</summary>
internal sealed class RoutingTests : GatewayTest
{
    [TestCase("app.test", "exact")]
    [TestCase("APP.Test", "exact")]
    [TestCase("app.test.", "exact")]
    [TestCase("app.test:1234", "exact")]
    [TestCase("a.wild.test", "one-star")]
    [TestCase("a.b.wild.test", "one-star")]
    [TestCase("wild.test", "any")]
    [TestCase("a.deep.wild.test", "deep-star")]
    [TestCase("named.wild.test", "named")]
    [TestCase("nobody.example", "any")]
    [TestCase("127.0.0.1", "any")]
    [TestCase("[::1]:8080", "any")]
    public async Task The_most_specific_name_wins(string host, string backend)
    {
        GatewayProcess gateway = await WildcardGatewayAsync(withCatchAll: true);

        RawResponse response = await RawClient.RequestAsync(gateway.Port, host, "/");

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Json.GetProperty("name").GetString(), Is.EqualTo(backend));
    }

    [TestCase("wild.test")]
    [TestCase("nobody.example")]
    [TestCase("xapp.test")]
    public async Task Without_a_catch_all_others_are_unknown(string host)
    {
        GatewayProcess gateway = await WildcardGatewayAsync(withCatchAll: false);

        RawResponse response = await RawClient.RequestAsync(gateway.Port, host, "/");

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((404, "UNKNOWN_HOST")));
    }

    private Task<GatewayProcess> WildcardGatewayAsync(bool withCatchAll)
    {
        ConfigFile config = new ConfigFile()
            .TestBackend("App.Test", "--name=exact")
            .TestBackend("*.wild.test", "--name=one-star")
            .TestBackend("*.deep.wild.test", "--name=deep-star")
            .TestBackend("named.wild.test", "--name=named");
        return Scene.GatewayAsync(withCatchAll ? config.TestBackend("*", "--name=any") : config);
    }
}

/// <summary>Errors that the gateway answers itself.</summary>
internal sealed class ErrorResponseTests : SharedGatewayTest
{
    [Test]
    public async Task An_unknown_host_is_404_with_a_code_in_body_and_header()
    {
        RawResponse response = await RawClient.RequestAsync(Port, "unknown.test", "/");

        Assert.That(response.Status, Is.EqualTo(404));
        Assert.That(response.Header("X-Proxy-Error"), Is.EqualTo("UNKNOWN_HOST"));
        Assert.That(response.Header("Content-Type"), Does.StartWith("application/json"));
        Assert.That(response.Framing, Is.EqualTo(Framing.Length));
        JsonElement json = response.Json;
        Assert.That(json.EnumerateObject().Select(each => each.Name), Is.EqualTo(new[] { "code", "message", "status" }));
        Assert.That((json.GetProperty("code").GetString(), json.GetProperty("status").GetInt32()), Is.EqualTo(("UNKNOWN_HOST", 404)));
        Assert.That(json.GetProperty("message").GetString(), Is.Not.Empty);
    }

    [Test]
    public async Task A_host_that_would_break_the_json_is_escaped_or_refused()
    {
        RawResponse response = await RawClient.RequestAsync(Port, "a\"b.test", "/");

        Assert.That(response.Status, Is.EqualTo(404).Or.EqualTo(400));
        Assert.That(response.Json.GetProperty("status").GetInt32(), Is.EqualTo(response.Status));
    }

    [Test]
    public async Task A_missing_host_is_400()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\n\r\n");

        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((400, "MISSING_HOST_HEADER")));
    }

    [Test]
    public async Task A_missing_host_is_400_for_HTTP_1_0_too()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync("GET / HTTP/1.0\r\n\r\n");

        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Header("X-Proxy-Error")), Is.EqualTo((400, "MISSING_HOST_HEADER")));
    }

    [Test]
    public async Task HEAD_gets_the_same_head_without_the_body()
    {
        RawResponse get = await RawClient.RequestAsync(Port, "unknown.test", "/");
        using RawClient client = await ConnectAsync();

        RawResponse head = await client.ExchangeAsync("unknown.test", "/", "HEAD");
        RawResponse next = await client.ExchangeAsync(Host, "/status?code=200");

        Assert.That(head.Status, Is.EqualTo(404));
        Assert.That(head.Header("Content-Length"), Is.EqualTo(get.Header("Content-Length")));
        Assert.That(head.Header("X-Proxy-Error"), Is.EqualTo("UNKNOWN_HOST"));
        Assert.That(next.Text, Is.EqualTo("status 200"), "no stray body between two responses");
    }

    [Test]
    public async Task An_error_carries_the_request_id()
    {
        RawResponse response = await RawClient.RequestAsync(Port, "unknown.test", "/", headers: "X-Request-ID: my-id\r\n");

        Assert.That(response.Header("X-Request-ID"), Is.EqualTo("my-id"));
    }

    [Test]
    public async Task The_connection_serves_on_after_an_error_and_its_body_is_not_taken_for_a_request()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            RawClient.Head("unknown.test", "/", "POST", "Content-Length: 33\r\n") + "GET /evil HTTP/1.1\r\nHost: x.y\r\n\r\n"
        );
        RawResponse error = await client.ReadResponseAsync();

        Assert.That(error.Status, Is.EqualTo(404));
        if (error.Closes)
        {
            Assert.That(await client.EndsAsync());
            return;
        }

        Assert.That((await client.ExchangeAsync(Host, "/status?code=200")).Text, Is.EqualTo("status 200"));
    }

    [Test]
    public async Task The_host_of_an_absolute_target_decides()
    {
        using RawClient client = await ConnectAsync();
        await client.SendAsync($"GET http://{Host}/echo?x=1 HTTP/1.1\r\nHost: {Host}\r\n\r\n");

        RawResponse response = await client.ReadResponseAsync();

        Assert.That(response.Status, Is.EqualTo(200), response.Text);
        Assert.That(response.Echoed.RequestLine, Is.EqualTo("GET /echo?x=1 HTTP/1.1"));
        Assert.That(response.Echoed.Header("Host"), Is.EqualTo(Host));
    }
}
