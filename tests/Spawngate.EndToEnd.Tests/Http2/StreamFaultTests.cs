using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>A request that HTTP/2 resets in the place of an answer leaves as much behind as one that HTTP/1.1 refuses.</summary>
internal sealed class StreamFaultTests : GatewayTest
{
    private const int Allowed = 250;

    private string LogPath => Path.Combine(Scene.Folder, "access.log");

    [Test]
    public async Task Malformed_and_broken_requests_are_in_the_log_and_in_the_access_log()
    {
        GatewayProcess gateway = await LoggingGatewayAsync();
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/echo");

        H2Stream early = await client.BeginAsync([(":method", "GET"), (":path", "/never"), (":authority", Host)]);
        H2Stream late = await client.BeginAsync([.. H2Frame.Request(Host, "/late?a=b"), ("Upper", "1")]);
        H2Stream broken = await client.BeginAsync(
            [.. H2Frame.Request(Host, "/slow?headMs=2000", "POST"), ("content-length", "5")],
            end: false
        );
        await client.SendAsync(H2Frame.Of(H2Type.Data, H2Frame.EndStream, broken.Id, "longer than 5"u8));
        foreach (H2Stream stream in new[] { early, late, broken })
        {
            Assert.That(await stream.ResetAsync(), Is.EqualTo(H2Error.Protocol));
        }

        LogLine line = await gateway.LogsAsync("Request reset: a pseudo-header field is missing");
        Assert.That(
            (line.Level, line.Category, line.Field("client"), line.Field("stream")),
            Is.EqualTo(("DEBUG", "spawngate.forwarding", "127.0.0.1", $"{early.Id}"))
        );
        Assert.That(
            (await gateway.LogsAsync("Request reset: a field name is not a token in lower case")).Field("stream"),
            Is.EqualTo($"{late.Id}")
        );
        Assert.That(
            (await gateway.LogsAsync("Request reset: content-length disagrees with the body")).Field("stream"),
            Is.EqualTo($"{broken.Id}")
        );

        JsonElement[] lines = await LinesAsync(gateway, 3);
        Assert.That(
            lines.Select(each =>
                (Number(each, "status"), Text(each, "error"), each.GetProperty("complete").GetBoolean(), Text(each, "client"))
            ),
            Is.All.EqualTo((400, "BAD_REQUEST", false, "127.0.0.1"))
        );
        Assert.That(lines.Select(each => Text(each, "target")), Is.EquivalentTo(new[] { null, "GET /late?a=b", "/slow?headMs=2000" }));
    }

    [Test]
    public async Task Streams_above_what_was_announced_are_too()
    {
        GatewayProcess gateway = await LoggingGatewayAsync();
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        await client.ExchangeAsync(Host, "/echo");

        H2Stream[] streams = [.. Enumerable.Range(0, Allowed + 1).Select(_ => client.Open())];
        // None of them may end before the last has been read, however slow the machine is.
        await client.SendAsync([.. streams.SelectMany(stream => H2Frame.Headers(stream.Id, H2Frame.Request(Host, "/slow?headMs=600000")))]);
        Assert.That(await streams[^1].ResetAsync(), Is.EqualTo(H2Error.RefusedStream));

        Assert.That(
            (await gateway.LogsAsync("Request reset: there are more streams than are allowed")).Field("stream"),
            Is.EqualTo($"{streams[^1].Id}")
        );
        Assert.That(
            (await LinesAsync(gateway, 1)).Select(each => (Number(each, "status"), each.GetProperty("complete").GetBoolean())),
            Is.All.EqualTo((503, false))
        );
    }

    [Test]
    public async Task A_connection_that_is_ended_is_in_the_log_once()
    {
        GatewayProcess gateway = await LoggingGatewayAsync();
        using H2Client client = await H2Client.ConnectAsync(gateway.Port);
        await client.SendAsync(H2Frame.Of(H2Type.Data, 0, 1, "x"u8));
        Assert.That((await client.GoAwayAsync()).Code, Is.EqualTo(H2Error.Protocol));
        await client.SendAsync(H2Frame.Ping(1));
        await client.EndsAsync();

        Assert.That((await gateway.LogsAsync("Connection ended by a fault of the client")).Field("code"), Is.EqualTo("Protocol"));
        Assert.That(gateway.Log.Lines.Count(line => line.Says("by a fault of the client")), Is.EqualTo(1));
    }

    private Task<GatewayProcess> LoggingGatewayAsync() =>
        Scene.GatewayAsync(
            new ConfigFile().Server($"access_log = \"{LogPath}\"", "access_log_format = \"json\"").TestBackend(Host),
            ("SPAWNGATE_LOG", "info,spawngate.forwarding=debug")
        );

    /// <summary>So many lines of requests that were not answered with 200.</summary>
    private async Task<JsonElement[]> LinesAsync(GatewayProcess gateway, int count)
    {
        JsonElement[] lines = [];
        await gateway.UntilAsync($"{count} lines of the access log", async () =>
        {
            lines =
            [
                .. (await File.ReadAllLinesAsync(LogPath))
                    .Select(static line => JsonDocument.Parse(line).RootElement)
                    .Where(static line => Number(line, "status") != 200),
            ];
            return lines.Length >= count;
        });
        return lines;
    }

    private static int Number(JsonElement line, string name) => line.GetProperty(name).GetInt32();

    private static string? Text(JsonElement line, string name) => line.GetProperty(name).GetString();
}
