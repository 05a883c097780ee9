using System.Buffers;
using System.Globalization;
using System.Text;
using Spawngate.Sessions;

namespace Spawngate.Admin;

/// <summary>
/// The answers of sessions that last: waits for readiness, and streams of server-sent events. Each tells the latest that it knows when its
/// client takes it; nothing piles up for one that does not read, since a state is told once and there are seven, and of the use only what
/// it is at that moment.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="stopping">Ends all of them.</param>
internal sealed class SessionStreams(TimeProvider time, CancellationToken stopping)
{
    /// <summary>Waits until a session is ready, or never will be, or the time has passed. False when too many wait already.</summary>
    public async Task<bool> WaitAsync(HttpContext context, Session session, TimeSpan limit)
    {
        if (!AdminConnection.TryBeginStream(context))
        {
            return false;
        }

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        long begun = time.GetTimestamp();
        try
        {
            while (true)
            {
                // Counted before it is looked at: a state that comes in between ends the wait at once.
                int known = session.History.Count;
                TimeSpan left = limit - time.GetElapsedTime(begun);
                if (session.IsReady || session.IsEnding || left <= TimeSpan.Zero)
                {
                    break;
                }

                await session.ChangedAsync(known).WaitAsync(left, time, cancel.Token);
            }
        }
        catch (TimeoutException)
        {
            // The answer says how it is by now.
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The gateway stops: so does the wait.
        }

        return true;
    }

    /// <summary>Streams the states: those so far, those that follow, and the end after the last.</summary>
    public async Task StatusAsync(HttpContext context, Session session)
    {
        int told = ToldBefore(context.Request, session);
        if (told > 0 && told == session.History.Count && session.Status.IsLast)
        {
            context.Response.StatusCode = 204; // Tells an EventSource not to come back.
            return;
        }

        await StreamAsync(context, async (stream, cancel) =>
        {
            bool stops = false;
            while (true)
            {
                var history = session.History;
                for (; told < history.Count; told++)
                {
                    stream.Write(SessionRequests.StatusBytes(history[told]), told + 1);
                }

                await stream.FlushAsync(context.RequestAborted);
                if (stops || history[^1].IsLast)
                {
                    return;
                }

                try
                {
                    await WaitOrBeatAsync(session.ChangedAsync(told), stream, cancel);
                }
                catch (OperationCanceledException) when (stopping.IsCancellationRequested)
                {
                    stops = true; // Sessions have ended before the API does: once more, for what this stream has not told yet.
                }
            }
        });
    }

    /// <summary>Streams the use of a session until it ends.</summary>
    public Task UseAsync(HttpContext context, Session session) => StreamAsync(context, async (stream, cancel) =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(AdminLimits.SessionSampleMs), time);
            SessionUse? told = null;
            long toldAt = 0;
            while (true)
            {
                var status = session.Status;
                var use = session.ReadUse();
                if (use != told)
                {
                    stream.Write(ReportJson.Bytes(use, SessionJson.Write), id: null);
                    (told, toldAt) = (use, time.GetTimestamp());
                    await stream.FlushAsync(cancel);
                }
                else if (time.GetElapsedTime(toldAt).TotalMilliseconds >= AdminLimits.SessionHeartbeatMs)
                {
                    toldAt = time.GetTimestamp();
                    await stream.BeatAsync(cancel);
                }

                if (status.IsLast || !await timer.WaitForNextTickAsync(cancel))
                {
                    return;
                }
            }
        });

    private async Task StreamAsync(HttpContext context, Func<EventStream, CancellationToken, Task> tell)
    {
        if (!AdminConnection.TryBeginStream(context))
        {
            await AdminReply.ErrorAsync(context, AdminError.TooManyFollowers);
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync(context.RequestAborted);
            if (HttpMethods.IsHead(context.Request.Method))
            {
                return;
            }

            using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            await tell(new EventStream(context.Response), cancel.Token);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The gateway stops: the stream ends as a complete answer, not as a broken one.
        }
    }

    /// <summary>Waits for a change; in between, comments keep the connection known to be alive.</summary>
    private async Task WaitOrBeatAsync(Task changed, EventStream stream, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await changed.WaitAsync(TimeSpan.FromMilliseconds(AdminLimits.SessionHeartbeatMs), time, cancel);
                return;
            }
            catch (TimeoutException)
            {
                await stream.BeatAsync(cancel);
            }
        }
    }

    /// <summary>How many states a client that comes back was told before; 0 for what is no number of ours.</summary>
    private static int ToldBefore(HttpRequest request, Session session) =>
        int.TryParse(request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out int told)
        && told <= session.History.Count
            ? told
            : 0;

    /// <summary>Writes server-sent events.</summary>
    private sealed class EventStream(HttpResponse response)
    {
        public void Write(ReadOnlySpan<byte> data, int? id)
        {
            if (id is { } known)
            {
                response.BodyWriter.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {known}\n")));
            }

            response.BodyWriter.Write("data: "u8);
            response.BodyWriter.Write(data);
            response.BodyWriter.Write("\n\n"u8);
        }

        public async Task BeatAsync(CancellationToken cancel)
        {
            response.BodyWriter.Write(":\n\n"u8);
            await FlushAsync(cancel);
        }

        public async Task FlushAsync(CancellationToken cancel) => await response.BodyWriter.FlushAsync(cancel);
    }
}
