using Spawngate.Backends;

namespace Spawngate.Tests;

[TestFixture]
internal sealed class LifecycleMailboxTests
{
    private readonly List<LifecycleMessage> _handled = [];
    private readonly LifecycleMailbox _mailbox;

    public LifecycleMailboxTests() =>
        _mailbox = new LifecycleMailbox(_handled.Add, static _ => { }, static (_, bug) => Assert.Fail($"{bug}"));

    [SetUp]
    public void Forget()
    {
        _mailbox.Execute();
        _handled.Clear();
    }

    [Test]
    public void A_ready_url_that_is_called_in_a_loop_waits_once_for_each_start()
    {
        for (int i = 0; i < 1000; i++)
        {
            _mailbox.Post(new LifecycleMessage(LifecycleInput.CallbackReady, 1, null, i));
            _mailbox.Post(new LifecycleMessage(LifecycleInput.CallbackReady, 2));
            _mailbox.Post(new LifecycleMessage(LifecycleInput.Reconfigured));
        }

        _mailbox.Execute();
        Assert.That(
            _handled.Select(static message => (message.Input, message.InstanceNumber)),
            Is.EqualTo([(LifecycleInput.CallbackReady, 1), (LifecycleInput.CallbackReady, 2), (LifecycleInput.Reconfigured, 0)])
        );
        Assert.That(_handled[0].Timestamp, Is.Zero, "the first call counts");
    }

    [Test]
    public void A_message_that_could_not_be_scheduled_is_handled_with_the_next()
    {
        bool fails = true;
        var mailbox = new LifecycleMailbox(_handled.Add, each => Schedule(each), static (_, bug) => Assert.Fail($"{bug}"));
        Assert.That(() => mailbox.Post(new LifecycleMessage(LifecycleInput.Wake)), Throws.InstanceOf<OutOfMemoryException>());
        fails = false;
        mailbox.Post(new LifecycleMessage(LifecycleInput.Due));
        Assert.That(_handled.Select(static message => message.Input), Is.EqualTo([LifecycleInput.Wake, LifecycleInput.Due]));

        void Schedule(IThreadPoolWorkItem item)
        {
            if (fails)
            {
                throw new OutOfMemoryException();
            }

            item.Execute();
        }
    }

    [Test]
    public void What_is_handled_can_be_said_again()
    {
        _mailbox.Post(new LifecycleMessage(LifecycleInput.Reconfigured));
        _mailbox.Execute();
        _mailbox.Post(new LifecycleMessage(LifecycleInput.Reconfigured));
        _mailbox.Execute();
        Assert.That(_handled, Has.Count.EqualTo(2));
    }

    [Test]
    public void The_same_command_in_a_row_waits_once_and_others_keep_their_order()
    {
        LifecycleInput[] commands =
        [
            LifecycleInput.AdminStart,
            LifecycleInput.AdminStart,
            LifecycleInput.AdminStop,
            LifecycleInput.AdminStop,
            LifecycleInput.AdminStart,
        ];
        foreach (var command in commands)
        {
            Assert.That(_mailbox.TryPost(new LifecycleMessage(command)));
        }

        _mailbox.Execute();
        Assert.That(
            _handled.Select(static message => message.Input),
            Is.EqualTo([LifecycleInput.AdminStart, LifecycleInput.AdminStop, LifecycleInput.AdminStart])
        );
    }

    [Test]
    public void Commands_in_a_loop_are_refused_and_everything_else_is_taken()
    {
        for (int i = 0; i < BackendLimits.MailboxMessagesMax; i++)
        {
            _mailbox.TryPost(new LifecycleMessage(i % 2 == 0 ? LifecycleInput.AdminStart : LifecycleInput.AdminStop));
        }

        Assert.That(_mailbox.TryPost(new LifecycleMessage(LifecycleInput.AdminRestart)), Is.False);
        Assert.That(_mailbox.TryPost(new LifecycleMessage(LifecycleInput.AdminStop)), "the same as the last one waits already");
        _mailbox.Post(new LifecycleMessage(LifecycleInput.Exited, 1));
        _mailbox.Execute();
        Assert.That(_handled, Has.Count.EqualTo(BackendLimits.MailboxMessagesMax + 1));
        Assert.That(_handled[^1].Input, Is.EqualTo(LifecycleInput.Exited));
    }
}
