using System.Net;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>What a health probe asks, and where.</summary>
/// <param name="Places">
/// The connections to where the instance is to listen, one pool for each address, those that are tried first in front.
/// </param>
/// <param name="Host">Value of the Host header.</param>
/// <param name="Rule">What is asked, and what the answer means.</param>
/// <param name="RetryIntervalMs">Milliseconds between attempts while starting, once the quick phase is over.</param>
internal sealed record ProbeTarget(IReadOnlyList<UpstreamPool> Places, string Host, HealthRule Rule, int RetryIntervalMs)
{
    /// <summary>The first of the places.</summary>
    public UpstreamPool Place => Places[0];

    /// <summary>Where a forwarder passes on to, if that can be asked too; null otherwise.</summary>
    public IPEndPoint? Behind { get; init; }

    /// <summary>Where else the instance listens, for one that ignores the port it was told; null when that is not looked for.</summary>
    public OtherPorts? Others { get; init; }
}

/// <summary>A start is ready.</summary>
/// <param name="Place">Where it is reached; null when nobody looked.</param>
/// <param name="Words">For people: how that was judged.</param>
internal sealed record ReadyFinding(UpstreamPool? Place, string Words)
{
    /// <summary>Whether it said so itself, and the probe has only seen that it listens.</summary>
    public bool ByItsWord { get; init; }
}

/// <summary>Outcome of one health check.</summary>
/// <param name="Healthy">Whether it counts as healthy.</param>
/// <param name="Detail">For people: <c>GET /health answered 500</c>, <c>connection refused</c>.</param>
internal readonly record struct ProbeResult(bool Healthy, string Detail)
{
    /// <summary>
    /// False when this side could not even ask, for want of a descriptor or of knowing who listens: that says nothing about the instance.
    /// </summary>
    public bool WasAsked { get; init; } = true;

    /// <summary>Whether nobody listens: an instance that restarts itself, or is about to end.</summary>
    public bool IsRefused { get; init; }

    /// <summary>Whether there was no answer at all: an instance that hangs, or is busy with somebody else.</summary>
    public bool IsSilent { get; init; }
}

/// <summary>Health checks of one instance: real sockets, or a script in tests. Used by one caller at a time.</summary>
internal interface IHealthProbe : IDisposable
{
    /// <summary>Asks until the instance is healthy; returns only then.</summary>
    /// <param name="listening">Called once, when the first TCP connection is accepted.</param>
    /// <param name="cancel">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    Task<ReadyFinding> WaitUntilReadyAsync(Action listening, CancellationToken cancel);

    /// <summary>
    /// The instance says that it is ready: from now on <see cref="WaitUntilReadyAsync"/> only looks for where it listens. From any thread.
    /// </summary>
    void TakeItsWord();

    /// <summary>Asks once, where the instance was found to be ready.</summary>
    /// <param name="timeoutMs">Milliseconds the check may take; past it, it is unhealthy.</param>
    /// <param name="cancel">Ends the check with <see cref="OperationCanceledException"/>.</param>
    Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel);

    /// <summary>Detail of the latest check, for the message when a start takes too long; null before the first.</summary>
    string? LastDetail { get; }
}
