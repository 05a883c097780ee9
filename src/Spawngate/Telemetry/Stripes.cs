namespace Spawngate.Telemetry;

/// <summary>
/// Counters that many threads add to at once without meeting: each thread has a row of its own, or shares one with few others. Adding is
/// one uncontended atomic operation; only reading walks the rows.
/// </summary>
/// <remarks>
/// <code>
///   row 0: cell 0, cell 1, … │ room to the next cache line │ row 1: …
/// </code>
/// </remarks>
internal sealed class Stripes
{
    private const int CellsPerLine = 64 / sizeof(long);

    private static readonly int RowCount = RowsFor(Environment.ProcessorCount);
    private static int s_threads;

    [ThreadStatic]
    private static int t_row;

    private readonly long[] _cells;
    private readonly int _rowCells;

    /// <summary>Makes counters that are all 0.</summary>
    /// <param name="count">How many.</param>
    public Stripes(int count)
    {
        // A line between the rows, since the array does not begin at one.
        _rowCells = ((count + CellsPerLine - 1) / CellsPerLine * CellsPerLine) + CellsPerLine;
        _cells = new long[RowCount * _rowCells];
    }

    /// <summary>Bytes of the cells.</summary>
    public int Bytes => _cells.Length * sizeof(long);

    /// <summary>The row of this thread, for adding.</summary>
    public int Row
    {
        get
        {
            int row = t_row;
            return (row != 0 ? row - 1 : AssignRow()) * _rowCells;
        }
    }

    /// <summary>Adds to a counter.</summary>
    /// <param name="row">The result of <see cref="Row"/> on this thread.</param>
    /// <param name="cell">Which counter.</param>
    /// <param name="value">How much.</param>
    public void Add(int row, int cell, long value) => Interlocked.Add(ref _cells[row + cell], value);

    /// <summary>Adds to a counter.</summary>
    public void Add(int cell, long value) => Add(Row, cell, value);

    /// <summary>Reads a counter.</summary>
    public long Read(int cell)
    {
        long sum = 0;
        for (int row = 0; row < _cells.Length; row += _rowCells)
        {
            sum += Volatile.Read(ref _cells[row + cell]);
        }

        return sum;
    }

    /// <summary>A power of two that gives each processor a row, up to a bound.</summary>
    public static int RowsFor(int processors) =>
        (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(processors, 1, TelemetryLimits.MetricRowsMax));

    private static int AssignRow()
    {
        int row = (Interlocked.Increment(ref s_threads) - 1) & (RowCount - 1);
        t_row = row + 1;
        return row;
    }
}
