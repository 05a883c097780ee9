using System.Net.WebSockets;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>Real programs, each with nothing in the file but how its own documentation starts it.</summary>
[LongRunning]
internal sealed class ProgramTests : ProgramTest
{
    private static readonly TimeSpan LongerThanIdle = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan WebSocketLimit = TimeSpan.FromSeconds(30);

    private static IEnumerable<TestCaseData> Small => Cases(ProgramTable.Small);

    private static IEnumerable<TestCaseData> Large => Cases(ProgramTable.Large);

    [TestCaseSource(nameof(Small))]
    public Task Just_works(RealProgram program) => StoryAsync(program);

    [TestCaseSource(nameof(Large))]
    [LargePrograms]
    public Task Just_works_large(RealProgram program) => StoryAsync(program);

    // Cold start, page, POST; held by a download, a stream and a WebSocket for longer than the idle timeout; idle stop; crash; restart.
    private async Task StoryAsync(RealProgram program)
    {
        await PutBehindGatewayAsync(program, $"idle_timeout_secs = {IdleSecs}");

        TimeSpan first = await PageAsync();
        if (program.Echo is not null)
        {
            await PostAsync(program.Echo, program.Posted);
        }

        Footprint run = await HeldAsync();
        await Gateway.UntilStateAsync(program.Host, "stopped");
        Assert.That(run.Running(), Is.Empty, "left behind by the idle stop");
        Assert.That(Scene.Children().Select(ProcessScan.CommandLine), Is.Empty, "left behind by the idle stop");

        TimeSpan second = await PageAsync();
        await CrashAsync();
        await PageAsync();
        Assert.That((await RunAsync()).Generation, Is.GreaterThanOrEqualTo(3));
        await Figures.NoteAsync($"first page {first.TotalMilliseconds:F0} ms, again {second.TotalMilliseconds:F0} ms");
    }

    private async Task PostAsync(string path, string body)
    {
        string type = $"Content-Type: {(body[0] == '{' ? "application/json" : "text/plain")}\r\n";
        RawResponse echoed = await RequestAsync(path, "POST", type, body);
        Assert.That((echoed.Status, echoed.Text), Is.AnyOf((200, body), (201, body)), $"POST {path}");
    }

    // Holds it, for longer than the idle timeout, by all that it has at once; returns what runs meanwhile.
    private async Task<Footprint> HeldAsync()
    {
        Task[] held = [.. Holds()];
        if (held.Length == 0)
        {
            return Footprint.Below(Gateway);
        }

        await Gateway.UntilAsync("it is in use", async () => held.Any(each => each.IsFaulted) || (await RunAsync()).IsInUse);
        long generation = (await RunAsync()).Generation;
        Footprint run = Footprint.Below(Gateway);
        await Task.WhenAll(held);
        Assert.That(run.Count, Is.Positive, "processes of the program");
        Assert.That((await RunAsync()).Generation, Is.EqualTo(generation), "it was started again while it was in use");
        return run;
    }

    private IEnumerable<Task> Holds()
    {
        const int PauseMs = 25;
        if (Program.Rows)
        {
            yield return RowsAsync(PauseMs);
        }

        if (Program.Events)
        {
            yield return EventsAsync();
        }

        if (Program.WebSocket is { } talk)
        {
            yield return TalkAsync(talk);
        }

        if (Program.Files is not null)
        {
            yield return FileAsync();
        }
    }

    private async Task EventsAsync()
    {
        RawResponse events = await RequestAsync("/events", headers: "Accept: text/event-stream\r\n");
        Assert.That((events.Status, events.Text), Is.EqualTo((200, "data: first\n\ndata: last\n\n")));
    }

    // A file larger than what the kernel buffers, of which the client takes nothing for a while.
    private async Task FileAsync()
    {
        using RawClient client = await RawClient.ConnectAsync(Gateway.Port);
        await client.SendAsync(RawClient.Head(Program.Host, "/" + ProgramFolder.LargeFileName));
        RawResponse file = await client.ReadHeadAsync();
        Assert.That(file.Status, Is.EqualTo(200));
        await OutlastIdleAsync();
        await client.ReadBodyAsync(file);
        Assert.That(file.BodyLength, Is.EqualTo(ProgramFolder.LargeFileBytes));
    }

    private async Task TalkAsync(Talk talk)
    {
        using var limit = new CancellationTokenSource(WebSocketLimit);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Host", Program.Host);
        socket.Options.SetRequestHeader("Origin", "http://" + Program.Host);
        socket.Options.Proxy = null;
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{Gateway.Port}{talk.Path}"), limit.Token);
        var heard = new StringBuilder();
        Task answer = HearAsync(socket, talk.Hear, heard, limit.Token);
        await OutlastIdleAsync();
        if (talk.Say is { } say)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(say), WebSocketMessageType.Text, true, limit.Token);
        }

        await answer.InTimeAsync($"'{talk.Hear}' at {talk.Path}; it said: {heard}");
        Assert.That(socket.State, Is.EqualTo(WebSocketState.Open));
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, limit.Token);
    }

    private static async Task HearAsync(ClientWebSocket socket, string words, StringBuilder heard, CancellationToken limit)
    {
        byte[] buffer = new byte[16 * 1024];
        while (!heard.ToString().Contains(words, StringComparison.Ordinal))
        {
            ValueWebSocketReceiveResult received = await socket.ReceiveAsync(buffer.AsMemory(), limit);
            Assert.That(received.MessageType, Is.Not.EqualTo(WebSocketMessageType.Close), $"closed; it said: {heard}");
            heard.Append(Encoding.UTF8.GetString(buffer, 0, received.Count));
        }
    }

    private async Task OutlastIdleAsync() =>
        Assert.That(
            await Gateway.LogsAsync(Gateway.Log.Lines.Count, "Backend is stopping").StaysOpenAsync(LongerThanIdle),
            "stopped while it was in use"
        );

    // The leading process dies as by the kernel's hand; what it started may live on, and has to end.
    private async Task CrashAsync()
    {
        int? leader;
        Footprint run;
        do
        {
            await PageAsync();
            leader = (await RunAsync()).Pid;
            run = Footprint.Below(Gateway);
        } while (leader is null);

        ProcessScan.Signal(leader.Value, ProcessScan.Kill);
        await run.GoneAsync(Gateway);
    }
}
