using System.Text.Json;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary><c>GET /events</c>.</summary>
internal sealed class AdminEventStreamTests
{
    private static readonly HistoryEvent Woken = new()
    {
        Seq = 1,
        Time = DateTime.UnixEpoch,
        Start = 1,
        Event = HistoryEventKind.Woken,
        Reason = "request",
    };

    [Test]
    public async Task A_reader_gets_all_backends_then_what_happens_then_the_numbers()
    {
        await using var test = await AdminUnderTest.StartAsync();
        test.Backends.Reports.Add(
            new BackendReport
            {
                Hostname = "a.test",
                State = BackendPhase.Ready,
                InstanceNumber = 1,
            }
        );
        await using var events = await EventsAsync(test, "/events");
        var hello = await events.NextAsync("hello");
        Assert.That(hello.GetProperty("instance").GetString(), Has.Length.EqualTo(16));
        Assert.That(
            (await events.NextAsync("backends")).GetProperty("backends")[0].GetProperty("hostname").GetString(),
            Is.EqualTo("a.test")
        );
        test.Backends.Feed.Publish(new HistoryNews("a.test", Woken));
        var item = await events.NextAsync("ledger");
        Assert.That(item.GetProperty("hostname").GetString(), Is.EqualTo("a.test"));
        Assert.That(item.GetProperty("entry").GetProperty("event").GetString(), Is.EqualTo("woken"));
        Assert.That((await events.NextAsync("backend")).GetProperty("state").GetString(), Is.EqualTo("ready"));
        test.Backends.Reports[0] = test.Backends.Reports[0] with { InFlight = 3, RequestsTotal = 7 };
        var sample = await events.NextAsync("sample", sample => sample.GetProperty("backends").GetArrayLength() > 0);
        Assert.That(sample.GetProperty("backends")[0].GetProperty("requests_total").GetInt64(), Is.EqualTo(7));
    }

    [Test]
    public async Task A_reload_tells_all_again()
    {
        await using var test = await AdminUnderTest.StartAsync();
        await using var events = await EventsAsync(test, "/events");
        await events.NextAsync("backends");
        test.Backends.Reports.Add(new BackendReport { Hostname = "new.test", State = BackendPhase.Stopped });
        test.Backends.Feed.Publish(HistoryNews.Reloaded);
        Assert.That((await events.NextAsync("backends")).GetProperty("count").GetInt32(), Is.EqualTo(1));
    }

    [Test]
    public async Task One_backend_can_be_asked_for()
    {
        await using var test = await AdminUnderTest.StartAsync();
        test.Backends.Reports.Add(new BackendReport { Hostname = "a.test", State = BackendPhase.Ready });
        test.Backends.Reports.Add(new BackendReport { Hostname = "b.test", State = BackendPhase.Ready });
        await using var events = await EventsAsync(test, "/events?host=B.test");
        Assert.That((await events.NextAsync("backends")).GetProperty("backends").GetArrayLength(), Is.EqualTo(1));
        test.Backends.Feed.Publish(new HistoryNews("a.test", Woken));
        test.Backends.Feed.Publish(new HistoryNews("b.test", Woken));
        Assert.That((await events.NextAsync("ledger")).GetProperty("hostname").GetString(), Is.EqualTo("b.test"));
        Assert.That((await test.SendAsync("GET", "/events?host=c.test")).Status, Is.EqualTo(404));
    }

    [Test]
    public async Task A_backend_with_a_name_is_asked_for_by_it_and_told_with_both()
    {
        await using var test = await AdminUnderTest.StartAsync();
        test.Backends.Reports.Add(
            new BackendReport
            {
                Hostname = "a.test",
                GivenName = "shop",
                State = BackendPhase.Ready,
            }
        );
        await using var events = await EventsAsync(test, "/events?host=Shop");
        await events.NextAsync("backends");
        test.Backends.Feed.Publish(new HistoryNews("a.test", Woken) { GivenName = "shop" });
        Assert.That(Names(await events.NextAsync("ledger")), Is.EqualTo("a.test shop"));
        Assert.That(Names(await events.NextAsync("backend")), Is.EqualTo("a.test shop"));
        test.Backends.Reports.Clear();
        test.Backends.Feed.Publish(new HistoryNews("a.test", null) { GivenName = "shop" });
        Assert.That(Names(await events.NextAsync("gone")), Is.EqualTo("a.test shop"));
        Assert.That((await test.SendAsync("GET", "/events?host=a.test")).Status, Is.EqualTo(404));

        static string Names(JsonElement told) => $"{told.GetProperty("hostname")} {told.GetProperty("name")}";
    }

    [Test]
    public async Task Too_many_readers_are_refused()
    {
        await using var test = await AdminUnderTest.StartAsync();
        var readers = Enumerable.Range(0, HistoryLimits.ReadersMax).Select(_ => test.Backends.Feed.Read()).ToList();
        Assert.That((await test.SendAsync("GET", "/events")).Code, Is.EqualTo("TOO_MANY_FOLLOWERS"));
        readers.ForEach(reader => reader!.Dispose());
    }

    private static async Task<EventReader> EventsAsync(AdminUnderTest test, string path) => new(await test.Client.GetStreamAsync(path));

    private sealed class EventReader(Stream stream) : IAsyncDisposable
    {
        private readonly StreamReader _lines = new(stream);

        public async Task<JsonElement> NextAsync(string type, Func<JsonElement, bool>? wanted = null)
        {
            string name = "";
            while (await _lines.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(20)) is { } line)
            {
                name = line.StartsWith("event: ", StringComparison.Ordinal) ? line[7..] : name;
                if (
                    name == type
                    && line.StartsWith("data: ", StringComparison.Ordinal)
                    && JsonDocument.Parse(line[6..]).RootElement is var data
                    && wanted?.Invoke(data) != false
                )
                {
                    return data;
                }
            }

            throw new EndOfStreamException();
        }

        public ValueTask DisposeAsync()
        {
            _lines.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
