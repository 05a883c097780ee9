using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Lifecycle;

/// <summary>A backend that works without a request says so, and is not stopped meanwhile.</summary>
[LongRunning]
internal sealed class LeaseTests : GatewayTest
{
    [Test]
    public async Task A_job_behind_a_202_is_done_and_then_the_backend_stops()
    {
        string python = Executables.PythonWithOrSkip("http.server");
        string script = Path.Combine(Executables.Repository, "tests", "Spawngate.EndToEnd.Tests", "Lifecycle", "Scripts", "job_server.py");
        string file = Path.Combine(Scene.NewFolder("jobs"), "report.txt");
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile()
                .Server("admin_token = \"open-sesame\"")
                .Defaults("idle_timeout_secs = 1")
                .Backend(Host, $"command = {ConfigFile.Quote(python)}", $"args = [{ConfigFile.Quote(script)}]", "health_path = \"\"")
        );
        gateway.Admin.Token = "open-sesame";

        RawResponse accepted = await RawClient.RequestAsync(gateway.Port, Host, "/", "POST", headers: $"X-File: {file}\r\n");
        Assert.That(accepted.Status, Is.EqualTo(202));
        await gateway.LogsAsync("step 6");
        string explained = await gateway.Admin.TextAsync($"/backends/{Host}?format=text");
        Assert.That(explained, Does.Match(@"  held by    a lease of [1-4] s more, renewed at \d\d:\d\d:\d\dZ\n"));
        Assert.That(explained, Does.Contain("  stops      1 second after the lease ends, unless it is renewed or a request comes\n"));
        JsonElement report = await gateway.Admin.BackendAsync(Host);
        Assert.That(report.GetProperty("lease_secs").GetInt32(), Is.InRange(1, 4));
        Assert.That(report.GetProperty("idle_stop_in_secs").ValueKind, Is.EqualTo(JsonValueKind.Null));
        await gateway.LogsAsync("done with");
        await gateway.UntilStateAsync(Host, "stopped");

        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("done"));
        Assert.That(await gateway.Admin.TextAsync($"/backends/{Host}?format=text"), Does.Contain("by a lease of "));
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("generation").GetInt32(), Is.EqualTo(1));
        Assert.That(Scene.Children(), Is.Empty);
    }

    [Test]
    public async Task It_needs_the_token_of_the_start_and_no_other_and_ends_with_it()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("admin_token = \"open-sesame\"").Defaults("idle_timeout_secs = 600").TestBackend(Host)
        );
        string path = await BusyPathAsync(gateway);
        Assert.That(path, Does.StartWith($"/busy/{Host}/"));

        Assert.That(await gateway.Admin.PostAsync(path + "?secs=60"), Is.EqualTo(HttpStatusCode.OK), "without the admin token");
        Assert.That(await gateway.Admin.PostAsync(path), Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await gateway.Admin.PostAsync(path + "?secs=86401"), Is.EqualTo(HttpStatusCode.BadRequest));
        Assert.That(await gateway.Admin.PostAsync(path + "0?secs=60"), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await gateway.Admin.PostAsync("/busy/unknown.test/abc?secs=60"), Is.EqualTo(HttpStatusCode.Unauthorized));

        gateway.Admin.Token = "open-sesame";
        BackendProcess first = await Control.StartAsync();
        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/restart"), Is.EqualTo(HttpStatusCode.Accepted));
        await first.ExitedInTimeAsync();
        BackendProcess second = await Control.StartAsync(index: 1);
        await gateway.UntilStateAsync(Host, "ready");
        gateway.Admin.Token = null;
        Assert.That(await gateway.Admin.PostAsync(path + "?secs=60"), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(second.Pid, Is.Not.EqualTo(first.Pid));
    }

    [Test]
    public async Task The_idle_clock_goes_on_from_its_end_and_no_stop_that_is_asked_for_waits()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Defaults("idle_timeout_secs = 1").TestBackend(Host));
        string path = await BusyPathAsync(gateway);
        BackendProcess backend = await Control.StartAsync();
        long began = Stopwatch.GetTimestamp();
        Assert.That(await gateway.Admin.PostAsync(path + "?secs=3"), Is.EqualTo(HttpStatusCode.OK));

        await backend.ToldAsync("sigterm");
        Assert.That(Stopwatch.GetElapsedTime(began).TotalSeconds, Strain.Within(began, 3.9, 5.3), "3 s of lease and 1 s of idleness");
        await gateway.UntilStateAsync(Host, "stopped");

        path = await BusyPathAsync(gateway);
        BackendProcess another = await Control.StartAsync(index: 1);
        Assert.That(await gateway.Admin.PostAsync(path + "?secs=86400"), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await another.ToldAsync("sigterm").StaysOpenAsync(TimeSpan.FromSeconds(2.5)), "stopped in spite of its lease");
        Assert.That(await gateway.Admin.PostAsync($"/backends/{Host}/stop"), Is.EqualTo(HttpStatusCode.Accepted));
        await another.ExitedInTimeAsync();
    }

    private static async Task<string> BusyPathAsync(GatewayProcess gateway) =>
        new Uri((await RawClient.RequestAsync(gateway.Port, Host, "/env?name=SPAWNGATE_BUSY_URL")).Text).AbsolutePath;
}
