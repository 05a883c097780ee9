namespace Spawngate.Telemetry;

/// <summary>When what happened to a request: what is measured, logged and traced of it.</summary>
internal abstract class RequestTimings
{
    /// <summary>Exact time at which the request was routed.</summary>
    public long BegunTimestamp { get; set; }

    /// <summary>Exact time at which its head had been sent to the backend; 0 before.</summary>
    public long SentTimestamp { get; set; }

    /// <summary>Exact time at which the head of the final response had been received; 0 before.</summary>
    public long AnsweredTimestamp { get; set; }

    /// <summary>Exact time at which it was held for the first time; 0 when it was not.</summary>
    public long QueuedTimestamp { get; set; }

    /// <summary>The start that it was held for; all 0 without one, also when it was held for room only.</summary>
    public StartSteps Start { get; set; }

    /// <summary>Exact time at which a connection to the backend was begun; 0 when one was there.</summary>
    public long ConnectTimestamp { get; set; }

    /// <summary>Ticks that this took.</summary>
    public long ConnectTicks { get; set; }

    /// <summary>Ticks that it was held until the backend was ready; 0 when it was not.</summary>
    public long HeldTicks { get; set; }

    /// <summary>It was held, once more or for the first time.</summary>
    /// <param name="fromTimestamp">Since when.</param>
    /// <param name="toTimestamp">Until when.</param>
    /// <param name="start">The start of the run that it was admitted to; one that was over before is not what it was held for.</param>
    public void Hold(long fromTimestamp, long toTimestamp, StartSteps start)
    {
        HeldTicks += toTimestamp - fromTimestamp;
        QueuedTimestamp = QueuedTimestamp == 0 ? fromTimestamp : QueuedTimestamp;
        Start = start.Ready > fromTimestamp ? start : default;
    }

    /// <summary>Forgets the last request.</summary>
    protected void ResetTimings()
    {
        BegunTimestamp = SentTimestamp = AnsweredTimestamp = HeldTicks = 0;
        QueuedTimestamp = ConnectTimestamp = ConnectTicks = 0;
        Start = default;
    }
}
