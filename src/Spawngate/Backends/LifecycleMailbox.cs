using Spawngate.Backends.Probing;
using Spawngate.Runtime;
using Spawngate.Workloads;

namespace Spawngate.Backends;

/// <summary>What a lifecycle can be told.</summary>
internal enum LifecycleInput
{
    /// <summary>A request was held while Stopped.</summary>
    Wake,

    /// <summary>The admin API asks for a start.</summary>
    AdminStart,

    /// <summary>The admin API asks for a stop.</summary>
    AdminStop,

    /// <summary>The admin API asks for a restart.</summary>
    AdminRestart,

    /// <summary>A reload removed the backend.</summary>
    Remove,

    /// <summary>The gateway stops.</summary>
    GatewayStop,

    /// <summary>The gateway stops without patience (second SIGINT).</summary>
    KillNow,

    /// <summary>The launcher answered; payload <see cref="LaunchResult"/>.</summary>
    Launched,

    /// <summary>The first TCP connection was accepted.</summary>
    Listening,

    /// <summary>The health probe found the start ready.</summary>
    HealthReady,

    /// <summary>The backend called its ready URL.</summary>
    CallbackReady,

    /// <summary>The instance ended; payload <see cref="ExitReport"/>.</summary>
    Exited,

    /// <summary>A health check of a running backend is done; payload <see cref="ProbeResult"/>.</summary>
    Checked,

    /// <summary>The last request in flight left a stopping backend.</summary>
    Drained,

    /// <summary>The earliest deadline has passed.</summary>
    Due,

    /// <summary>A backend that this one had to wait for has ended.</summary>
    PredecessorEnded,

    /// <summary>The configuration was replaced.</summary>
    Reconfigured,

    /// <summary>The instance called its busy URL; payload <see cref="LeaseCall"/>.</summary>
    Lease,
}

/// <summary>One message to a lifecycle.</summary>
/// <param name="Input">What happened.</param>
/// <param name="InstanceNumber">The start it belongs to; 0 when it belongs to none.</param>
/// <param name="Payload">What came with it.</param>
/// <param name="Timestamp"><see cref="TimeProvider.GetTimestamp"/> when it happened, for measurements; 0 when nothing is measured.</param>
internal readonly record struct LifecycleMessage(LifecycleInput Input, int InstanceNumber = 0, object? Payload = null, long Timestamp = 0);

/// <summary>
/// The mailbox of one lifecycle: messages are handled one at a time, in order, by a work item that exists only while there are any.
/// </summary>
/// <remarks>
/// It is bounded, by who may post:
/// <code>
///   requests, tick         one message per wake-up, per deadline, per end of draining
///   the instance           one per step of its start, per check, and its end; a stale one before it the same
///   ready URL, reload      may come any number of times: one that waits stands for all
///   admin API              may come any number of times, and the order counts: one stands for all of its kind that follow at once,
///                          and past BackendLimits.MailboxMessagesMax they are refused
///   busy URL               the same, but each has an answer of its own, so that none stands for another
/// </code>
/// </remarks>
internal sealed class LifecycleMailbox(
    Action<LifecycleMessage> handle,
    Action<IThreadPoolWorkItem> execute,
    Action<LifecycleInput, Exception> onBug
) : IThreadPoolWorkItem
{
    private readonly Lock _gate = new();
    private Queue<LifecycleMessage>? _messages;
    private LifecycleInput _lastInput;
    private bool _scheduled;

    /// <summary>Whether a message waits to be handled.</summary>
    public bool HasMessages
    {
        get
        {
            lock (_gate)
            {
                return _messages is { Count: > 0 };
            }
        }
    }

    /// <summary>Adds a message; never waits for its handling.</summary>
    public void Post(LifecycleMessage message)
    {
        lock (_gate)
        {
            bool isRepeatable = message.Input is LifecycleInput.CallbackReady or LifecycleInput.Reconfigured;
            if ((isRepeatable && IsWaiting(message)) || !Add(message))
            {
                return;
            }
        }

        Schedule();
    }

    /// <summary>Adds a command of the admin API, or of an instance; never waits for its handling.</summary>
    /// <returns>False when it is refused, because more commands come than are handled.</returns>
    public bool TryPost(LifecycleMessage command)
    {
        lock (_gate)
        {
            if (_messages is { Count: > 0 } && _lastInput == command.Input && command.Payload is null)
            {
                return true;
            }

            if (_messages?.Count >= BackendLimits.MailboxMessagesMax)
            {
                return false;
            }

            if (!Add(command))
            {
                return true;
            }
        }

        Schedule();
        return true;
    }

    /// <summary>Handles messages until there are none.</summary>
    public void Execute()
    {
        while (Step()) { }
    }

    /// <summary>Handles one message. False when there was none; the mailbox then waits to be scheduled again.</summary>
    public bool Step()
    {
        LifecycleMessage message;
        lock (_gate)
        {
            if (_messages is null || !_messages.TryDequeue(out message))
            {
                _messages = null; // A stopped backend keeps no buffer.
                _scheduled = false;
                return false;
            }
        }

        try
        {
            handle(message);
        }
        catch (Exception bug)
        {
            // One backend's bug must not end the gateway, nor this backend's later messages: its deadlines still hold.
            CallbackGuard.Run(() => onBug(message.Input, bug), nameof(LifecycleMailbox));
        }

        return true;
    }

    private void Schedule()
    {
        try
        {
            execute(this);
        }
        catch
        {
            lock (_gate)
            {
                _scheduled = false; // The next message tries again, or all that follow would wait for ever.
            }

            throw;
        }
    }

    /// <summary>True when the mailbox has to be executed, because nobody does so yet.</summary>
    private bool Add(LifecycleMessage message)
    {
        _messages ??= new Queue<LifecycleMessage>(4);
        _messages.Enqueue(message);
        _lastInput = message.Input;
        bool isFirst = !_scheduled;
        _scheduled = true;
        return isFirst;
    }

    /// <summary>True when the same was said and is not handled yet.</summary>
    private bool IsWaiting(LifecycleMessage message)
    {
        foreach (var waiting in _messages ?? [])
        {
            if (waiting.Input == message.Input && waiting.InstanceNumber == message.InstanceNumber)
            {
                return true;
            }
        }

        return false;
    }
}
