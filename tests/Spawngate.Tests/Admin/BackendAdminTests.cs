using System.Text;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Clients;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

[TestFixture]
internal sealed class BackendAdminTests
{
    [Test]
    public void Commands_in_a_loop_are_refused_until_those_that_wait_are_done()
    {
        using var stage = new LifecycleStage();
        var text = Encoding.UTF8.GetBytes("[backends.a]\ncommand = \"x\"\n");
        var config = ConfigLoader.Load("c.toml", text, RegisteredKinds.All, static _ => true).Config!;
        var set = new BackendSet(stage.Env, config);
        var admin = new BackendAdmin(set, new OutputLog(stage.Time), stage.Env, new ClientConnections(stage.Clock));
        for (var i = 0; i < BackendLimits.MailboxMessagesMax; i++)
        {
            var command = i % 2 == 0 ? AdminCommand.Stop : AdminCommand.Restart;
            Assert.That(admin.Post("a", command), Is.EqualTo(CommandOutcome.Accepted), $"command {i}");
        }

        foreach (var command in Enum.GetValues<AdminCommand>())
        {
            var expected = command == AdminCommand.Restart ? CommandOutcome.Accepted : CommandOutcome.TooMany;
            Assert.That(admin.Post("a", command), Is.EqualTo(expected), $"{command}: what was said last stands for this one, too");
        }

        Assert.That(admin.Post("b", AdminCommand.Stop), Is.EqualTo(CommandOutcome.UnknownHost));
        stage.Settle();
        Assert.That(admin.Post("a", AdminCommand.Stop), Is.EqualTo(CommandOutcome.Accepted));
    }
}
