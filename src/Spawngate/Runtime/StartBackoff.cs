namespace Spawngate.Runtime;

/// <summary>Counts failed starts in a row and says how long the next one waits: not at all after the first, then 1, 2, 4 … 30 s.</summary>
internal sealed class StartBackoff
{
    /// <summary>Failures in a row.</summary>
    public int Failures { get; private set; }

    /// <summary>Counts a failure. Returns the milliseconds until a request may start the backend again.</summary>
    public int Fail()
    {
        Failures = Math.Min(Failures + 1, 1_000_000);
        return WaitSecs(Failures) * 1000;
    }

    /// <summary>Forgets the failures.</summary>
    public void Reset() => Failures = 0;

    /// <summary>Seconds to wait after so many failures in a row.</summary>
    public static int WaitSecs(int failures) =>
        failures <= 1 ? 0 : Math.Min(RuntimeLimits.RetryWaitSecsMax, 1 << Math.Min(failures - 2, 16));
}
