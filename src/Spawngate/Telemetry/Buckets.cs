namespace Spawngate.Telemetry;

/// <summary>The bounds of a histogram of times.</summary>
internal sealed class Buckets
{
    private readonly long[] _ticks;

    /// <summary>Takes bounds in seconds, in rising order, without the last one, which is infinite.</summary>
    public Buckets(params double[] seconds)
    {
        Seconds = seconds;
        _ticks = Array.ConvertAll(seconds, static bound => (long)(bound * TimeProvider.System.TimestampFrequency));
    }

    /// <summary>What the gateway itself adds to a request: from 10 µs, where a good one lies, to where something is wrong.</summary>
    public static Buckets Overhead { get; } =
        new(0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1);

    /// <summary>How long backends take to answer.</summary>
    public static Buckets Upstream { get; } = new(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10);

    /// <summary>How long starts take, and how long requests wait for them.</summary>
    public static Buckets Starts { get; } = new(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60);

    /// <summary>The bounds in seconds.</summary>
    public double[] Seconds { get; }

    /// <summary>Cells of a histogram: one per bucket, the infinite one included, and the sum.</summary>
    public int Cells => _ticks.Length + 2;

    /// <summary>The cell of the sum, in ticks.</summary>
    public int SumCell => _ticks.Length + 1;

    /// <summary>The bucket of a time.</summary>
    public int Find(long ticks)
    {
        int bucket = 0;
        while (bucket < _ticks.Length && ticks > _ticks[bucket])
        {
            bucket++;
        }

        return bucket;
    }
}

/// <summary>A histogram of times on cells of its own.</summary>
/// <param name="buckets">Its bounds.</param>
internal sealed class TimeHistogram(Buckets buckets)
{
    private readonly Stripes _cells = new(buckets.Cells);

    /// <summary>Its bounds.</summary>
    public Buckets Buckets => buckets;

    /// <summary>Counts a time.</summary>
    public void Observe(long ticks)
    {
        int row = _cells.Row;
        _cells.Add(row, buckets.Find(ticks), 1);
        _cells.Add(row, buckets.SumCell, ticks);
    }

    /// <summary>Counts a time in milliseconds.</summary>
    public void ObserveMs(double ms) => Observe((long)(ms * TimeProvider.System.TimestampFrequency / 1000));

    /// <summary>Times in one bucket, or the sum of all in ticks.</summary>
    public long Read(int cell) => _cells.Read(cell);
}
