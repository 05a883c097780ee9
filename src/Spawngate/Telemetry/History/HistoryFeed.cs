using System.Threading.Channels;

namespace Spawngate.Telemetry.History;

/// <summary>One event and whose it is, or that the set of backends has changed.</summary>
/// <param name="Hostname">Key of the backend; empty when any of them may have changed.</param>
/// <param name="Entry">The event; null when the backend has gone, or any of them.</param>
internal sealed record HistoryNews(string Hostname, HistoryEvent? Entry)
{
    /// <summary>The set of backends has changed.</summary>
    public static HistoryNews Reloaded { get; } = new("", null);
}

/// <summary>Passes the events of all histories on to those who read along. Nobody who publishes ever waits.</summary>
internal sealed class HistoryFeed
{
    private readonly Lock _gate = new();
    private HistoryReader[] _readers = [];

    /// <summary>Adds a reader; null when there are <see cref="HistoryLimits.HistoryReaders"/> already. Dispose it to stop.</summary>
    public HistoryReader? Read()
    {
        lock (_gate)
        {
            if (_readers.Length >= HistoryLimits.HistoryReaders)
            {
                return null;
            }

            var reader = new HistoryReader(this);
            Volatile.Write(ref _readers, [.. _readers, reader]);
            return reader;
        }
    }

    /// <summary>Tells all readers.</summary>
    public void Publish(HistoryNews news)
    {
        foreach (var reader in Volatile.Read(ref _readers))
        {
            reader.Offer(news);
        }
    }

    /// <summary>Takes a reader out.</summary>
    internal void Leave(HistoryReader reader)
    {
        lock (_gate)
        {
            Volatile.Write(ref _readers, [.. _readers.Where(other => !ReferenceEquals(other, reader))]);
        }
    }
}

/// <summary>One who reads along; who is too slow misses events and is told.</summary>
internal sealed class HistoryReader : IDisposable
{
    private readonly HistoryFeed _feed;
    private readonly Channel<HistoryNews> _channel = Channel.CreateBounded<HistoryNews>(
        new BoundedChannelOptions(HistoryLimits.HistoryReaderEvents) { SingleReader = true, AllowSynchronousContinuations = false }
    );

    private int _missed;

    internal HistoryReader(HistoryFeed feed) => _feed = feed;

    /// <summary>The events.</summary>
    public ChannelReader<HistoryNews> News => _channel.Reader;

    /// <summary>Whether events were missed since the last call.</summary>
    public bool TakeMissed() => Interlocked.Exchange(ref _missed, 0) != 0;

    /// <inheritdoc/>
    public void Dispose() => _feed.Leave(this);

    internal void Offer(HistoryNews news)
    {
        if (!_channel.Writer.TryWrite(news))
        {
            Volatile.Write(ref _missed, 1);
        }
    }
}
