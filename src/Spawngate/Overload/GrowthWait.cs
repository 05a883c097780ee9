using System.Runtime.CompilerServices;
using Spawngate.Transport;

namespace Spawngate.Overload;

/// <summary>
/// A connection's wait for the next look, awaited again and again by one task at a time. It goes on in the line of its loop's turns.
/// </summary>
/// <param name="quota">Who looks.</param>
/// <param name="loop">Number of the connection's event loop.</param>
/// <remarks>
/// <code>
///  Begin ──▶ awaited, and listed with the quota ──▶ next look, or End: it goes on, once
/// </code>
/// End may come before the wait itself has begun.
/// </remarks>
internal sealed class GrowthWait(GrowthQuota quota, int loop) : ICriticalNotifyCompletion
{
    private Action? _continuation;
    private int _hasEnded;

    /// <summary>The one behind it in the quota's list; in the quota's gate.</summary>
    internal GrowthWait? Next { get; set; }

    /// <summary>True while it is in that list; in the quota's gate.</summary>
    internal bool IsListed { get; set; }

    /// <summary>Never: the look is still to come.</summary>
    public bool IsCompleted => false;

    /// <summary>The connection is going to wait.</summary>
    public void Begin() => Interlocked.Exchange(ref _hasEnded, 0);

    /// <summary>It need not wait any more; from any thread.</summary>
    public void End()
    {
        Interlocked.Exchange(ref _hasEnded, 1);
        Resume();
    }

    /// <summary>The awaiter.</summary>
    public GrowthWait GetAwaiter() => this;

    /// <summary>Nothing to get.</summary>
    public void GetResult() { }

    /// <inheritdoc/>
    public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

    /// <inheritdoc/>
    public void UnsafeOnCompleted(Action continuation)
    {
        Interlocked.Exchange(ref _continuation, continuation);
        quota.Add(this);
        // There may have been a look since it was found spent.
        if (Volatile.Read(ref _hasEnded) != 0 || !quota.IsSpent(loop))
        {
            Resume();
        }
    }

    /// <summary>Has who waits go on, if anybody does. False when there is no memory for it: then it still waits.</summary>
    internal bool Resume()
    {
        if (Interlocked.Exchange(ref _continuation, null) is not { } continuation)
        {
            return true;
        }

        try
        {
            EventLoop.PostTurn(loop, continuation);
            return true;
        }
        catch (OutOfMemoryException)
        {
            Interlocked.Exchange(ref _continuation, continuation);
            return false;
        }
    }
}
