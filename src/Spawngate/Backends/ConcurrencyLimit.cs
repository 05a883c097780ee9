namespace Spawngate.Backends;

/// <summary>
/// How many requests may be in flight at one process (<c>max_concurrency</c>). They are counted in the state word like all others; the
/// limit is only one more condition of coming in. Tunnels stay in the word, because a stop waits for them, but take up no room: each
/// instance counts its own.
/// </summary>
/// <remarks>
/// The word and the number of tunnels are two readings. A tunnel that ends between them, and a request that comes in its place, could make
/// room appear twice. So who came in looks once more, at the word first, and leaves again when it is one too many. Of those who see nothing
/// wrong the one that looked last saw all of them in the word; a tunnel that it counts beyond those would have had to come in, look, and be
/// answered in the meantime, which it cannot while there is no room. So never more are at the process than may be.
/// </remarks>
/// <param name="state">The word.</param>
internal sealed class ConcurrencyLimit(BackendState state)
{
    private int _max;

    /// <summary>The limit; 0 for none. Changed within the gate of <see cref="AdmissionQueue"/>.</summary>
    public int Max
    {
        get => Volatile.Read(ref _max);
        set => Volatile.Write(ref _max, value);
    }

    /// <summary>Admits a request if there is room. No lock. Then <see cref="IsExceeded"/> has to be asked.</summary>
    /// <param name="instance">The instance.</param>
    /// <param name="itsTurn">Whether nobody waits before it; within the gate. Otherwise it comes in only while nobody waits.</param>
    /// <param name="passive">Whether it does not count as use.</param>
    /// <param name="countedPassive">How it was counted and has to leave.</param>
    public bool TryEnter(ReadyInstance instance, bool itsTurn, bool passive, out bool countedPassive) =>
        state.TryEnterLimited(instance.InstanceNumber, Room(instance), itsTurn, passive, out countedPassive);

    /// <summary>Whether more are in flight than may be, so that who came in has to leave again and wait.</summary>
    public bool IsExceeded(ReadyInstance instance)
    {
        var inFlight = state.Read().InFlight;
        return inFlight > Room(instance);
    }

    private long Room(ReadyInstance instance) => Max is > 0 and var max ? (long)max + instance.Tunnels : long.MaxValue;
}
