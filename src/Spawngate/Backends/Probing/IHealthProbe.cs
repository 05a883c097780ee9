using System.Net;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>What a health probe asks, and where.</summary>
/// <param name="EndPoint">Where the instance listens.</param>
/// <param name="Host">Value of the Host header.</param>
/// <param name="Path">Path to ask for; empty means that accepting a TCP connection is healthy.</param>
/// <param name="RetryIntervalMs">Milliseconds between attempts while starting, once the quick phase is over.</param>
internal sealed record ProbeTarget(IPEndPoint EndPoint, string Host, string Path, int RetryIntervalMs)
{
    /// <summary>
    /// Whether somebody listens there in the place of the instance, as Docker does for a container: a connection is accepted then before
    /// the instance listens, and closed again at once.
    /// </summary>
    public bool IsForwarded { get; init; }

    /// <summary>Where the forwarder passes on to, if that can be asked too; null otherwise.</summary>
    public IPEndPoint? Behind { get; init; }

    /// <summary>Whether it is the instance that listens there: before it is known nothing is sent. Null when nobody can tell.</summary>
    public ListenerTrust? Trust { get; init; }
}

/// <summary>Outcome of one health check.</summary>
/// <param name="Healthy">Whether it counts as healthy.</param>
/// <param name="Detail">For people: <c>status 500</c>, <c>connection refused</c>.</param>
internal readonly record struct ProbeResult(bool Healthy, string Detail)
{
    /// <summary>
    /// False when this side could not even ask, for want of a descriptor or of knowing who listens: that says nothing about the instance.
    /// </summary>
    public bool WasAsked { get; init; } = true;
}

/// <summary>Health checks of one instance: real sockets, or a script in tests. Used by one caller at a time.</summary>
internal interface IHealthProbe : IDisposable
{
    /// <summary>Asks until the instance is healthy; returns only then.</summary>
    /// <param name="listening">Called once, when the first TCP connection is accepted.</param>
    /// <param name="cancel">Ends the wait with <see cref="OperationCanceledException"/>.</param>
    Task WaitUntilReadyAsync(Action listening, CancellationToken cancel);

    /// <summary>Asks once.</summary>
    /// <param name="timeoutMs">Milliseconds the check may take; past it, it is unhealthy.</param>
    /// <param name="cancel">Ends the check with <see cref="OperationCanceledException"/>.</param>
    Task<ProbeResult> CheckAsync(int timeoutMs, CancellationToken cancel);

    /// <summary>Detail of the latest check, for the message when a start takes too long; null before the first.</summary>
    string? LastDetail { get; }
}
