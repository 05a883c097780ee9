using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>A descriptor that belongs to an instance and is read by the <see cref="OutputDrain"/>, until the instance has ended.</summary>
internal abstract unsafe class DrainedSource : ICallbackOwner
{
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Makes it.</summary>
    /// <param name="fd">The descriptor, which is the drain's once this was added to it.</param>
    protected DrainedSource(int fd) => Fd = fd;

    /// <summary>The descriptor.</summary>
    internal int Fd { get; }

    /// <summary>
    /// True once whoever takes what is read has failed: what is still written is thrown away. The child is not to suffer for it.
    /// </summary>
    internal bool IsMuted { get; private set; }

    /// <summary>The drain that it was added to.</summary>
    internal OutputDrain? Drain { get; set; }

    /// <summary>Since when something that was taken waits for its rest, on the drain's clock; 0 when nothing does.</summary>
    internal long PartialSince { get; set; }

    /// <summary>What <see cref="Ended"/> was then.</summary>
    internal long PartialAfter { get; set; }

    /// <summary>Whether it stands in the drain's list of those that wait.</summary>
    internal bool IsAwaited { get; set; }

    /// <summary>Whether something that was taken waits for its rest.</summary>
    internal virtual bool HasPartial => false;

    /// <summary>How much of what was taken is whole: it changes when what waited has got its rest.</summary>
    internal virtual long Ended => 0;

    /// <summary>Completes when the last of it has been handed on and the descriptor is closed.</summary>
    public Task Closed => _closed.Task;

    /// <summary>The instance has ended: reads what is left and closes it, even if someone else still holds the other end.</summary>
    public Task FinishAsync()
    {
        Drain?.RequestFinish(this);
        return Closed;
    }

    /// <summary>Reads once, without waiting, after it was reported readable.</summary>
    /// <returns>Bytes; 0 at the end; negative when there is nothing to take in this moment.</returns>
    internal abstract int Read(byte* buffer, int bytesMax);

    /// <summary>Takes what was read.</summary>
    internal abstract void Take(ReadOnlyMemory<byte> bytes);

    /// <summary>What waits for its rest has waited long enough.</summary>
    internal virtual void TakePartial() { }

    /// <summary>Nothing more comes.</summary>
    internal virtual void Complete() { }

    internal void SetClosed() => _closed.TrySetResult();

    /// <inheritdoc/>
    void ICallbackOwner.OnCallbackFault() => IsMuted = true;
}
