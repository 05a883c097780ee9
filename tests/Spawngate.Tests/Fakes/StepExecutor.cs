using Spawngate.Backends;

namespace Spawngate.Tests.Fakes;

/// <summary>Runs mailboxes when the test says so, one message at a time if it wants.</summary>
internal sealed class StepExecutor
{
    private readonly List<LifecycleMailbox> _scheduled = [];

    public int Count => _scheduled.Count;

    public void Schedule(IThreadPoolWorkItem item) => _scheduled.Add((LifecycleMailbox)item);

    /// <summary>Handles one message of one scheduled mailbox.</summary>
    public void Step(int index)
    {
        if (!_scheduled[index].Step())
        {
            _scheduled.RemoveAt(index);
        }
    }

    public void RunAll()
    {
        while (_scheduled.Count > 0)
        {
            Step(0);
        }
    }
}
