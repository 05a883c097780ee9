using Spawngate.Commands;

namespace Spawngate.Tests;

/// <summary>The runtime's switch for inline completions is set for this process only.</summary>
[NonParallelizable]
internal sealed class InlineCompletionsTests
{
    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    [TearDown]
    public void Restore() => Environment.SetEnvironmentVariable(Variable, null);

    [Test]
    public void The_variable_is_gone_when_it_has_done_its_work()
    {
        Environment.SetEnvironmentVariable(Variable, null);
        InlineCompletions.Enable();
        Assert.That(Environment.GetEnvironmentVariable(Variable), Is.Null);
    }

    [TestCase("0")]
    [TestCase("1")]
    public void The_choice_of_the_user_stands(string value)
    {
        Environment.SetEnvironmentVariable(Variable, value);
        InlineCompletions.Enable();
        Assert.That(Environment.GetEnvironmentVariable(Variable), Is.EqualTo(value));
    }
}
