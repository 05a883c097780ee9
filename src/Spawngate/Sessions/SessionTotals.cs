using Spawngate.Telemetry;

namespace Spawngate.Sessions;

/// <summary>What is counted of all sessions of one template since the gateway started.</summary>
/// <param name="template">Its name; <see cref="NoTemplate"/> for those that a call made of an image alone.</param>
internal sealed class SessionTotals(string template)
{
    /// <summary>Stands for no template.</summary>
    public const string NoTemplate = "-";

    private long _created;
    private long _swept;
    private long _failed;

    /// <summary>Name of the template.</summary>
    public string Template => template;

    /// <summary>What went through them.</summary>
    public BackendTraffic Traffic { get; } = new();

    /// <summary>Sessions that were made.</summary>
    public long Created => Interlocked.Read(ref _created);

    /// <summary>Those that were swept.</summary>
    public long Swept => Interlocked.Read(ref _swept);

    /// <summary>Those that failed.</summary>
    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>One was made.</summary>
    public void CountCreated() => Interlocked.Increment(ref _created);

    /// <summary>One has ended.</summary>
    public void CountEnded(SessionState state) => Interlocked.Increment(ref state == SessionState.Failed ? ref _failed : ref _swept);
}

/// <summary>The same with what lives at this moment.</summary>
/// <param name="Totals">What is counted.</param>
/// <param name="States">Living sessions by state, as numbered.</param>
/// <param name="InFlight">Their open requests and tunnels.</param>
/// <param name="PassiveCount">Those of them that do not keep them awake.</param>
/// <param name="Waiting">Requests that wait for them.</param>
internal sealed record SessionNumbers(SessionTotals Totals, int[] States, int InFlight, int PassiveCount, int Waiting);
