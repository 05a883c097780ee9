using System.Threading.Channels;

namespace Spawngate.Ledger;

/// <summary>One event and whose it is, or that the set of backends has changed.</summary>
/// <param name="Hostname">Key of the backend; empty when any of them may have changed.</param>
/// <param name="Entry">The event; null when the backend has gone, or any of them.</param>
internal sealed record LedgerNews(string Hostname, LedgerEvent? Entry)
{
    /// <summary>The set of backends has changed.</summary>
    public static LedgerNews Reloaded { get; } = new("", null);
}

/// <summary>Passes the events of all ledgers on to those who read along. Nobody who publishes ever waits.</summary>
internal sealed class LedgerFeed
{
    private readonly Lock _gate = new();
    private LedgerReader[] _readers = [];

    /// <summary>Adds a reader; null when there are <see cref="Limits.LedgerReaders"/> already. Dispose it to stop.</summary>
    public LedgerReader? Read()
    {
        lock (_gate)
        {
            if (_readers.Length >= Limits.LedgerReaders)
            {
                return null;
            }

            var reader = new LedgerReader(this);
            Volatile.Write(ref _readers, [.. _readers, reader]);
            return reader;
        }
    }

    /// <summary>Tells all readers.</summary>
    public void Publish(LedgerNews news)
    {
        foreach (var reader in Volatile.Read(ref _readers))
        {
            reader.Offer(news);
        }
    }

    /// <summary>Takes a reader out.</summary>
    internal void Leave(LedgerReader reader)
    {
        lock (_gate)
        {
            Volatile.Write(ref _readers, [.. _readers.Where(other => !ReferenceEquals(other, reader))]);
        }
    }
}

/// <summary>One who reads along; who is too slow misses events and is told.</summary>
internal sealed class LedgerReader : IDisposable
{
    private readonly LedgerFeed _feed;
    private readonly Channel<LedgerNews> _channel = Channel.CreateBounded<LedgerNews>(
        new BoundedChannelOptions(Limits.LedgerReaderEvents) { SingleReader = true, AllowSynchronousContinuations = false });

    private int _missed;

    internal LedgerReader(LedgerFeed feed) => _feed = feed;

    /// <summary>The events.</summary>
    public ChannelReader<LedgerNews> News => _channel.Reader;

    /// <summary>Whether events were missed since the last call.</summary>
    public bool TakeMissed() => Interlocked.Exchange(ref _missed, 0) != 0;

    /// <inheritdoc/>
    public void Dispose() => _feed.Leave(this);

    internal void Offer(LedgerNews news)
    {
        if (!_channel.Writer.TryWrite(news))
        {
            Volatile.Write(ref _missed, 1);
        }
    }
}
