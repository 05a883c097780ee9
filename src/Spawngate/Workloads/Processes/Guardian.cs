using System.Text;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// The gateway's side of its guard: starts it, tells it of every instance, and starts another when it ends.
/// <code>
///   Start ─▶ starting ──spawned, list written──▶ guarding ──Stop──▶ pipe closed ──▶ exited
///               ▲   │ cannot                        │ ended, or does not read (killed)
///               └───┴───── after 0, 1, 2 … 30 s ◀───┘
/// </code>
/// An instance's record is one write that never waits; what a full pipe does not take is written later, in order.
/// </summary>
internal sealed class Guardian : IDisposable
{
    private const int InitPid = 1;

    private readonly Lock _gate = new();
    private readonly Dictionary<InstanceToken, GuardRecord> _instances = [];
    private readonly List<GuardedResource> _resources = [];
    private readonly Queue<GuardRecord> _unwritten = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private readonly StartBackoff _backoff = new();
    private readonly ChildEnvironment _environment;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private GuardPipe? _guard;
    private long _startedAt;
    private bool _stopping;

    /// <summary>Makes it; nothing runs yet.</summary>
    /// <param name="environment">What the guard inherits.</param>
    /// <param name="log">Log of category <c>spawngate.guard</c>.</param>
    /// <param name="time">The time.</param>
    public Guardian(ChildEnvironment environment, ILogger log, TimeProvider time)
    {
        _environment = environment;
        _log = log;
        _time = time;
    }

    /// <summary>Whether a guard is of use here: not to PID 1, with whose end the kernel kills everything in its namespace.</summary>
    public static bool IsNeeded => ChildProcess.IsSupported && Environment.ProcessId != InitPid;

    /// <summary>
    /// Completes when the first guard has its process, or cannot have one. Runs are spawned after that, so that none is ever unguarded; the
    /// guard need not have got further, since the pipe keeps what it is told.
    /// </summary>
    public Task Ready => _ready.Task;

    /// <summary>Pid of the guard; 0 while there is none.</summary>
    public int Pid
    {
        get
        {
            lock (_gate)
            {
                return _guard?.Pid ?? 0;
            }
        }
    }

    /// <summary>Begins to start the guard, off the caller's thread.</summary>
    public void Start()
    {
        if (!IsNeeded)
        {
            _ready.TrySetResult();
            return;
        }

        Reaper.Shared.OrphanReaped += OnReaped;
        _ = Task.Run(Launch);
    }

    /// <summary>An instance is about to be spawned: should we die in that moment, it is found by its token.</summary>
    public void Expect(InstanceToken token, long graceMs) =>
        Tell(new GuardRecord(GuardRecordKind.Start, token, 0, (int)Math.Min(graceMs, int.MaxValue)));

    /// <summary>The expected instance has a process.</summary>
    public void Spawned(InstanceToken token, int pid)
    {
        lock (_gate)
        {
            if (_instances.TryGetValue(token, out GuardRecord expected))
            {
                Tell(expected with { Pid = pid });
            }
        }
    }

    /// <summary>Nothing is left of the instance, or there was none.</summary>
    public void Forget(InstanceToken token) => Tell(new GuardRecord(GuardRecordKind.End, token, 0, 0));

    /// <summary>Something is about to be made at a place; it is told once.</summary>
    public void Expect(GuardedResource resource)
    {
        lock (_gate)
        {
            if (!_resources.Contains(resource))
            {
                _resources.Add(resource);
                WriteResource(resource, isExpected: true);
            }
        }
    }

    /// <summary>Nothing is left there, or it is left on purpose: a clean stop.</summary>
    public void Forget(GuardedResource resource)
    {
        lock (_gate)
        {
            if (_resources.Remove(resource))
            {
                WriteResource(resource, isExpected: false);
            }
        }
    }

    /// <summary>Lets the guard go and waits for it, so that nothing of the gateway is left when it exits.</summary>
    public async Task StopAsync()
    {
        bool isGone;
        lock (_gate)
        {
            _stopping = true;
            isGone = _guard is null;
            _guard?.Close();
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        if (!isGone)
        {
            try
            {
                await _exited.Task.WaitAsync(TimeSpan.FromMilliseconds(ProcessLimits.GuardStopMs), _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                KillUseless();
            }
        }

        Reaper.Shared.OrphanReaped -= OnReaped;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            _guard?.Close();
            _guard = null;
        }

        Reaper.Shared.OrphanReaped -= OnReaped;
        _stop.Dispose();
    }

    // A guard with nothing on its list only has to exit. One with instances that we gave up waits for our end to deal with them.
    private void KillUseless()
    {
        lock (_gate)
        {
            if (_instances.Count == 0)
            {
                _guard?.Kill();
            }
        }
    }

    private void Tell(GuardRecord record)
    {
        lock (_gate)
        {
            if (record.Kind == GuardRecordKind.Start)
            {
                _instances[record.Token] = record;
            }
            else if (!_instances.Remove(record.Token))
            {
                return;
            }

            if (_guard is not null)
            {
                Write(record);
            }
        }
    }

    private void WriteResource(GuardedResource resource, bool isExpected)
    {
        if (_guard is null)
        {
            return; // The next one gets the list.
        }

        foreach (InstanceToken piece in resource.ToPieces(isExpected))
        {
            Write(new GuardRecord(GuardRecordKind.Text, piece, 0, 0));
        }
    }

    private void Write(GuardRecord record)
    {
        if (_unwritten.Count >= ProcessLimits.GuardUnwrittenMax)
        {
            // It would miss this record, so it must not act. Its end brings the next one, which gets the whole list.
            _guard!.Kill();
        }
        else if (_unwritten.Count > 0)
        {
            _unwritten.Enqueue(record);
        }
        else if (!_guard!.TryWrite(record))
        {
            _unwritten.Enqueue(record);
            _ = WriteRestAsync(_guard);
        }
    }

    // A guard that takes nothing for some seconds is killed, and the next one gets the list as it is then.
    private async Task WriteRestAsync(GuardPipe guard)
    {
        for (int retry = 0; retry < ProcessLimits.GuardRetriesMax; retry++)
        {
            await Task.Delay(ProcessLimits.GuardRetryMs, CancellationToken.None).ConfigureAwait(false);
            lock (_gate)
            {
                if (_guard != guard || _stopping)
                {
                    return;
                }

                while (_unwritten.TryPeek(out GuardRecord record) && guard.TryWrite(record))
                {
                    _unwritten.Dequeue();
                    retry = 0;
                }

                if (_unwritten.Count == 0)
                {
                    return;
                }
            }
        }

        GuardLog.Stuck(_log, guard.Pid);
        guard.Kill(); // Its end brings the next one.
    }

    private void Launch()
    {
        GuardPipe? guard = null;
        string? error;
        int retryMs;
        try
        {
            guard = GuardPipe.Start(GuardEnvironment(), out error);
        }
        catch (Exception e)
        {
            error = e.Message; // For want of memory, say. Starts of backends wait for this one.
        }

        lock (_gate)
        {
            if (guard is not null && Take(guard))
            {
                _ready.TrySetResult();
                return;
            }

            retryMs = _backoff.Fail();
        }

        _ready.TrySetResult();
        GuardLog.CannotStart(_log, error ?? "it ended at once", retryMs / 1000);
        _ = LaunchLaterAsync(retryMs);
    }

    // Under the gate, so that no instance slips between the list and the records that follow it.
    private bool Take(GuardPipe guard)
    {
        _guard = guard;
        _startedAt = _time.GetTimestamp();
        _unwritten.Clear();
        if (_stopping)
        {
            guard.Close();
            return true;
        }

        foreach (GuardRecord instance in _instances.Values)
        {
            Write(instance);
        }

        _resources.ForEach(resource => WriteResource(resource, isExpected: true));
        GuardLog.Running(_log, guard.Pid, _instances.Count);

        // It may have ended before anyone knew its pid; then the reaper has told nobody.
        if (!guard.Exists())
        {
            guard.Close();
            _guard = null;
            return false;
        }

        return true;
    }

    private void OnReaped(int pid)
    {
        int retryMs;
        int instances;
        lock (_gate)
        {
            if (_guard is null || _guard.Pid != pid)
            {
                return;
            }

            _guard.Close();
            _guard = null;
            _unwritten.Clear();
            if (_stopping)
            {
                _exited.TrySetResult();
                return;
            }

            if (_time.GetElapsedTime(_startedAt).TotalMilliseconds >= ProcessLimits.StableReadyMs)
            {
                _backoff.Reset();
            }

            retryMs = _backoff.Fail();
            instances = _instances.Count;
        }

        GuardLog.Ended(_log, pid, instances, retryMs / 1000);
        _ = LaunchLaterAsync(retryMs);
    }

    private async Task LaunchLaterAsync(int afterMs)
    {
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(afterMs), _time, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            return;
        }

        await Task.Run(Launch, CancellationToken.None).ConfigureAwait(false);
    }

    // Without the variable that marks what a gateway started: if we are a backend ourselves, our guard must not be ended as a process of
    // ours that left its group.
    private List<byte[]> GuardEnvironment()
    {
        byte[] mark = Encoding.UTF8.GetBytes($"{InstanceToken.Variable}=");
        return [.. _environment.With([]).Where(entry => !entry.AsSpan().StartsWith(mark))];
    }
}
