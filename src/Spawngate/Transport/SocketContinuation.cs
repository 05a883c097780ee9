using System.Runtime.CompilerServices;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>Goes on after a socket operation by a call rather than a task, for work that no task owns; without allocation.</summary>
internal sealed class SocketContinuation
{
    private readonly Action<int> _then;
    private readonly ICallbackOwner _owner;
    private readonly Action _completed;
    private ValueTaskAwaiter<int> _awaiter;

    /// <summary>Makes one that calls <paramref name="then"/> with the result; <paramref name="owner"/> ends if that throws.</summary>
    public SocketContinuation(Action<int> then, ICallbackOwner owner)
    {
        _then = then;
        _owner = owner;
        _completed = OnCompleted;
    }

    /// <summary>
    /// True with the result when the operation has completed; else it is called back when it does, on the thread that completes it.
    /// </summary>
    public bool TryGetResult(ValueTask<int> operation, out int result)
    {
        var awaiter = operation.GetAwaiter();
        if (awaiter.IsCompleted)
        {
            result = ResultOf(awaiter);
            return true;
        }

        result = 0;
        _awaiter = awaiter;
        awaiter.UnsafeOnCompleted(_completed);
        return false;
    }

    private void OnCompleted()
    {
        try
        {
            _then(ResultOf(_awaiter));
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(SocketContinuation), _owner);
        }
    }

#pragma warning disable VSTHRD002 // Nothing is waited for: it has completed.
    private static int ResultOf(ValueTaskAwaiter<int> completed) => completed.GetResult();
#pragma warning restore VSTHRD002
}
