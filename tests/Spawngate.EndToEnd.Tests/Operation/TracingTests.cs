using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;
using Spawngate.Tests.Fakes;

namespace Spawngate.EndToEnd.Tests.Operation;

/// <summary>Trace contexts through the real executable, its spans, and Server-Timing.</summary>
[LongRunning]
internal sealed class TracingTests : GatewayTest
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";

    [Test]
    public async Task Without_tracing_a_trace_context_passes_unchanged([Values] bool http2)
    {
        GatewayProcess gateway = await GatewayAsync();
        string seen = await HeadersAsync(
            gateway,
            http2,
            ("traceparent", $"00-{TraceId}-{Parent}-01"),
            ("tracestate", "vendor=a:b,other=c")
        );
        Assert.That(seen, Does.Contain($"traceparent: 00-{TraceId}-{Parent}-01").IgnoreCase);
        Assert.That(seen, Does.Contain("tracestate: vendor=a:b,other=c").IgnoreCase);
    }

    [Test]
    public async Task Spans_continue_the_callers_trace_and_tell_of_a_cold_start()
    {
        using var collector = new OtlpCollector();
        GatewayProcess gateway = await TracingAsync(collector.Port);
        string cold = await HeadersAsync(gateway, http2: false, ("traceparent", $"00-{TraceId}-{Parent}-01"), ("tracestate", "vendor=a"));
        string warm = await HeadersAsync(gateway, http2: true);
        string unsampled = await HeadersAsync(gateway, http2: false, ("traceparent", $"00-{TraceId}-{Parent}-00"));
        await RawClient.RequestAsync(gateway.Port, "unknown.test", "/");
        await gateway.UntilAsync("three spans have come", () => Task.FromResult(collector.Spans.Count == 3));

        OtlpSpan first = collector.Spans.Single(static each => each.Span.TraceId == TraceId).Span;
        Assert.That((first.Parent, first.Name, first.Kind), Is.EqualTo((Parent, "GET", 2)));
        Assert.That(
            cold,
            Does.Contain($"traceparent: 00-{TraceId}-{first.SpanId}-01").IgnoreCase.And.Contain("tracestate: vendor=a").IgnoreCase
        );
        Assert.That(first.Events.Select(static each => each.Name), Is.EqualTo(["queue", "spawn", "ready", "upstream", "answer"]));
        Assert.That(first.Events.Select(static each => each.Time), Is.Ordered);
        Assert.That(first.Events[0].Time, Is.GreaterThanOrEqualTo(first.Start));
        Assert.That(first.Events[^1].Time, Is.LessThanOrEqualTo(first.End));
        Assert.That(
            (first.Attributes["spawngate.cold_start"], first.Attributes["http.response.status_code"], first.Attributes["server.address"]),
            Is.EqualTo(((object)true, (object)200L, (object)Host))
        );

        OtlpSpan second = collector.Spans.Single(static each => each.Span.Attributes["network.protocol.version"].Equals("2")).Span;
        Assert.That((second.Parent, second.Attributes["spawngate.cold_start"]), Is.EqualTo((null as string, (object)false)));
        Assert.That(warm, Does.Contain($"traceparent: 00-{second.TraceId}-{second.SpanId}-01").IgnoreCase);
        Assert.That(unsampled, Does.Contain($"traceparent: 00-{TraceId}-{Parent}-00").IgnoreCase, "nobody records it, so it passes");
        Assert.That(
            collector.Spans.Single(static each => each.Span.Attributes.ContainsKey("error.type")).Span.Attributes["error.type"],
            Is.EqualTo("UNKNOWN_HOST")
        );
        Assert.That(collector.Spans, Has.All.Matches<(string Service, OtlpSpan)>(static each => each.Service == "spawngate"));
    }

    [Test]
    public async Task The_last_spans_are_sent_at_a_stop()
    {
        using var collector = new OtlpCollector();
        GatewayProcess gateway = await TracingAsync(collector.Port);
        using RawClient client = await RawClient.ConnectAsync(gateway.Port);
        for (int i = 0; i < 100; i++)
        {
            await client.ExchangeAsync(Host, "/");
        }

        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(collector.Spans, Has.Count.EqualTo(100));
        Assert.That(collector.Spans.Select(static each => each.Span.TraceId), Is.Unique);
    }

    [Test]
    public async Task A_collector_that_is_not_there_is_said_once_and_harms_nothing()
    {
        GatewayProcess gateway = await TracingAsync(Ports.Free());
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        await gateway.LogsAsync("spawngate.otlp", "Spans cannot be sent");
        Assert.That((await RawClient.RequestAsync(gateway.Port, Host, "/")).Status, Is.EqualTo(200));
        gateway.Signal(ProcessScan.Term);
        Assert.That(await gateway.ExitAsync(), Is.Zero);
        Assert.That(gateway.Log.Lines.Count(static line => line.Category == "spawngate.otlp"), Is.EqualTo(1));
    }

    [Test]
    public async Task Server_timing_says_where_the_time_went([Values] bool http2)
    {
        GatewayProcess gateway = await Scene.GatewayAsync(new ConfigFile().Server("server_timing = true").TestBackend(Host));
        RawResponse cold = await ExchangeAsync(gateway, http2, "/");
        RawResponse warm = await ExchangeAsync(gateway, http2, "/");
        RawResponse none = await RawClient.RequestAsync(gateway.Port, "unknown.test", "/");
        const string ms = @"\d+\.\d{3}";
        Assert.That(cold.Header("Server-Timing"), Does.Match($"^queue;dur={ms}, spawn;dur={ms}, upstream;dur={ms}$"));
        Assert.That(warm.Header("Server-Timing"), Does.Match($"^(connect;dur={ms}, )?upstream;dur={ms}$"));
        Assert.That(none.Header("Server-Timing"), Is.Null, "nothing of it happened");
    }

    [Test]
    public async Task Server_timing_of_a_failed_start_and_none_when_it_is_off()
    {
        GatewayProcess gateway = await Scene.GatewayAsync(
            new ConfigFile().Server("server_timing = true").TestBackend(Host, "--exit-code=3")
        );
        RawResponse failed = await RawClient.RequestAsync(gateway.Port, Host, "/");
        Assert.That((failed.Status, failed.Header("Server-Timing")), Is.EqualTo((503, failed.Header("Server-Timing"))));
        Assert.That(failed.Header("Server-Timing"), Does.Match(@"^queue;dur=\d+\.\d{3}$"));
        GatewayProcess off = await Scene.GatewayAsync(new ConfigFile().TestBackend(Host));
        Assert.That((await RawClient.RequestAsync(off.Port, Host, "/")).Header("Server-Timing"), Is.Null);
    }

    private Task<GatewayProcess> TracingAsync(int port) =>
        Scene.GatewayAsync(new ConfigFile().Server($"otlp_endpoint = \"http://127.0.0.1:{port}\"").TestBackend(Host));

    private static async Task<string> HeadersAsync(GatewayProcess gateway, bool http2, params (string Name, string Value)[] fields) =>
        (await ExchangeAsync(gateway, http2, "/echo", fields)).Text;

    private static async Task<RawResponse> ExchangeAsync(
        GatewayProcess gateway,
        bool http2,
        string target,
        params (string Name, string Value)[] fields
    )
    {
        if (http2)
        {
            using H2Client client = await H2Client.ConnectAsync(gateway.Port);
            return await client.ExchangeAsync(Host, target, fields);
        }

        return await RawClient.RequestAsync(
            gateway.Port,
            Host,
            target,
            headers: string.Concat(fields.Select(static field => $"{field.Name}: {field.Value}\r\n"))
        );
    }
}
