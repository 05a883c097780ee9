namespace Spawngate.Backends;

/// <summary>
/// The lease of one instance: its own word, by the busy URL, that it works although nobody has a request open at it. While it holds the
/// backend is in use; the idle clock goes on from its end. It ends with the instance.
/// </summary>
/// <param name="UntilMs">When it ends, on the coarse clock.</param>
/// <param name="RenewedAt">When the instance last said so.</param>
internal sealed record LeaseTerm(long UntilMs, DateTimeOffset RenewedAt)
{
    /// <summary>True while it holds.</summary>
    public bool Holds(long nowMs) => nowMs < UntilMs;

    /// <summary>Seconds left while it holds, of a part of one the whole; null when it does not.</summary>
    public int? SecsLeft(long nowMs) => Holds(nowMs) ? (int)((UntilMs - nowMs + 999) / 1000) : null;

    /// <summary>For people: <c>a lease of 40 s more, renewed at 12:00:00Z</c>; null when it does not hold.</summary>
    public string? Words(long nowMs) => SecsLeft(nowMs) is { } secs ? Words(secs, RenewedAt) : null;

    /// <summary>The same for one of which so much is known.</summary>
    public static string Words(int secsLeft, DateTimeOffset renewedAt) =>
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $"a lease of {secsLeft} s more, renewed at {renewedAt.UtcDateTime:HH:mm:ss}Z"
        );
}

/// <summary>What the busy URL answers.</summary>
internal enum LeaseOutcome
{
    /// <summary>It holds from now on for as long as was asked for, or has ended if that was 0.</summary>
    Accepted,

    /// <summary>The token is not that of the current instance of a backend.</summary>
    Unauthorised,

    /// <summary>The instance is being stopped, and a lease does not put that off.</summary>
    Stopping,

    /// <summary>So many messages wait for the backend that it takes no more.</summary>
    TooMany,
}

/// <summary>A lease as it was asked for, and who waits for the answer.</summary>
/// <param name="secs">Seconds from now; 0 to end it.</param>
internal sealed class LeaseCall(int secs)
{
    private readonly TaskCompletionSource<LeaseOutcome> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Seconds from now; 0 to end it.</summary>
    public int Secs => secs;

    /// <summary>Completes, never faulted, with the answer.</summary>
    public Task<LeaseOutcome> Answer => _answer.Task;

    /// <summary>Answers, unless that was done.</summary>
    public void Complete(LeaseOutcome outcome) => _answer.TrySetResult(outcome);
}
