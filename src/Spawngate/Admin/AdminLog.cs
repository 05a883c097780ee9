using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;

namespace Spawngate.Admin;

/// <summary>
/// Answers <c>/backends/{host}/logs</c>: the retained lines as text (or as JSON lines with <c>format=json</c>), and with
/// <c>follow=1</c> whatever comes after them, until the client leaves, the backend is removed or the gateway stops.
/// </summary>
internal sealed class AdminLog
{
    private readonly IAdminBackends _backends;
    private readonly CancellationToken _stopping;
    private int _followers;

    /// <summary>Makes it.</summary>
    /// <param name="backends">Where the lines are.</param>
    /// <param name="stopping">Ends all followers.</param>
    public AdminLog(IAdminBackends backends, CancellationToken stopping)
    {
        _backends = backends;
        _stopping = stopping;
    }

    /// <summary>Answers one request.</summary>
    public Task AnswerAsync(HttpContext context, string hostname)
    {
        if (_backends.Report(hostname) is null)
        {
            return AdminReply.ErrorAsync(context, AdminError.UnknownHost);
        }

        bool follow = context.Request.Query["follow"] == "1" && !HttpMethods.IsHead(context.Request.Method);
        return follow ? FollowAsync(context, hostname) : SendAsync(context, _backends.ReadLog(hostname));
    }

    private async Task FollowAsync(HttpContext context, string hostname)
    {
        int followers = Interlocked.Increment(ref _followers);
        try
        {
            using IBackendLogFollower? follower =
                followers > AdminLimits.AdminLogFollowersMax || !AdminConnection.TryBeginStream(context)
                    ? null
                    : _backends.FollowLog(hostname);
            if (follower is null)
            {
                await AdminReply.ErrorAsync(context, AdminError.TooManyFollowers);
                return;
            }

            await SendAsync(context, follower.Past);
            await SendNewAsync(context, follower);
        }
        finally
        {
            Interlocked.Decrement(ref _followers);
        }
    }

    private static async Task SendAsync(HttpContext context, IReadOnlyList<BackendLogLine> lines)
    {
        HttpResponse response = context.Response;
        response.ContentType = WantsJson(context) ? "application/x-ndjson" : "text/plain; charset=utf-8";
        await response.StartAsync(context.RequestAborted);
        int unflushedBytes = 0;
        foreach (BackendLogLine line in lines)
        {
            unflushedBytes += Write(response.BodyWriter, line, WantsJson(context));
            if (unflushedBytes >= AdminLimits.AdminLogFlushBytes)
            {
                unflushedBytes = 0;
                await response.BodyWriter.FlushAsync(context.RequestAborted);
            }
        }

        await response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private async Task SendNewAsync(HttpContext context, IBackendLogFollower follower)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping);
        PipeWriter writer = context.Response.BodyWriter;
        bool asJson = WantsJson(context);
        long missed = 0;
        try
        {
            while (await follower.WaitAsync(ended.Token))
            {
                int unflushedBytes = 0;
                while (unflushedBytes < AdminLimits.AdminLogFlushBytes && follower.TryRead(out BackendLogLine? line))
                {
                    unflushedBytes += Write(writer, line, asJson);
                }

                if (follower.Missed > missed && !asJson)
                {
                    Encoding.UTF8.GetBytes(
                        $"… {follower.Missed - missed} lines came faster than they were read and were left out …\n",
                        writer
                    );
                    missed = follower.Missed;
                }

                await writer.FlushAsync(ended.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The gateway stops: the stream ends as a complete answer, not as a broken one.
        }
    }

    private static bool WantsJson(HttpContext context) => context.Request.Query["format"] == "json";

    private static int Write(PipeWriter writer, BackendLogLine line, bool asJson)
    {
        if (!asJson)
        {
            return (int)Encoding.UTF8.GetBytes($"{line.Time.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ} {line.Stream} {line.Text}\n", writer);
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(line, AdminJson.Default.BackendLogLine);
        writer.Write(json);
        writer.Write("\n"u8);
        return json.Length + 1;
    }
}
