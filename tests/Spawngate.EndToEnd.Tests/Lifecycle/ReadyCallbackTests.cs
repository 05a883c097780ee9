using System.Net;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>A backend may declare itself ready; nobody else may.</summary>
[LongRunning]
internal sealed class ReadyCallbackTests : GatewayTest
{
    [Test]
    public async Task The_callback_makes_a_backend_ready_whose_health_check_says_no()
    {
        GatewayProcess gateway = await GatewayAsync("--health=500", "--ready-callback=200");

        RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");

        Assert.That(response.Status, Is.EqualTo(200));
        Assert.That(await (await Control.StartAsync()).ToldAsync("callback"), Does.Contain("200"));
    }

    [Test]
    public async Task The_callback_works_with_curl_as_documented()
    {
        string curl = Executables.FindOrSkip("curl");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Backend(
                Host,
                "command = \"sh\"",
                $"args = [\"-c\", \"{Executables.Backend} --health=500 & {curl} -sS --noproxy '*' --retry 3 -X POST "
                    + "$SERVERLESS_PROXY_READY_URL; wait\"]",
                "health_path = \"/health\""
            )
        );
        BackendProcess? backend = null;
        await gateway.UntilAsync("the backend is up", async () =>
        {
            RawResponse response = await RawClient.RequestAsync(gateway.Port, Host, "/");
            backend ??= await Control.StartAsync();
            return response.Status == 200;
        });

        Assert.That(await gateway.Admin.StateAsync(Host), Is.EqualTo("ready"));
        Assert.That(backend!.Told, Has.None.EqualTo("health 200"));
    }

    [Test]
    public async Task Without_a_token_or_with_a_wrong_one_the_answer_is_401_and_the_backend_stays_starting()
    {
        GatewayProcess gateway = await GatewayAsync("--health=500");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.SendAsync(RawClient.Head(Host, "/env?name=SERVERLESS_PROXY_READY_URL"));
        BackendProcess backend = await Control.StartAsync();

        HttpStatusCode without = await gateway.Admin.PostAsync($"/ready/{Host}");
        HttpStatusCode wrong = await gateway.Admin.PostAsync($"/ready/{Host}?token=0123456789abcdef0123456789abcdef");
        string state = await gateway.Admin.StateAsync(Host);
        await backend.DoAsync("health 200");
        string url = (await client.ReadResponseAsync()).Text;

        Assert.That((without, wrong), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized)));
        Assert.That(state, Is.EqualTo("starting"));
        Assert.That(new Uri(url).AbsolutePath, Does.StartWith($"/ready/{Host}"));
    }

    [Test]
    public async Task A_ready_backend_answers_409_to_its_token_and_an_unknown_host_404_to_the_admin_token()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("admin_token = \"open-sesame\"").TestBackend(Host));
        string url = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SERVERLESS_PROXY_READY_URL")).Text;
        string path = new Uri(url).PathAndQuery;

        Assert.That(await gateway.Admin.PostAsync(path), Is.EqualTo(HttpStatusCode.Conflict));
        Assert.That(
            await gateway.Admin.PostAsync(path.Replace(Host, "unknown.test", StringComparison.Ordinal)),
            Is.EqualTo(HttpStatusCode.Unauthorized)
        );
        gateway.Admin.Token = "open-sesame";
        Assert.That(await gateway.Admin.PostAsync("/ready/unknown.test"), Is.EqualTo(HttpStatusCode.NotFound));
    }

    [TestCase(null)]
    [TestCase("open-sesame")]
    public async Task Nobody_learns_here_which_hosts_there_are(string? adminToken)
    {
        var config = new ConfigFile().TestBackend(Host).TestBackend("stopped.test").TestBackend("*.wild.test");
        GatewayProcess gateway = await Scene.GatewayAsync(adminToken is null ? config : config.Server($"admin_token = \"{adminToken}\""));
        string url = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SERVERLESS_PROXY_READY_URL")).Text;
        var answers = new HashSet<string>();
        foreach (string method in (string[])["POST", "GET", "PUT"])
        {
            answers.Clear();
            foreach (
                string host in (string[])[Host, "stopped.test", "*.wild.test", "unknown.test", "*", "aaaaaaaaaaaaaaaaaaaaaaaa.session.test"]
            )
            {
                foreach (string query in host == Host ? (string[])["", "?token=0"] : ["", "?token=0", new Uri(url).Query])
                {
                    RawResponse response = await RawClient.RequestAsync(
                        gateway.Config.AdminPort,
                        $"127.0.0.1:{gateway.Config.AdminPort}",
                        $"/ready/{host}{query}",
                        method
                    );
                    string head = string.Join(
                        '\n',
                        response.Headers.Where(field => field.Name != "Date").Select(field => $"{field.Name}: {field.Value}")
                    );
                    answers.Add($"{response.Status}\n{head}\n\n{response.Text}");
                }
            }

            Assert.That(answers, Has.Count.EqualTo(1), method);
            Assert.That(answers.Single(), Does.StartWith(method == "POST" ? "401\n" : "405\n"));
        }
    }

    [Test]
    public async Task The_token_of_an_earlier_process_does_not_make_the_next_one_ready()
    {
        GatewayProcess gateway = await GatewayAsync();
        string url = (await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SERVERLESS_PROXY_READY_URL")).Text;
        BackendProcess first = await Control.StartAsync();
        await gateway.Admin.PostAsync($"/backends/{Host}/stop");
        await first.ExitedInTimeAsync();
        await gateway.UntilStateAsync(Host, "stopped");

        gateway.Reload(gateway.Config.Without(Host).TestBackend(Host, "--health=500").ToString());
        await gateway.LogsAsync("Configuration reloaded successfully");
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/");
        BackendProcess second = await Control.StartAsync(index: 1);
        HttpStatusCode stale = await gateway.Admin.PostAsync(new Uri(url).PathAndQuery);
        string state = await gateway.Admin.StateAsync(Host);
        await second.DoAsync("health 200");

        Assert.That(stale, Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(state, Is.EqualTo("starting"));
        Assert.That((await held).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task The_admin_token_may_declare_a_starting_backend_ready()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("admin_token = \"open-sesame\"").TestBackend(Host, "--health=500")
        );
        Task<RawResponse> held = RawClient.RequestAsync(gateway.Port, Host, "/");
        await (await Control.StartAsync()).ToldAsync("listening");

        HttpStatusCode without = await gateway.Admin.PostAsync($"/ready/{Host}");
        gateway.Admin.Token = "open-sesame";
        HttpStatusCode with = await gateway.Admin.PostAsync($"/ready/{Host}");

        Assert.That((without, with), Is.EqualTo((HttpStatusCode.Unauthorized, HttpStatusCode.OK)));
        Assert.That((await held).Status, Is.EqualTo(200));
    }

    [Test]
    public async Task The_callback_of_the_backend_works_when_an_admin_token_is_set()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("admin_token = \"open-sesame\"").TestBackend(Host, "--health=500", "--ready-callback=0")
        );

        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
    }
}
