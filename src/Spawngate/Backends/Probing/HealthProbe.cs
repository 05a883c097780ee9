using System.Net;
using System.Net.Sockets;
using Spawngate.Platform;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>
/// Health checks over real sockets. While the port refuses connections it is retried after 1 to 5 ms for the first seconds, because a
/// refused connection on loopback is nearly free and polling must not cost latency; everything else is retried at the configured interval.
/// One connection is kept and reused; if the backend closed it meanwhile, the check goes on a new one.
/// </summary>
internal sealed class HealthProbe(ProbeTarget target, TimeProvider time) : IHealthProbe
{
    private ProbeConnection? _connection;
    private volatile string? _lastDetail;
    private volatile bool _disposed;

    /// <inheritdoc/>
    public string? LastDetail => _lastDetail;

    /// <inheritdoc/>
    public async Task WaitUntilReadyAsync(Action listening, CancellationToken cancel)
    {
        var began = time.GetTimestamp();
        var accepted = false;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var attempt = await AttemptAsync(ProbeLimits.ProbeTimeoutMs, cancel).ConfigureAwait(false);
            _lastDetail = attempt.Detail;
            if (attempt.Connected && !accepted)
            {
                accepted = true;
                listening();
            }

            if (attempt.Healthy)
            {
                return;
            }

            var pauseMs = PauseMs(attempt.Connected || attempt.IsStranger, time.GetElapsedTime(began).TotalMilliseconds);
            await Task.Delay(TimeSpan.FromMilliseconds(pauseMs), time, cancel).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel)
    {
        var attempt = await AttemptAsync(timeoutMs, cancel).ConfigureAwait(false);
        _lastDetail = attempt.Detail;
        return new ProbeResult(attempt.Healthy, attempt.Detail) { WasAsked = !attempt.Unasked };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        Interlocked.Exchange(ref _connection, null)?.Dispose();
    }

    private int PauseMs(bool connected, double elapsedMs)
    {
        if (connected || elapsedMs >= ProbeLimits.ProbeFastPhaseMs)
        {
            return Math.Max(1, target.RetryIntervalMs);
        }

        return elapsedMs < ProbeLimits.ProbeEagerPhaseMs ? 1 : ProbeLimits.ProbeFastRetryMs;
    }

    /// <summary>One check, with a deadline of its own: an endpoint that hangs must not hang whoever asks.</summary>
    private async Task<Attempt> AttemptAsync(int timeoutMs, CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _connection, null) is { } kept)
        {
            var reused = await AskAsync(kept, timeoutMs, cancel).ConfigureAwait(false);
            if (reused is { } answer)
            {
                return answer;
            }
        }

        var (socket, error) = await ConnectAsync(target.EndPoint, timeoutMs, cancel).ConfigureAwait(false);
        if (socket is null)
        {
            if (error == ProbeConnection.Refused)
            {
                target.Trust?.Doubt(); // Nothing else says that nobody listens.
            }

            return new Attempt(false, false, error ?? OpenFiles.NoneLeft) { Unasked = error is null };
        }

        if (target.Trust is { IsKnown: false } trust && await trust.LookAsync().ConfigureAwait(false) is { IsGood: false } finding)
        {
            socket.Dispose();
            return new Attempt(false, false, finding.Detail)
            {
                IsStranger = finding.Owner == ListenerOwner.Stranger,
                Unasked = finding.Owner == ListenerOwner.Nobody,
            };
        }

        if (target.Path.Length == 0)
        {
            using (socket)
            {
                return target.IsForwarded && !await IsForwardedAsync(socket, cancel).ConfigureAwait(false)
                    ? new Attempt(false, false, ProbeConnection.Refused)
                    : new Attempt(true, true, "accepts connections");
            }
        }

        var fresh = await AskAsync(new ProbeConnection(socket, target), timeoutMs, cancel).ConfigureAwait(false);
        return fresh ?? new Attempt(!target.IsForwarded, false, "closed the connection without an answer");
    }

    /// <summary>
    /// Whether a connection that a forwarder accepted leads to somebody: at once when the run itself accepts one. That it refuses proves
    /// nothing, for its address may mean another machine here; then the forwarder's own connection decides.
    /// </summary>
    private async Task<bool> IsForwardedAsync(Socket socket, CancellationToken cancel)
    {
        if (target.Behind is { } behind)
        {
            var (direct, _) = await ConnectAsync(behind, ProbeLimits.ProbeForwardedMs, cancel).ConfigureAwait(false);
            if (direct is not null)
            {
                direct.Dispose();
                return true;
            }
        }

        return await ProbeConnection.StaysOpenAsync(socket, time, cancel).ConfigureAwait(false);
    }

    /// <summary>Without a socket and an error there is none left to ask with.</summary>
    private async Task<(Socket? Socket, string? Error)> ConnectAsync(IPEndPoint endPoint, int timeoutMs, CancellationToken cancel)
    {
        try
        {
            return await ProbeConnection.ConnectAsync(endPoint, timeoutMs, time, cancel).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            cancel.ThrowIfCancellationRequested();
            return (
                null,
                e is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable }
                    ? null
                    : e.Message
            );
        }
    }

    /// <summary>Asks over one connection and keeps it if it can be; null when the connection ended before a byte of an answer.</summary>
    private async Task<Attempt?> AskAsync(ProbeConnection connection, int timeoutMs, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        var keep = false;
        try
        {
            var answer = await connection.AskAsync(either.Token).ConfigureAwait(false);
            keep = answer.Reusable;
            return answer.Status switch
            {
                0 => null,
                < 0 => new Attempt(true, false, answer.Other ?? "sent no HTTP response"),
                _ => new Attempt(true, answer.Status is >= 200 and <= 299, $"status {answer.Status}"),
            };
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Attempt(true, false, $"no answer within {timeoutMs} ms");
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            cancel.ThrowIfCancellationRequested();
            return null;
        }
        finally
        {
            Keep(keep ? connection : null, connection);
        }
    }

    private void Keep(ProbeConnection? kept, ProbeConnection connection)
    {
        if (kept is null || _disposed)
        {
            connection.Dispose();
            return;
        }

        Volatile.Write(ref _connection, kept);
        if (_disposed)
        {
            // Disposed between the check and the write: whoever takes it out closes it.
            Interlocked.Exchange(ref _connection, null)?.Dispose();
        }
    }

    private readonly record struct Attempt(bool Connected, bool Healthy, string Detail)
    {
        /// <summary>Whether somebody else accepts there; looked at anew every millisecond it would not become another.</summary>
        public bool IsStranger { get; init; }

        /// <summary>
        /// Whether nobody could be asked, for want of a descriptor, or because it cannot be found out in this moment who has accepted.
        /// </summary>
        public bool Unasked { get; init; }
    }
}
