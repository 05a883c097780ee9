namespace Spawngate.Telemetry;

/// <summary>How many records of requests were written and dropped, of the access log or of traces.</summary>
internal sealed class RecordCounts
{
    private long _written;
    private long _dropped;
    private RecordBuffers? _buffers;

    /// <summary>Records that were written.</summary>
    public long Written => Interlocked.Read(ref _written);

    /// <summary>Records that were dropped.</summary>
    public long Dropped => Interlocked.Read(ref _dropped) + (Volatile.Read(ref _buffers)?.Dropped ?? 0);

    /// <summary>The buffers that count what does not fit.</summary>
    public RecordBuffers? Buffers
    {
        set => Volatile.Write(ref _buffers, value);
    }

    /// <summary>Counts records that were written.</summary>
    public void AddWritten(int records) => Interlocked.Add(ref _written, records);

    /// <summary>Counts records that were dropped after they were kept.</summary>
    public void AddDropped(int records) => Interlocked.Add(ref _dropped, records);
}
