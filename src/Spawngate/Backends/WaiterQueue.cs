namespace Spawngate.Backends;

/// <summary>Held requests in the order of their arrival. Guarded by the gate of <see cref="AdmissionQueue"/>.</summary>
internal sealed class WaiterQueue
{
    private BackendWaiter? _last;
    private int _passive;

    /// <summary>The one that has waited longest; null when none waits.</summary>
    public BackendWaiter? First { get; private set; }

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Those of them that count as use.</summary>
    public int Users => Count - _passive;

    /// <summary>Adds one at the end.</summary>
    public void Append(BackendWaiter waiter)
    {
        waiter.IsQueued = true;
        waiter.Previous = _last;
        if (_last is null)
        {
            First = waiter;
        }
        else
        {
            _last.Next = waiter;
        }

        _last = waiter;
        Count++;
        _passive += waiter.IsPassive ? 1 : 0;
    }

    /// <summary>Takes one out, wherever it stands.</summary>
    public void Remove(BackendWaiter waiter)
    {
        if (waiter.Previous is { } previous)
        {
            previous.Next = waiter.Next;
        }
        else
        {
            First = waiter.Next;
        }

        if (waiter.Next is { } next)
        {
            next.Previous = waiter.Previous;
        }
        else
        {
            _last = waiter.Previous;
        }

        waiter.Previous = waiter.Next = null;
        waiter.IsQueued = false;
        Count--;
        _passive -= waiter.IsPassive ? 1 : 0;
    }

    /// <summary>Takes out all, with the same decision for each.</summary>
    public void DecideAll(Admission admission, ref DecidedWaiters decided)
    {
        while (First is { } waiter)
        {
            Remove(waiter);
            decided.Add(waiter, admission);
        }
    }

    /// <summary>The same with those that do not count as use.</summary>
    public void DecidePassive(Admission admission, ref DecidedWaiters decided)
    {
        for (var waiter = First; waiter is not null && _passive > 0; )
        {
            var next = waiter.Next;
            if (waiter.IsPassive)
            {
                Remove(waiter);
                decided.Add(waiter, admission);
            }

            waiter = next;
        }
    }
}

/// <summary>Held requests that were decided within the gate, to be told so outside of it, in the order of their arrival.</summary>
internal struct DecidedWaiters
{
    private BackendWaiter? _first;
    private BackendWaiter? _last;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Adds one that has left the queue.</summary>
    /// <param name="waiter">The request.</param>
    /// <param name="admission">What was decided.</param>
    /// <param name="countedPassive">How it was counted, if it was admitted.</param>
    public void Add(BackendWaiter waiter, Admission admission, bool countedPassive = false)
    {
        waiter.Decide(admission, countedPassive);
        if (_last is null)
        {
            _first = waiter;
        }
        else
        {
            _last.Next = waiter;
        }

        _last = waiter;
        Count++;
    }

    /// <summary>Tells all of them.</summary>
    public readonly void Complete()
    {
        for (var waiter = _first; waiter is not null; )
        {
            var next = waiter.Next;
            waiter.Next = null;
            waiter.Complete();
            waiter = next;
        }
    }
}
