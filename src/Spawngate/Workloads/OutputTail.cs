using Spawngate.Logging;

namespace Spawngate.Workloads;

/// <summary>
/// The last lines of both streams of an instance, for the report of its end. Each stream has a bound of its own, so that a program that
/// logs much to one does not push out what it said on the other. Written by one thread at a time.
/// </summary>
internal sealed class OutputTail
{
    private readonly LineRing _stdout = new(WorkloadLimits.StdoutTailLines, WorkloadLimits.StdoutTailBytes);
    private readonly LineRing _stderr = new(WorkloadLimits.StderrTailLines, WorkloadLimits.StderrTailBytes);
    private long _count;

    /// <summary>Adds a line.</summary>
    public void Append(OutputStream stream, ReadOnlySpan<byte> line)
    {
        // A number in the place of the time: lines of the same moment keep their order.
        var ring = stream == OutputStream.Stdout ? _stdout : _stderr;
        ring.Append(new DateTimeOffset(++_count, TimeSpan.Zero), stream, line);
    }

    /// <summary>The lines, in the order in which they were read.</summary>
    public IReadOnlyList<StreamLine> ToArray() =>
        [
            .. _stdout
                .ToArray()
                .Concat(_stderr.ToArray())
                .OrderBy(static line => line.Time)
                .Select(static line => new StreamLine(line.Stream, line.Text)),
        ];
}
