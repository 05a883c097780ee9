using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>Health checks that fail and do not count: busy is not dead, and neither is one that starts itself anew.</summary>
internal sealed class ExcusedCheckTests
{
    [Test]
    public void A_process_that_refuses_connections_has_the_time_of_a_start_to_listen_again()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        var refused = new ProbeResult(false, "connection refused") { IsRefused = true };
        for (int secs = 0; secs < 30; secs += 5)
        {
            stage.Pass(5000);
            stage.Probe.Answer(refused);
            stage.Settle();
        }

        Assert.That((stage.Phase, stage.Backend.GetStatus().FailedChecks), Is.EqualTo((BackendPhase.Ready, 0)));
        for (int failed = 1; failed <= 3; failed++)
        {
            stage.Pass(5000);
            stage.Probe.Answer(refused);
            stage.Settle();
        }

        Assert.That(stage.Phase, Is.EqualTo(BackendPhase.Unhealthy));
    }

    [Test]
    public void It_has_that_time_anew_after_it_has_listened()
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        for (int check = 0; check < 20; check++)
        {
            stage.Pass(5000);
            stage.Probe.Answer(check % 5 == 4 ? new ProbeResult(true, "") : new ProbeResult(false, "") { IsRefused = true });
            stage.Settle();
            stage.Backend.Leave(LifecycleStage.Decided(stage.Ask()).Instance!);
        }

        Assert.That((stage.Phase, stage.Backend.GetStatus().FailedChecks), Is.EqualTo((BackendPhase.Ready, 0)));
    }

    /// <summary>Without an answer a check says nothing as long as the backend answers others; a no always counts.</summary>
    [TestCase(true, true, BackendPhase.Ready)]
    [TestCase(true, false, BackendPhase.Unhealthy)]
    [TestCase(false, true, BackendPhase.Unhealthy)]
    public void Busy_is_not_dead(bool isSilent, bool answersOthers, BackendPhase phase)
    {
        using var stage = new LifecycleStage();
        stage.ToReady();
        for (int check = 0; check < 3; check++)
        {
            if (answersOthers)
            {
                stage.Backend.Traffic.CountAnswer(1);
            }

            stage.Pass(5000);
            stage.Probe.Answer(new ProbeResult(false, "no answer") { IsSilent = isSilent });
            stage.Settle();
        }

        Assert.That(stage.Phase, Is.EqualTo(phase));
    }

    /// <summary>Who is asked and never answers is dead in the end, however many go on asking.</summary>
    [Test]
    public void A_request_in_flight_excuses_silence_for_as_long_as_one_may_be_silent()
    {
        using var stage = new LifecycleStage(static config => config with { RequestTimeoutSecs = 12 });
        stage.ToReadyWithOneInFlight();
        int checks = 0;
        while (stage.Phase == BackendPhase.Ready && checks < 10)
        {
            stage.Pass(5000);
            stage.Probe.Answer(new ProbeResult(false, "no answer") { IsSilent = true });
            stage.Settle();
            stage.Ask();
            checks++;
        }

        Assert.That((stage.Phase, checks), Is.EqualTo((BackendPhase.Unhealthy, 3 + 3)), "excused at 0, 5 and 10 s");
    }
}
