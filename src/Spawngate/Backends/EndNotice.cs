namespace Spawngate.Backends;

/// <summary>Tells, once, that a closed backend has ended: by a task, and by calls for those who only post a message.</summary>
internal sealed class EndNotice
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private List<Action>? _actions;

    /// <summary>Completes at the end.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Has <paramref name="action"/> called at the end; false, and not called, when it is there already.</summary>
    public bool Notify(Action action)
    {
        lock (_gate)
        {
            if (_ended.Task.IsCompleted)
            {
                return false;
            }

            (_actions ??= []).Add(action);
            return true;
        }
    }

    /// <summary>The end is here; a second call has no effect.</summary>
    public void Complete()
    {
        List<Action>? actions;
        lock (_gate)
        {
            actions = _actions;
            _actions = null;
            _ended.TrySetResult();
        }

        actions?.ForEach(static action => action());
    }
}
