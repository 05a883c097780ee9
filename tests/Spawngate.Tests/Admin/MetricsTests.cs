using System.Text.Json;
using System.Text.RegularExpressions;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary>Counters, and the page that shows them.</summary>
internal sealed class MetricsTests
{
    [Test]
    public void The_page_is_valid_with_backends_in_every_state()
    {
        var backends = new FakeAdminBackends();
        foreach (var phase in Enum.GetValues<BackendPhase>())
        {
            Add(backends, $"{phase}.test".ToLowerInvariant(), new BackendTraffic());
        }

        backends.Reports.Add(new BackendReport { Hostname = "we\"ird\\.test", State = BackendPhase.Stopped });
        backends.Gateway.Traffic.Overhead.Observe(1);
        backends.Gateway.Traffic.Ready.ObserveMs(70);
        var page = Page(backends);
        Assert.That(page.Faults, Is.Empty);
        Assert.That(page.Value("spawngate_requests_total", ("hostname", "ready.test"), ("protocol", "h1"), ("code", "2xx")), Is.EqualTo(2));
        Assert.That(
            page.Value("spawngate_requests_total", ("hostname", "ready.test"), ("protocol", "h2"), ("code", "none")),
            Is.EqualTo(1)
        );
        Assert.That(page.Value("spawngate_response_body_bytes_total", ("hostname", "ready.test")), Is.EqualTo(30));
        Assert.That(page.Value("spawngate_backend_events_total", ("hostname", "ready.test"), ("event", "start_failed")), Is.EqualTo(2));
        Assert.That(page.Value("spawngate_upstream_response_seconds_bucket", ("hostname", "ready.test"), ("le", "0.005")), Is.EqualTo(1));
        Assert.That(page.Value("spawngate_start_seconds_bucket", ("step", "ready"), ("le", "0.05")), Is.Zero);
        Assert.That(page.Value("spawngate_start_seconds_bucket", ("step", "ready"), ("le", "0.1")), Is.EqualTo(1));
        Assert.That(page.Value("spawngate_backends_in_state", ("state", "stopped")), Is.EqualTo(2));
        Assert.That(page.Value("spawngate_client_connections_opened_total"), Is.EqualTo(17));
    }

    [Test]
    public void Host_names_with_series_of_their_own_are_bounded_and_nothing_is_lost()
    {
        var backends = new FakeAdminBackends();
        for (int i = 0; i < 20; i++)
        {
            Add(backends, $"{i}.test", i % 2 == 0 ? null : new BackendTraffic());
        }

        var page = ExpositionCheck.Read(new AdminMetrics(backends, DateTimeOffset.UnixEpoch, hostsMax: 3).Render());
        Assert.That(page.Faults, Is.Empty);
        var requests = page
            .Samples.Where(sample => sample.Name == "spawngate_requests_total" && sample.Labels["code"] == "2xx")
            .ToDictionary(sample => sample.Labels["hostname"], sample => sample.Value);
        Assert.That(
            requests,
            Is.EquivalentTo(
                new Dictionary<string, double>
                {
                    ["1.test"] = 2,
                    ["3.test"] = 2,
                    ["5.test"] = 2,
                    ["_other"] = 14,
                }
            )
        );
        Assert.That(
            page.Samples.Where(sample => sample.Labels.ContainsKey("hostname")).Select(sample => sample.Labels["hostname"]).Distinct(),
            Is.EquivalentTo(new[] { "1.test", "3.test", "5.test", "_other" })
        );
        Assert.That(page.Value("spawngate_backend_events_total", ("hostname", "_other"), ("event", "start_failed")), Is.EqualTo(34));
    }

    [Test]
    public void What_no_backend_serves_is_counted_under_a_name_of_its_own()
    {
        var backends = new FakeAdminBackends();
        backends.Gateway.Traffic.Unrouted.Count(ReceivedProtocol.Http1, 404, 0, 0);
        Assert.That(Page(backends).Value("spawngate_requests_total", ("hostname", "_none"), ("code", "4xx")), Is.EqualTo(1));
    }

    [Test]
    public async Task No_addition_of_any_thread_is_lost()
    {
        var cells = new Stripes(3);
        await Task.WhenAll(
            Enumerable
                .Range(0, 16)
                .Select(_ =>
                    Task.Factory.StartNew(
                        () =>
                        {
                            for (int i = 0; i < 20_000; i++)
                            {
                                cells.Add(1, 1);
                                cells.Add(cells.Row, 2, 3);
                            }
                        },
                        CancellationToken.None,
                        TaskCreationOptions.LongRunning,
                        TaskScheduler.Default
                    )
                )
        );
        Assert.That((cells.Read(0), cells.Read(1), cells.Read(2)), Is.EqualTo((0, 320_000, 960_000)));
    }

    [TestCase(1, 1)]
    [TestCase(2, 2)]
    [TestCase(3, 4)]
    [TestCase(128, 8)]
    public void Rows_are_a_power_of_two_and_bounded(int processors, int rows) => Assert.That(Stripes.RowsFor(processors), Is.EqualTo(rows));

    [Test]
    public void A_time_on_a_bound_falls_into_its_bucket()
    {
        var buckets = new Buckets(0.001, 0.01);
        long frequency = TimeProvider.System.TimestampFrequency;
        Assert.That(
            new[] { 0, frequency / 1000, (frequency / 1000) + 1, frequency / 100, frequency }.Select(buckets.Find),
            Is.EqualTo(new[] { 0, 0, 1, 1, 2 })
        );
    }

    [Test]
    public void Counting_allocates_nothing()
    {
        var traffic = new BackendTraffic();
        Count(traffic);
        Assert.That(Allocations.Least(() => Count(traffic)), Is.Zero);
    }

    [Test]
    public void The_dashboard_and_the_documentation_name_what_there_is()
    {
        var backends = new FakeAdminBackends();
        Add(backends, "a.test", new BackendTraffic());
        backends.SessionNumbers = [new SessionNumbers(new SessionTotals("t"), new int[7], 0, 0, 0)];
        backends.Gateway = backends.Gateway with
        {
            Overload = new OverloadNumbers
            {
                HeldBytes = 1,
                HeldBytesMax = 2,
                Addresses = 3,
                Resources = [("memory", true)],
                Refused = [("request", "limit", 4)],
            },
        };
        string page = new AdminMetrics(backends, DateTimeOffset.UnixEpoch).Render();
        var known = Regex
            .Matches(page, @"^# TYPE (\S+) (\S+)$", RegexOptions.Multiline)
            .SelectMany(type =>
                type.Groups[2].Value == "histogram"
                    ? new[] { "", "_bucket", "_sum", "_count" }.Select(end => type.Groups[1].Value + end)
                    : [type.Groups[1].Value]
            )
            .ToHashSet();
        var panels = JsonDocument
            .Parse(File.ReadAllText(Repository.PathOf("docs", "grafana.json")))
            .RootElement.GetProperty("panels")
            .EnumerateArray();
        var expressions = panels
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!)
            .ToList();
        Assert.That(expressions, Is.Not.Empty);
        Assert.That(expressions.SelectMany(Named).Where(name => !known.Contains(name)), Is.Empty);
        var documented = Named(File.ReadAllText(Repository.PathOf("docs", "reference", "metrics.md"))).ToHashSet();
        Assert.That(documented.Where(name => !known.Contains(name)), Is.Empty);
        var families = Regex.Matches(page, @"^# TYPE (\S+)", RegexOptions.Multiline).Select(type => type.Groups[1].Value);
        Assert.That(families.Where(name => !documented.Contains(name)), Is.Empty, "not in docs/reference/metrics.md");

        static IEnumerable<string> Named(string text) =>
            Regex.Matches(text, @"\b(?:spawngate|process|dotnet)_\w+\w").Select(match => match.Value);
    }

    [Test]
    public void Sessions_are_added_up_by_template()
    {
        var backends = new FakeAdminBackends();
        Add(backends, "a.test", new BackendTraffic());
        var totals = new SessionTotals("ide");
        for (int i = 0; i < 3; i++)
        {
            backends.Reports.Add(
                new BackendReport
                {
                    Hostname = $"{i}.s.test",
                    State = BackendPhase.Ready,
                    Session = "ide",
                }
            );
            new BackendTraffic(totals.Traffic).Count(ReceivedProtocol.Http1, 200, 5, 7);
            totals.CountCreated();
        }

        totals.CountEnded(SessionState.Failed);
        backends.SessionNumbers = [new SessionNumbers(totals, [0, 0, 0, 0, 2, 0, 0], 4, 1, 1)];
        string page = new AdminMetrics(backends, DateTimeOffset.UnixEpoch).Render();
        Assert.That(ExpositionCheck.Read(page).Faults, Is.Empty);
        Assert.That(page, Does.Not.Contain("s.test"), "no series for one session");
        foreach (
            string line in (string[])
                [
                    "spawngate_backends 1",
                    "spawngate_backend_in_flight{hostname=\"_session:ide\"} 4",
                    "spawngate_backend_waiting{hostname=\"_session:ide\"} 1",
                    "spawngate_requests_total{hostname=\"_session:ide\",protocol=\"h1\",code=\"2xx\"} 3",
                    "spawngate_response_body_bytes_total{hostname=\"_session:ide\"} 21",
                    "spawngate_sessions{template=\"ide\",state=\"ready\"} 2",
                    "spawngate_sessions_made_total{template=\"ide\"} 3",
                    "spawngate_sessions_ended_total{template=\"ide\",state=\"failed\"} 1",
                ]
        )
        {
            Assert.That(page, Does.Contain(line + "\n"));
        }
    }

    [TestCase("a 1\n", "no TYPE")]
    [TestCase("# HELP a x\n# TYPE a gauge\na 1\na 2\n", "doubled series")]
    [TestCase("# HELP a x\n# TYPE a gauge\na{b=\"1} 1\n", "labels")]
    [TestCase("# HELP a x\n# TYPE a gauge\na one\n", "not a sample")]
    [TestCase("# HELP a x\n# TYPE a counter\na 1\n", "_total")]
    [TestCase("# HELP a_total x\n# TYPE a_total counter\na_total -1\n", "is -1")]
    [TestCase("# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\nb 1\na 1\n", "one piece")]
    [TestCase("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n", "cumulative")]
    [TestCase("# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n", "+Inf")]
    [TestCase("# HELP a x\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n", "count of")]
    [TestCase("# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1\n", "base unit")]
    [TestCase("# HELP a x\n# TYPE a gauge\na 1", "no end")]
    public void The_check_finds_what_is_wrong(string page, string fault) =>
        Assert.That(ExpositionCheck.Read(page).Faults, Has.Some.Contains(fault));

    private static void Add(FakeAdminBackends backends, string hostname, BackendTraffic? traffic)
    {
        backends.Reports.Add(
            new BackendReport
            {
                Hostname = hostname,
                State =
                    Enum.TryParse<BackendPhase>(hostname.Split('.')[0], ignoreCase: true, out var phase) && Enum.IsDefined(phase)
                        ? phase
                        : BackendPhase.Stopped,
                InstanceNumber = 3,
                LastStart = new StartReport
                {
                    SpawnMs = 1,
                    ListenMs = 2,
                    ReadyMs = 3,
                },
            }
        );
        if (traffic is not null)
        {
            Count(traffic);
        }

        long[] events = [.. Enum.GetValues<HistoryEventKind>().Select(kind => (long)kind)];
        backends.NumbersOf[hostname] = new BackendNumbers(traffic, events, 5);
    }

    private static void Count(BackendTraffic traffic)
    {
        traffic.Count(ReceivedProtocol.Http1, 200, 10, 20);
        traffic.Count(ReceivedProtocol.Http1, 204, 0, 0);
        traffic.Count(ReceivedProtocol.Http2, 0, 1, 10);
        traffic.CountAnswer(TimeProvider.System.TimestampFrequency / 300);
        traffic.CountSent();
    }

    private static ExpositionCheck Page(FakeAdminBackends backends) =>
        ExpositionCheck.Read(new AdminMetrics(backends, DateTimeOffset.UnixEpoch).Render());
}
