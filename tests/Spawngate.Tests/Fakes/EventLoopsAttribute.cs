using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>
/// Category of tests of what only the event loops do: splicing, looking ahead, keeping a connection on one thread. They are skipped where
/// another transport is tested (<c>SPAWNGATE_TRANSPORT</c>), on which all others hold as well.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class EventLoopsAttribute : NUnitAttribute, IApplyToTest
{
    /// <inheritdoc/>
    public void ApplyToTest(Test test)
    {
        test.Properties.Add(PropertyNames.Category, "EventLoops");
        if (StreamTransport.Chosen is not EpollTransport && test.RunState == RunState.Runnable)
        {
            test.RunState = RunState.Ignored;
            test.Properties.Set(PropertyNames.SkipReason, "only the event loops do it");
        }
    }
}
