using Spawngate.Forwarding;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>The state machine of an exchange is the one that is drawn above the class.</summary>
[TestFixture]
internal sealed class ExchangeStateTests
{
    /// <summary>From, and what may follow; everything else must not.</summary>
    private static readonly Dictionary<ExchangeState, ExchangeState[]> Drawn = new()
    {
        [ExchangeState.Idle] = [ExchangeState.Waiting, ExchangeState.Connecting, ExchangeState.Sending, ExchangeState.Failed],
        [ExchangeState.Waiting] = [ExchangeState.Waiting, ExchangeState.Connecting, ExchangeState.Sending, ExchangeState.Failed],
        [ExchangeState.Connecting] = [ExchangeState.Sending, ExchangeState.Waiting, ExchangeState.Failed],
        [ExchangeState.Sending] = [ExchangeState.AwaitingHead, ExchangeState.Failed],
        [ExchangeState.AwaitingHead] =
        [
            ExchangeState.AwaitingHead,
            ExchangeState.RelayingInterim,
            ExchangeState.Relaying,
            ExchangeState.Failed,
            ExchangeState.Connecting,
            ExchangeState.Waiting,
        ],
        [ExchangeState.RelayingInterim] =
        [
            ExchangeState.AwaitingHead,
            ExchangeState.RelayingInterim,
            ExchangeState.Relaying,
            ExchangeState.Failed,
        ],
        [ExchangeState.Relaying] = [ExchangeState.Tunnelling, ExchangeState.Failed],
        [ExchangeState.Tunnelling] = [],
        [ExchangeState.Failed] = [ExchangeState.Failed],
    };

    private static IEnumerable<TestCaseData> Pairs() =>
        from state in Enum.GetValues<ExchangeState>()
        from next in Enum.GetValues<ExchangeState>()
        select new TestCaseData(state, next);

    [TestCaseSource(nameof(Pairs))]
    public void Only_what_is_drawn_may_follow(ExchangeState from, ExchangeState to) =>
        Assert.That(ExchangeTransitions.Allows(from, to), Is.EqualTo(Drawn[from].Contains(to)));

    [TestCaseSource(nameof(States))]
    public void It_is_pending_until_there_is_an_answer_or_none_will_come(ExchangeState state) =>
        Assert.That(
            state < ExchangeState.Relaying,
            Is.EqualTo(
                state
                    is ExchangeState.Waiting
                        or ExchangeState.Connecting
                        or ExchangeState.Sending
                        or ExchangeState.AwaitingHead
                        or ExchangeState.RelayingInterim
            )
        );

    private static ExchangeState[] States() => Enum.GetValues<ExchangeState>();

#if DEBUG
    [Test]
    public async Task A_call_out_of_order_throws()
    {
        await using ForwardingStage stage = await ForwardingStage.StartAsync();
        var exchange = new Exchange(stage.Context);

        Assert.That(exchange.State, Is.EqualTo(ExchangeState.Idle));
        Assert.That(
            () => exchange.AfterWait(default, default, null!),
            Throws.InvalidOperationException.With.Message.Contains("Only in Waiting")
        );
        Assert.That(exchange.BecomeTunnel, Throws.InvalidOperationException.With.Message.Contains("from Idle to Tunnelling"));
        exchange.FailLate();
        Assert.That(exchange.State, Is.EqualTo(ExchangeState.Failed));
        exchange.End(reusable: false);
        Assert.That(exchange.State, Is.EqualTo(ExchangeState.Idle), "whatever it was, its end makes it ready for the next");
    }
#endif
}
