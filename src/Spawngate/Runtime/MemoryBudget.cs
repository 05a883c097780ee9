namespace Spawngate.Runtime;

/// <summary>Something that keeps a past which may be shortened.</summary>
internal interface IShortenable
{
    /// <summary>Bytes that it holds.</summary>
    int HeldBytes { get; }

    /// <summary>When something was last added to it; the order is all that counts.</summary>
    long LastAdded { get; }

    /// <summary>Drops the oldest of it until no more than so many bytes are held; the very latest may stay whatever it takes.</summary>
    void Shorten(int bytes);
}

/// <summary>
/// Bounds what many members of a kind hold together. When it has become too much, the members that have grown least recently lose their
/// oldest content and keep a short rest. Thread-safe; nobody waits for it.
/// </summary>
/// <remarks>
/// Members only report how much they have grown. Each time an eighth of the bound has been added, all members are looked at; if they hold
/// more than seven eighths together, they are shortened to that. So the bound is never passed, and looking at ten thousand members, which
/// takes some milliseconds, happens once in several megabytes. A member that goes away does not have to say so.
/// </remarks>
/// <param name="bytesMax">The bound.</param>
/// <param name="restBytes">What each of them may keep when it is shortened, as long as that is not too much for all.</param>
internal sealed class MemoryBudget(long bytesMax, int restBytes)
{
    private readonly Lock _gate = new();
    private long _grown;
    private long _added;

    /// <summary>Finds the members. Set before anything is added.</summary>
    public Func<IEnumerable<IShortenable>> Members { get; set; } = static () => [];

    /// <summary>A number for <see cref="IShortenable.LastAdded"/>: larger than all before.</summary>
    public long NextAdded() => Interlocked.Increment(ref _added);

    /// <summary>A member has grown by so many bytes; called without any lock.</summary>
    public void OnGrown(int bytes)
    {
        if (bytes <= 0 || Interlocked.Add(ref _grown, bytes) < bytesMax / 8 || !_gate.TryEnter())
        {
            return;
        }

        try
        {
            Interlocked.Exchange(ref _grown, 0);
            Settle();
        }
        finally
        {
            _gate.Exit();
        }
    }

    private void Settle()
    {
        List<Held> members = [];
        long excess = -(bytesMax / 8 * 7);
        foreach (var member in Members())
        {
            var held = new Held(member, member.HeldBytes, member.LastAdded);
            excess += held.Bytes;
            if (held.Bytes > 0)
            {
                members.Add(held);
            }
        }

        if (excess <= 0)
        {
            return;
        }

        members.Sort(static (one, other) => one.LastAdded.CompareTo(other.LastAdded));
        foreach (int rest in (ReadOnlySpan<int>)[restBytes, 0])
        {
            for (int i = 0; i < members.Count && excess > 0; i++)
            {
                var held = members[i];
                if (held.Bytes > rest)
                {
                    held.Member.Shorten(rest);
                    int left = held.Member.HeldBytes;
                    excess -= held.Bytes - left;
                    held.Bytes = left;
                }
            }
        }
    }

    /// <summary>
    /// What a member holds. A class: Linq and lists over a struct are compiled for it alone, which made the executable 200 KB larger.
    /// </summary>
    private sealed class Held(IShortenable member, int bytes, long lastAdded)
    {
        /// <summary>The member.</summary>
        public IShortenable Member { get; } = member;

        /// <summary>What it holds now.</summary>
        public int Bytes { get; set; } = bytes;

        /// <summary>When it was added to.</summary>
        public long LastAdded { get; } = lastAdded;
    }
}
