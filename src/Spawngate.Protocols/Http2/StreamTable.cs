namespace Spawngate.Protocols.Http2;

/// <summary>One stream that has a slot.</summary>
public struct Http2Stream
{
    /// <summary>Its id.</summary>
    public int Id { get; internal set; }

    /// <summary>Its state.</summary>
    public StreamState State { get; internal set; }

    /// <summary>How it was closed.</summary>
    public ClosedBy ClosedBy { get; internal set; }

    /// <summary>Its priority.</summary>
    public StreamPriority Priority { get; internal set; }

    /// <summary>True for an extended CONNECT (RFC 8441).</summary>
    public bool IsTunnel { get; internal set; }

    /// <summary>True once the final response head was written.</summary>
    public bool HasResponse { get; internal set; }

    /// <summary>
    /// True when its response is complete and nobody wants its body: what comes of it is thrown away until it ends, or is released.
    /// </summary>
    public bool Lingers { get; internal set; }

    /// <summary>Bytes of data that were given to the caller and not consumed.</summary>
    public int HeldBytes { get; internal set; }

    /// <summary>True when we may send HEADERS and DATA.</summary>
    public readonly bool MaySend => StreamRules.MaySend(State);

    internal SendWindow Send;
    internal ReceiveWindow Receive;

    /// <summary>Bytes of the body that Content-Length still promises; -1 when there is none.</summary>
    internal long BodyLeft;

    /// <summary>Next slot, plus one, with the same bucket; of a free slot, the next free one.</summary>
    internal int Next;
}

/// <summary>
/// The streams of a connection by slot, found by id through chains, and the last closed ones. Ids of clients are odd and grow by two, so
/// the chains are of length one unless streams stay open while hundreds pass.
/// </summary>
internal sealed class StreamTable
{
    private const int Buckets = 256;
    private const int IdsPerBucketStep = 2;

    private readonly short[] _heads = new short[Buckets];
    private readonly int[] _closedIds = new int[CodecLimits.ClosedStreamsMax];
    private readonly (ClosedBy By, int Allowance)[] _closed = new (ClosedBy, int)[CodecLimits.ClosedStreamsMax];
    private Http2Stream[] _slots = new Http2Stream[CodecLimits.StreamSlotsMin];
    private int _used;
    private int _free;
    private int _nextClosed;

    /// <summary>Slots that were ever used: every stream is in one below this.</summary>
    public int End => _used;

    /// <summary>The stream in a slot.</summary>
    public ref Http2Stream this[int slot] => ref _slots[slot];

    /// <summary>True when the slot holds a stream.</summary>
    public bool IsUsed(int slot) => (uint)slot < (uint)_used && _slots[slot].Id != 0;

    /// <summary>The slot of a stream, or -1.</summary>
    public int Find(int id)
    {
        int slot = _heads[id / IdsPerBucketStep % Buckets] - 1;
        while (slot >= 0 && _slots[slot].Id != id)
        {
            slot = _slots[slot].Next - 1;
        }

        return slot;
    }

    /// <summary>A slot for a new stream, or -1 when all are taken.</summary>
    public int Add(int id)
    {
        int slot = _free - 1;
        if (slot >= 0)
        {
            _free = _slots[slot].Next;
        }
        else if (_used < _slots.Length || TryGrow())
        {
            slot = _used++;
        }
        else
        {
            return -1;
        }

        ref short head = ref _heads[id / IdsPerBucketStep % Buckets];
        _slots[slot] = new Http2Stream { Id = id, Next = head };
        head = (short)(slot + 1);
        return slot;
    }

    /// <summary>Frees a slot, and remembers how its stream ended.</summary>
    public void Remove(int slot)
    {
        ref var stream = ref _slots[slot];
        Remember(stream.Id, stream.ClosedBy, stream.Receive.Available);
        ref short head = ref _heads[stream.Id / IdsPerBucketStep % Buckets];
        if (head == slot + 1)
        {
            head = (short)stream.Next;
        }
        else
        {
            int before = head - 1;
            while (_slots[before].Next != slot + 1)
            {
                before = _slots[before].Next - 1;
            }

            _slots[before].Next = stream.Next;
        }

        stream.Id = 0;
        stream.Next = _free;
        _free = slot + 1;
    }

    /// <summary>Remembers how a stream ended that has no slot.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="by">How.</param>
    /// <param name="allowance">Bytes of DATA that may be under way.</param>
    public void Remember(int id, ClosedBy by, int allowance)
    {
        int place = _closedIds.AsSpan().IndexOf(id);
        if (place < 0)
        {
            place = _nextClosed;
            _nextClosed = (_nextClosed + 1) % CodecLimits.ClosedStreamsMax;
            _closedIds[place] = id;
        }

        _closed[place] = (by, allowance);
    }

    /// <summary>How a stream without a slot ended, as far as that is remembered.</summary>
    public ClosedBy ClosedBy(int id)
    {
        int place = _closedIds.AsSpan().IndexOf(id);
        return place < 0 ? Http2.ClosedBy.Unknown : _closed[place].By;
    }

    /// <summary>DATA came on a stream that we reset. False when it was more than can have been under way.</summary>
    public bool TryTakeAllowance(int id, int bytes)
    {
        int place = _closedIds.AsSpan().IndexOf(id);
        if (place < 0 || _closed[place].Allowance < bytes)
        {
            return false;
        }

        _closed[place].Allowance -= bytes;
        return true;
    }

    private bool TryGrow()
    {
        if (_slots.Length >= CodecLimits.StreamSlotsMax)
        {
            return false;
        }

        Array.Resize(ref _slots, Math.Min(2 * _slots.Length, CodecLimits.StreamSlotsMax));
        return true;
    }
}
