using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>
/// Tests with programs whose packages are large or that take long to start. They run only when <c>SPAWNGATE_LARGE_PROGRAMS=1</c> asks for
/// them; what they measure stands in docs/programs.md.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class LargeProgramsAttribute : NUnitAttribute, IApplyToTest
{
    private static readonly bool Runs = Environment.GetEnvironmentVariable("SPAWNGATE_LARGE_PROGRAMS") == "1";

    /// <inheritdoc/>
    public void ApplyToTest(Test test)
    {
        test.Properties.Add(PropertyNames.Category, "LargePrograms");
        if (!Runs && test.RunState == RunState.Runnable)
        {
            test.RunState = RunState.Ignored;
            test.Properties.Set(PropertyNames.SkipReason, "large: runs with SPAWNGATE_LARGE_PROGRAMS=1");
        }
    }
}
