namespace Spawngate.Clients.Http2;

/// <summary>
/// The streams that have data but must wait for room in the output: the most urgent first (RFC 9218 section 10), those of equal urgency in
/// turns of one frame.
/// </summary>
internal sealed class Http2Scheduler
{
    private const int Urgencies = 8;

    private readonly StreamSender?[] _first = new StreamSender?[Urgencies];
    private readonly StreamSender?[] _last = new StreamSender?[Urgencies];
    private uint _waiting;

    /// <summary>True when a stream that is as urgent, or more, waits already: who comes now stands behind it.</summary>
    public bool HasWaiting(int urgency) => (_waiting & ((2u << urgency) - 1)) != 0;

    /// <summary>Adds a stream behind the others of its urgency.</summary>
    public void Add(StreamSender stream)
    {
        int urgency = stream.QueuedUrgency = stream.Urgency;
        stream.NextWaiting = null;
        if (_last[urgency] is { } last)
        {
            last.NextWaiting = stream;
        }
        else
        {
            _first[urgency] = stream;
        }

        _last[urgency] = stream;
        _waiting |= 1u << urgency;
    }

    /// <summary>Takes a stream out of the line, wherever it stands: it is going to be another.</summary>
    public void Remove(StreamSender stream)
    {
        int urgency = stream.QueuedUrgency;
        StreamSender? before = null;
        for (var at = _first[urgency]; at is not null && at != stream; at = at.NextWaiting)
        {
            before = at;
        }

        if (before is null)
        {
            _first[urgency] = stream.NextWaiting;
        }
        else
        {
            before.NextWaiting = stream.NextWaiting;
        }

        if (_last[urgency] == stream)
        {
            _last[urgency] = before;
        }

        if (_first[urgency] is null)
        {
            _waiting &= ~(1u << urgency);
        }

        stream.NextWaiting = null;
    }

    /// <summary>Takes the stream whose turn it is; null when none waits.</summary>
    public StreamSender? Take()
    {
        if (_waiting == 0)
        {
            return null;
        }

        int urgency = System.Numerics.BitOperations.TrailingZeroCount(_waiting);
        var stream = _first[urgency]!;
        _first[urgency] = stream.NextWaiting;
        if (stream.NextWaiting is null)
        {
            _last[urgency] = null;
            _waiting &= ~(1u << urgency);
        }

        stream.NextWaiting = null;
        return stream;
    }
}
