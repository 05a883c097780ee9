using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>What <c>/metrics</c> says of real traffic.</summary>
internal sealed class MetricsTests : GatewayTest
{
    [Test]
    public async Task Requests_bodies_connections_and_starts_are_counted_exactly()
    {
        GatewayProcess gateway = await GatewayAsync();
        await RawClient.RequestAsync(gateway.Port, Host, "/bytes?n=1000");
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/status?code=404");
        await client.ExchangeAsync(Host, "/echo", "POST", body: "12345");
        await client.ExchangeAsync("unknown.test", "/");
        using RawClient broken = await RawClient.ConnectAsync(gateway.Port);
        await broken.SendAsync("GET / HTTP/1.1\r\nNo colon\r\n\r\n");
        await broken.ReadResponseAsync();

        await gateway.UntilAsync("all are counted", async () =>
            (await SampleAsync(gateway, "spawngate_requests_total", Host, "code=\"2xx\"")) == 2
        );
        Assert.That(await SampleAsync(gateway, "spawngate_requests_total", Host, "protocol=\"h1\"", "code=\"4xx\""), Is.EqualTo(1));

        // The malformed one counts when its connection has ended.
        await gateway.UntilAsync("what no backend serves is counted", async () =>
            (await SampleAsync(gateway, "spawngate_requests_total", "_none", "code=\"4xx\"")) == 2
        );
        Assert.That(await SampleAsync(gateway, "spawngate_request_body_bytes_total", Host), Is.EqualTo(5));
        Assert.That(await SampleAsync(gateway, "spawngate_response_body_bytes_total", Host), Is.GreaterThanOrEqualTo(1005));

        // The first goes over the connection that was found to be ready. The second may come before that has gone back; the third follows
        // on the connection of the second.
        double opened = await SampleAsync(gateway, "spawngate_upstream_connections_opened_total", Host);
        Assert.That(opened, Is.InRange(0, 1));
        Assert.That(opened + await SampleAsync(gateway, "spawngate_upstream_connections_reused_total", Host), Is.EqualTo(3));
        Assert.That(await SampleAsync(gateway, "spawngate_upstream_response_seconds_count", Host), Is.EqualTo(3));
        Assert.That(await SampleAsync(gateway, "spawngate_backend_events_total", Host, "event=\"ready\""), Is.EqualTo(1));
        Assert.That(await SampleAsync(gateway, "spawngate_start_seconds_count{step=\"ready\"}", null), Is.EqualTo(1));
        Assert.That(await SampleAsync(gateway, "spawngate_request_held_seconds_count", null), Is.EqualTo(1));
        Assert.That(await SampleAsync(gateway, "spawngate_gateway_overhead_seconds_count", null), Is.InRange(1, 2));
        Assert.That(await SampleAsync(gateway, "spawngate_client_connections_opened_total", null), Is.GreaterThanOrEqualTo(3));
        Assert.That((await gateway.Admin.BackendAsync(Host)).GetProperty("requests_total").GetInt64(), Is.EqualTo(3));
    }

    private static async Task<double> SampleAsync(GatewayProcess gateway, string name, string? host, params string[] labels)
    {
        string page = await gateway.Admin.TextAsync("/metrics");
        string[] wanted = host is null ? [name + " "] : [name + "{", $"hostname=\"{host}\"", .. labels];
        string? line = page.Split('\n')
            .SingleOrDefault(line => line.StartsWith(wanted[0], StringComparison.Ordinal) && wanted.All(line.Contains));
        return line is null
            ? double.NaN
            : double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }
}
