using System.Globalization;
using System.Net;
using Spawngate.Platform;
using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>
/// Health checks over real connections, taken from the pool that requests use, or made and given to it when a request may want one. While
/// the port refuses connections it is retried after 1 to 5 ms for the first seconds, because a refused connection on loopback is nearly
/// free and polling must not cost latency; everything else is retried at the configured interval.
/// </summary>
/// <remarks>
/// A check holds nothing: a server that serves one connection at a time would serve nobody else as long as one is open. While starting,
/// the connection that was found to be ready goes to the pool, where the request that waits takes it. Later only one that was idle in the
/// pool goes back there.
/// </remarks>
/// <param name="target">What is asked, and where.</param>
/// <param name="time">The time.</param>
internal sealed class HealthProbe(ProbeTarget target, TimeProvider time) : IHealthProbe
{
    private readonly byte[] _first = ProbeConnection.Request(target.Rule.AskedPath, target.Host, isLast: false);
    private readonly byte[] _last = ProbeConnection.Request(target.Rule.AskedPath, target.Host, isLast: true);
    private readonly TaskCompletionSource _word = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile string? _lastDetail;
    private volatile HealthWatch _watch = target.Rule.First;
    private volatile UpstreamPool _place = target.Place;

    /// <inheritdoc/>
    public string? LastDetail => _lastDetail;

    /// <inheritdoc/>
    public void TakeItsWord() => _word.TrySetResult();

    /// <inheritdoc/>
    public async Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel)
    {
        long began = time.GetTimestamp();
        bool accepted = false;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var attempt = await AttemptAnywhereAsync(time.GetElapsedTime(began).TotalMilliseconds, cancel).ConfigureAwait(false);
            _lastDetail = attempt.Detail + attempt.Remedy;
            if (attempt.Connected && !accepted)
            {
                accepted = true;
                listening();
            }

            if (attempt.Healthy)
            {
                _place = attempt.Place!;
                target.Others?.CloseBut(_place);
                return new ReadyFinding(attempt.Place, attempt.Detail) { ByItsWord = attempt.ByItsWord };
            }

            int pauseMs = PauseMs(attempt.Connected || attempt.IsStranger, time.GetElapsedTime(began).TotalMilliseconds);
            var pause = Task.Delay(TimeSpan.FromMilliseconds(pauseMs), time, cancel);
            await (_word.Task.IsCompleted ? pause : Task.WhenAny(pause, _word.Task)).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel)
    {
        var attempt = await AttemptAsync(_place, timeoutMs, starting: false, cancel).ConfigureAwait(false);
        _lastDetail = attempt.Detail;
        return new ProbeResult(attempt.Healthy, attempt.Detail)
        {
            WasAsked = !attempt.Unasked,
            IsRefused = attempt.IsRefused,
            IsSilent = attempt.IsSilent,
        };
    }

    /// <inheritdoc/>
    public void Dispose() => target.Others?.CloseBut(null);

    private int PauseMs(bool connected, double elapsedMs)
    {
        if (_word.Task.IsCompleted)
        {
            return ProbeLimits.FastRetryMs; // It only has to be seen that it listens.
        }

        if (connected || elapsedMs >= ProbeLimits.FastPhaseMs)
        {
            return Math.Max(1, target.RetryIntervalMs);
        }

        return elapsedMs < ProbeLimits.EagerPhaseMs ? 1 : ProbeLimits.FastRetryMs;
    }

    /// <summary>The places in turn, until somebody accepts; then, when nobody has for a while, where else the instance listens.</summary>
    private async Task<Attempt> AttemptAnywhereAsync(double elapsedMs, CancellationToken cancel)
    {
        var first = default(Attempt);
        bool isClosed = true;
        foreach (var place in target.Places)
        {
            var attempt = await AttemptAsync(place, ProbeLimits.TimeoutMs, starting: true, cancel).ConfigureAwait(false);
            if (attempt.Connected || attempt.Healthy)
            {
                target.Others?.Forget();
                return attempt;
            }

            isClosed &= attempt.IsRefused;
            first = place == target.Place || attempt.IsStranger ? attempt : first;
        }

        if (target.Others is not { } others || !isClosed)
        {
            return first;
        }

        int told = target.Place.Endpoint is IPEndPoint at ? at.Port : 0;
        foreach (var place in await others.LookAsync(elapsedMs, told).ConfigureAwait(false))
        {
            bool needsHttp = others.Count > 1;
            var attempt = await AttemptAsync(place, ProbeLimits.TimeoutMs, starting: true, cancel, needsHttp).ConfigureAwait(false);
            if (attempt.Healthy)
            {
                return attempt;
            }

            string found = $"; on port {PortOf(place)}, where it does listen: {attempt.Detail}{attempt.Remedy}";
            first = attempt with { Detail = first.Detail, Remedy = found };
        }

        return others.Seen is { Count: > 0 } seen && first.Remedy.Length == 0
            ? first with
            {
                Remedy =
                    $"; it listens on port {string.Join(", ", seen)} instead: tell it its port, by $PORT or {{port}} in args, or set port",
            }
            : first;
    }

    /// <summary>One check, with a deadline of its own: an endpoint that hangs must not hang whoever asks.</summary>
    /// <param name="place">Where.</param>
    /// <param name="timeoutMs">The deadline.</param>
    /// <param name="starting">Whether it is not ready yet.</param>
    /// <param name="cancel">Ends it.</param>
    /// <param name="needsHttp">Whether it must speak HTTP, whatever it says there, even where a connection would be enough.</param>
    private async Task<Attempt> AttemptAsync(
        UpstreamPool place,
        int timeoutMs,
        bool starting,
        CancellationToken cancel,
        bool needsHttp = false
    )
    {
        bool byItsWord = starting && _word.Task.IsCompleted;
        bool isPortEnough = !needsHttp && (byItsWord || _watch == HealthWatch.Port);
        if (!starting && isPortEnough && place.Trust is { } trust && (await trust.LookAsync().ConfigureAwait(false)).IsGood)
        {
            // Somebody is seen to listen: a connection would only wait beside those of clients, and fill a log of connections.
            return new Attempt(place, true, $"listens on port {PortOf(place)}") { Connected = true };
        }

        if (!isPortEnough && place.TryRent() is { } rented)
        {
            var reused = await AskAsync(rented, _first, timeoutMs, giveBack: true, starting, cancel).ConfigureAwait(false);
            if (reused is { } answer)
            {
                return answer;
            }
        }

        if (place.TryCreate(fromReserve: true) is not { } connection)
        {
            return new Attempt(place, false, OpenFiles.NoneLeft) { Unasked = true };
        }

        bool isOurs = true;
        try
        {
            if (await TryReachAsync(connection, timeoutMs, cancel).ConfigureAwait(false) is { } unreached)
            {
                return unreached;
            }

            if (isPortEnough)
            {
                return place.IsForwarded && !await IsForwardedAsync(connection, cancel).ConfigureAwait(false)
                    ? new Attempt(place, false, ConnectFailure.Refused.Detail) { IsRefused = true }
                    : new Attempt(place, true, byItsWord ? "it said so itself" : "its port accepted a connection")
                    {
                        Connected = true,
                        ByItsWord = byItsWord,
                    };
            }

            isOurs = false;
            var fresh = await AskAsync(connection, starting ? _first : _last, timeoutMs, giveBack: starting, starting, cancel)
                .ConfigureAwait(false);
            return fresh
                ?? new Attempt(place, false, "closed the connection without an answer") { Connected = !place.IsForwarded, IsSilent = true };
        }
        finally
        {
            if (isOurs)
            {
                place.Discard(connection);
            }
        }
    }

    /// <summary>Connects, and looks who has accepted; null when it is the instance.</summary>
    private async Task<Attempt?> TryReachAsync(UpstreamConnection connection, int timeoutMs, CancellationToken cancel)
    {
        var place = connection.Pool;
        if (await new ProbeConnection(connection, time).ConnectAsync(timeoutMs, cancel).ConfigureAwait(false) is { } failure)
        {
            if (failure == ConnectFailure.Refused)
            {
                place.Trust?.Doubt(); // Nothing else says that nobody listens.
            }

            return new Attempt(place, false, failure.Detail) { IsRefused = failure == ConnectFailure.Refused, IsSilent = failure.IsLate };
        }

        if (place.Trust is { IsKnown: false } trust && await trust.LookAsync().ConfigureAwait(false) is { IsGood: false } finding)
        {
            return new Attempt(place, false, finding.Detail)
            {
                IsStranger = finding.Owner == ListenerOwner.Stranger,
                Unasked = finding.Owner == ListenerOwner.Nobody,
            };
        }

        return null;
    }

    /// <summary>
    /// Whether a connection that a forwarder accepted leads to somebody: at once when the instance itself accepts one. That it refuses
    /// proves nothing, for its address may mean another machine here; then the forwarder's own connection decides.
    /// </summary>
    private async Task<bool> IsForwardedAsync(UpstreamConnection connection, CancellationToken cancel)
    {
        if (target.Behind is { } behind && StreamTransport.Chosen.TryCreate(behind.AddressFamily, fromReserve: true) is { } socket)
        {
            using var channel = new SocketChannel(socket, null);
            using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(ProbeLimits.ForwardedMs), time);
            using var onLate = late.Token.UnsafeRegister(static state => ((SocketChannel)state!).Abort(reset: false), channel);
            using var onCancel = cancel.UnsafeRegister(static state => ((SocketChannel)state!).Abort(reset: false), channel);
            bool isDirect = await channel.ConnectAsync(behind).ConfigureAwait(false) >= 0;
            cancel.ThrowIfCancellationRequested();
            if (isDirect)
            {
                return true;
            }
        }

        return await new ProbeConnection(connection, time).StaysOpenAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>
    /// Asks over one connection, which is the pool's or closed afterwards; null when it ended before a byte of an answer.
    /// </summary>
    private async Task<Attempt?> AskAsync(
        UpstreamConnection connection,
        byte[] request,
        int timeoutMs,
        bool giveBack,
        bool starting,
        CancellationToken cancel
    )
    {
        var place = connection.Pool;
        bool reusable = false;
        try
        {
            var answer = await new ProbeConnection(connection, time).AskAsync(request, timeoutMs, cancel).ConfigureAwait(false);
            reusable = answer.Reusable && giveBack;
            return answer switch
            {
                { IsLate: true } => new Attempt(place, false, $"GET {target.Rule.Path} got no answer within {timeoutMs} ms")
                {
                    Connected = true,
                    IsSilent = true,
                    Remedy = target.Rule.Remedy(0),
                },
                { Status: 0 } => null,
                { Status: < 0 } => new Attempt(place, false, answer.Other ?? "sent no HTTP response")
                {
                    Connected = true,
                    Remedy = target.Rule.Remedy(0),
                },
                _ => Judge(place, answer.Status, starting),
            };
        }
        finally
        {
            if (reusable)
            {
                place.Return(connection);
            }
            else
            {
                place.Discard(connection);
            }
        }
    }

    private Attempt Judge(UpstreamPool place, int status, bool starting)
    {
        bool byItsWord = starting && _word.Task.IsCompleted;
        if (byItsWord || _watch == HealthWatch.Port)
        {
            return new Attempt(place, true, $"it answers HTTP on port {PortOf(place)}") { Connected = true, ByItsWord = byItsWord };
        }

        var verdict = target.Rule.Judge(status, _watch, byItsWord: _word.Task.IsCompleted);
        _watch = verdict.Watch;
        return new Attempt(place, verdict.Healthy, verdict.Words)
        {
            Connected = true,
            Remedy = verdict.Healthy ? "" : target.Rule.Remedy(status),
        };
    }

    private static string PortOf(UpstreamPool place) =>
        place.Endpoint is IPEndPoint at ? at.Port.ToString(CultureInfo.InvariantCulture) : place.Endpoint.ToString() ?? "";

    /// <summary>What came of one check.</summary>
    /// <param name="Place">Where it was made; null when none was.</param>
    /// <param name="Healthy">Whether it counts as healthy.</param>
    /// <param name="Detail">For people.</param>
    private readonly record struct Attempt(UpstreamPool? Place, bool Healthy, string Detail)
    {
        /// <summary>For people: what may be done about it.</summary>
        public string Remedy { get; init; } = "";

        /// <summary>Whether somebody accepted.</summary>
        public bool Connected { get; init; }

        /// <summary>Whether nobody listens.</summary>
        public bool IsRefused { get; init; }

        /// <summary>Whether there was no answer at all.</summary>
        public bool IsSilent { get; init; }

        /// <summary>Whether the instance's own word was enough.</summary>
        public bool ByItsWord { get; init; }

        /// <summary>Whether somebody else accepts there; looked at anew every millisecond it would not become another.</summary>
        public bool IsStranger { get; init; }

        /// <summary>
        /// Whether nobody could be asked, for want of a descriptor, or because it cannot be found out in this moment who has accepted.
        /// </summary>
        public bool Unasked { get; init; }
    }
}
