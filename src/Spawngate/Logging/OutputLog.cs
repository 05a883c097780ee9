using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using Spawngate.Runtime;

namespace Spawngate.Logging;

/// <summary>Receives the lines that all backends write.</summary>
internal interface IOutputSink
{
    /// <summary>One line, clean (see <see cref="ILineSink"/>). The memory is valid during the call only. Must not block or throw.</summary>
    void OnLine(string hostname, OutputStream stream, ReadOnlyMemory<byte> line);
}

/// <summary>
/// The last lines of output of each backend, kept across its starts, to be read and followed by the admin API. Bounded for each and for all
/// together: then those that have written nothing for longest lose their oldest lines. Thread-safe.
/// </summary>
internal sealed class OutputLog : IOutputSink
{
    private readonly ConcurrentDictionary<string, BackendOutput> _backends = new(StringComparer.Ordinal);
    private readonly MemoryBudget _budget = new(LoggingLimits.OutputLogTotalBytes, LoggingLimits.OutputLogRestBytes);
    private readonly TimeProvider _time;

    /// <summary>Makes an empty one.</summary>
    public OutputLog(TimeProvider time)
    {
        _time = time;
        _budget.Members = () => _backends.Values;
    }

    /// <inheritdoc/>
    public void OnLine(string hostname, OutputStream stream, ReadOnlyMemory<byte> line) =>
        _budget.OnGrown(Of(hostname).Append(_budget.NextAdded(), _time.GetUtcNow(), stream, line.Span));

    /// <summary>The last lines of a backend, oldest first; empty when it wrote none.</summary>
    public IReadOnlyList<OutputLine> Snapshot(string hostname) =>
        _backends.TryGetValue(hostname, out BackendOutput? output) ? output.Snapshot() : [];

    /// <summary>The last line of a backend; null when it wrote none.</summary>
    public OutputLine? Last(string hostname) => _backends.TryGetValue(hostname, out BackendOutput? output) ? output.Last() : null;

    /// <summary>The last lines of a backend and then every new one, without a gap between them.</summary>
    /// <returns>Null when the backend already has <see cref="LoggingLimits.OutputFollowers"/> followers.</returns>
    public OutputFollower? Follow(string hostname) => Of(hostname).Follow();

    /// <summary>Forgets a backend that was removed, and ends its followers.</summary>
    public void Remove(string hostname)
    {
        if (_backends.TryRemove(hostname, out BackendOutput? output))
        {
            output.End();
        }
    }

    private BackendOutput Of(string hostname) =>
        _backends.TryGetValue(hostname, out BackendOutput? output) ? output : _backends.GetOrAdd(hostname, static _ => new BackendOutput());

    /// <summary>What is kept of one backend.</summary>
    internal sealed class BackendOutput : IShortenable
    {
        private readonly Lock _gate = new();
        private readonly LineRing _ring = new(LoggingLimits.OutputLogLines, LoggingLimits.OutputLogBytes);
        private OutputFollower[] _followers = [];
        private long _lastAdded;

        /// <inheritdoc/>
        public long LastAdded => Volatile.Read(ref _lastAdded);

        /// <inheritdoc/>
        public int HeldBytes
        {
            get
            {
                lock (_gate)
                {
                    return _ring.Bytes;
                }
            }
        }

        /// <inheritdoc/>
        public void Shorten(int bytes)
        {
            lock (_gate)
            {
                _ring.Trim(bytes);
            }
        }

        /// <summary>Adds a line and passes it to the followers. Returns by how many bytes this has grown.</summary>
        public int Append(long added, DateTimeOffset at, OutputStream stream, ReadOnlySpan<byte> line)
        {
            lock (_gate)
            {
                Volatile.Write(ref _lastAdded, added);
                int before = _ring.Bytes;
                _ring.Append(at, stream, line);
                int grown = _ring.Bytes - before;
                if (_followers.Length == 0)
                {
                    return grown;
                }

                var copy = new OutputLine(at, stream, Encoding.UTF8.GetString(line));
                foreach (OutputFollower follower in _followers)
                {
                    follower.Offer(copy);
                }

                return grown;
            }
        }

        /// <summary>The lines held.</summary>
        public OutputLine[] Snapshot()
        {
            lock (_gate)
            {
                return _ring.ToArray();
            }
        }

        /// <summary>The last of them; null when there is none.</summary>
        public OutputLine? Last()
        {
            lock (_gate)
            {
                return _ring.Count == 0 ? null : _ring.Last();
            }
        }

        /// <summary>Adds a follower.</summary>
        public OutputFollower? Follow()
        {
            lock (_gate)
            {
                if (_followers.Length >= LoggingLimits.OutputFollowers)
                {
                    return null;
                }

                var follower = new OutputFollower(this, _ring.ToArray());
                _followers = [.. _followers, follower];
                return follower;
            }
        }

        /// <summary>Takes a follower out.</summary>
        public void Leave(OutputFollower follower)
        {
            lock (_gate)
            {
                _followers = [.. _followers.Where(other => !ReferenceEquals(other, follower))];
            }
        }

        /// <summary>Ends all followers.</summary>
        public void End()
        {
            lock (_gate)
            {
                foreach (OutputFollower follower in _followers)
                {
                    follower.Complete();
                }

                _followers = [];
            }
        }
    }
}

/// <summary>One reader that follows the output of a backend. Dispose it to stop.</summary>
internal sealed class OutputFollower : IDisposable
{
    private readonly OutputLog.BackendOutput _output;
    private readonly Channel<OutputLine> _channel = Channel.CreateBounded<OutputLine>(
        new BoundedChannelOptions(LoggingLimits.OutputFollowLines) { SingleReader = true, AllowSynchronousContinuations = false }
    );

    private long _dropped;

    internal OutputFollower(OutputLog.BackendOutput output, IReadOnlyList<OutputLine> past)
    {
        _output = output;
        Past = past;
    }

    /// <summary>The lines from before, oldest first.</summary>
    public IReadOnlyList<OutputLine> Past { get; }

    /// <summary>The lines since; ends when the backend is removed.</summary>
    public ChannelReader<OutputLine> Lines => _channel.Reader;

    /// <summary>Lines this reader missed because it was too slow.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <inheritdoc/>
    public void Dispose()
    {
        _output.Leave(this);
        Complete();
    }

    internal void Offer(OutputLine line)
    {
        if (!_channel.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    internal void Complete() => _channel.Writer.TryComplete();
}
