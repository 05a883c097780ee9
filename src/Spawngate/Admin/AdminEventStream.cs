using System.Buffers;
using System.Text;
using System.Text.Json;
using Spawngate.Platform;
using Spawngate.Telemetry.History;

namespace Spawngate.Admin;

/// <summary>
/// Answers <c>/events</c>: server-sent events with all backends first, then what happens to them, and their numbers once a second; until
/// the client leaves or the gateway stops. What a client does not take in time is left out and made good by the whole list.
/// </summary>
/// <param name="backends">What is told about.</param>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends all streams.</param>
internal sealed class AdminEventStream(IAdminBackends backends, TimeProvider time, CancellationToken stopping)
{
    private readonly string _instance = Convert.ToHexStringLower(Entropy.Bytes(sizeof(ulong)));

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    /// <summary>Answers one request.</summary>
    public async Task AnswerAsync(HttpContext context)
    {
        string? host = context.Request.Query["host"] is [{ Length: > 0 } asked] ? AdminRoute.Normalise(asked) : null;
        if (host is not null && backends.Report(host) is null)
        {
            await AdminReply.ErrorAsync(context, AdminError.UnknownHost);
            return;
        }

        using HistoryReader? reader = AdminConnection.TryBeginStream(context) ? backends.ReadEvents() : null;
        if (reader is null)
        {
            await AdminReply.ErrorAsync(context, AdminError.TooManyFollowers);
            return;
        }

        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync(context.RequestAborted);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            await TellAsync(new Teller(context.Response, host), reader, ended.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The gateway stops: the stream ends as a complete answer, not as a broken one.
        }
    }

    private async Task TellAsync(Teller teller, HistoryReader reader, CancellationToken cancel)
    {
        teller.Write("hello", new HelloEvent(_instance, Now), ReportJson.Write);
        TellAll(teller);
        await teller.FlushAsync(cancel);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(AdminLimits.HistorySampleMs), time);
        Task<bool> ticked = timer.WaitForNextTickAsync(cancel).AsTask();
        Task<bool> news = reader.News.WaitToReadAsync(cancel).AsTask();
        while (true)
        {
            await Task.WhenAny(ticked, news);
            cancel.ThrowIfCancellationRequested();
            if (news.IsCompleted)
            {
                TellNews(teller, reader);
                news = reader.News.WaitToReadAsync(cancel).AsTask();
            }

            if (ticked.IsCompleted)
            {
                IReadOnlyList<BackendReport> changed = teller.TakeChanged(Reports(teller));
                teller.Write("sample", new SampleEvent(Now, changed), ReportJson.Write);
                ticked = timer.WaitForNextTickAsync(cancel).AsTask();
            }

            await teller.FlushAsync(cancel);
        }
    }

    private void TellNews(Teller teller, HistoryReader reader)
    {
        bool all = reader.TakeMissed();
        var touched = new HashSet<string>();
        while (reader.News.TryRead(out HistoryNews? item))
        {
            if (item.Hostname.Length == 0)
            {
                all = true;
            }
            else if (teller.Host is null || teller.Host == item.Hostname)
            {
                touched.Add(item.Hostname);
                if (item.Entry is { } entry)
                {
                    teller.Write("ledger", new HistoryItem(item.Hostname, entry), ReportJson.Write);
                }
            }
        }

        if (all)
        {
            TellAll(teller);
            return;
        }

        foreach (string hostname in touched)
        {
            if (backends.Report(hostname) is { } report)
            {
                teller.Write("backend", report, ReportJson.Write);
            }
            else
            {
                teller.Write("gone", new GoneEvent(hostname), ReportJson.Write);
            }
        }
    }

    private void TellAll(Teller teller)
    {
        IReadOnlyList<BackendReport> reports = Reports(teller);
        teller.TakeChanged(reports);
        teller.Write("backends", new BackendList(reports, Now), ReportJson.Write);
    }

    private IReadOnlyList<BackendReport> Reports(Teller teller) =>
        teller.Host is null ? backends.ReportAll()
        : backends.Report(teller.Host) is { } report ? [report]
        : [];

    /// <summary>One stream: what its client was told last.</summary>
    private sealed class Teller(HttpResponse response, string? host)
    {
        private Dictionary<string, BackendReport> _last = [];

        public string? Host => host;

        public void Write<T>(string name, T value, Action<Utf8JsonWriter, T> write)
            where T : class
        {
            response.BodyWriter.Write(Encoding.ASCII.GetBytes($"event: {name}\ndata: "));
            response.BodyWriter.Write(ReportJson.Bytes(value, write));
            response.BodyWriter.Write("\n\n"u8);
        }

        public async Task FlushAsync(CancellationToken cancel) => await response.BodyWriter.FlushAsync(cancel);

        /// <summary>Of those that were ever woken; nothing changes in the others.</summary>
        public List<BackendReport> TakeChanged(IReadOnlyList<BackendReport> reports)
        {
            Dictionary<string, BackendReport> before = _last;
            var changed = new List<BackendReport>();
            _last = [];
            foreach (BackendReport report in reports)
            {
                if (report.InstanceNumber == 0)
                {
                    continue;
                }

                _last.Add(report.Hostname, report);
                if (!before.TryGetValue(report.Hostname, out BackendReport? earlier) || report.HasOtherNumbersThan(earlier))
                {
                    changed.Add(report);
                }
            }

            return changed;
        }
    }
}
