using System.Diagnostics;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>Told when an armed receive ended while nobody awaited it.</summary>
internal interface IReceiveWatcher
{
    /// <summary>Runs on the socket's completion thread; must not block. The result is still there for whoever awaits next.</summary>
    void OnReceiveUnobserved();
}

/// <summary>
/// One reusable asynchronous socket operation that can be begun now and awaited later, without allocation.
/// </summary>
/// <remarks>
/// <code>
///  Idle ── Begin ──▶ Armed ── kernel completes ──▶ Completed ── GetResult ──▶ Idle
///                      │                               ▲
///                      └── awaited: Waiting ───────────┘ (continuation runs inline on the completion thread)
/// </code>
/// Begin, await and GetResult belong to one thread at a time; only the kernel's completion comes from elsewhere.
/// </remarks>
internal class SocketOperation : IValueTaskSource<int>, IThreadPoolWorkItem
{
    private static readonly Action<object?> CompletedMark = static _ => throw new UnreachableException();

    private readonly IReceiveWatcher? _watcher;
    private Action<object?>? _continuation;
    private object? _continuationState;
    private Action<object?>? _deferred;
    private int _transferred;
    private short _token;

    /// <summary>Makes an operation; <paramref name="watcher"/> hears of completions that nobody awaits.</summary>
    public SocketOperation(IReceiveWatcher? watcher)
    {
        _watcher = watcher;
    }

    /// <summary>True between a Begin that did not complete at once and the GetResult that takes its result.</summary>
    public bool IsArmed { get; private set; }

    /// <summary>True when an armed operation has its result, awaited or not.</summary>
    public bool HasResult => ReferenceEquals(Volatile.Read(ref _continuation), CompletedMark);

    /// <summary>Bytes that the last completed operation moved.</summary>
    public int BytesTransferred => _transferred;

    /// <summary>How the last completed operation ended.</summary>
    public SocketError Error { get; private set; }

    /// <summary>Marks the operation as begun and pending; call before starting it.</summary>
    public void Arm()
    {
        Debug.Assert(!IsArmed, "one operation at a time");
        IsArmed = true;
    }

    /// <summary>Stores the result; by whoever carries the operation out.</summary>
    public void SetResult(int transferred, SocketError error)
    {
        _transferred = transferred;
        Error = error;
    }

    /// <summary>The operation just armed has completed at once: takes its result.</summary>
    public int TakeSynchronousResult()
    {
        IsArmed = false;
        return Finish(Result);
    }

    /// <summary>The operation just armed has completed at once: keeps its result for the next await.</summary>
    public void KeepSynchronousResult() => _continuation = CompletedMark;

    /// <summary>Awaits the armed operation. Bytes transferred, or -1 on an error (then <see cref="Error"/> says which).</summary>
    public ValueTask<int> WaitAsync() => new(this, _token);

    /// <inheritdoc/>
    public int GetResult(short token)
    {
        Debug.Assert(token == _token && IsArmed, "awaited once per operation");
        _token++;
        _continuation = null;
        IsArmed = false;
        return Finish(Result);
    }

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => !HasResult ? ValueTaskSourceStatus.Pending : ValueTaskSourceStatus.Succeeded;

    /// <inheritdoc/>
    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        _continuationState = state;
        var previous = Interlocked.CompareExchange(ref _continuation, continuation, null);
        if (ReferenceEquals(previous, CompletedMark))
        {
            // It completed between GetStatus and here. The awaiter is still on the stack: resume it from elsewhere.
            _deferred = continuation;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
    }

    /// <summary>
    /// Resumes the awaiter that was deferred to here; the operation is its own work item, so that this allocates nothing.
    /// </summary>
    void IThreadPoolWorkItem.Execute()
    {
        var continuation = _deferred!;
        object? state = _continuationState;
        _deferred = null;
        _continuationState = null;
        try
        {
            continuation(state);
        }
        catch (Exception fault)
        {
            // Tasks keep their exceptions, and a SocketContinuation ends its owner itself: this is neither.
            CallbackGuard.OnFault(fault, nameof(SocketOperation), state);
        }
    }

    /// <summary>The operation that was pending has its result: resumes whoever awaits it, on this thread.</summary>
    public void Complete()
    {
        var continuation = _continuation;
        if (continuation is null)
        {
            continuation = Interlocked.CompareExchange(ref _continuation, CompletedMark, null);
            if (continuation is null)
            {
                _watcher?.OnReceiveUnobserved();
                return;
            }
        }

        object? state = _continuationState;
        _continuationState = null;
        _continuation = CompletedMark;
        continuation(state);
    }

    /// <summary>Runs when a result is taken, on the taker's thread.</summary>
    protected virtual int Finish(int result) => result;

    private int Result => Error == SocketError.Success ? _transferred : -1;
}
