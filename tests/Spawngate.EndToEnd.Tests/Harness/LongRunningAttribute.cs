using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// Tests that take long: they mostly wait for time to pass, need engines, or move much. They run on the native executable
/// (<c>SPAWNGATE_EXE</c>), as <c>.ci/run</c> does; on the framework-dependent build, which would show the same, only when
/// <c>SPAWNGATE_LONG_RUNNING=1</c> asks for them.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class LongRunningAttribute : NUnitAttribute, IApplyToTest
{
    private static readonly bool Runs = Executables.GatewayIsNative || Environment.GetEnvironmentVariable("SPAWNGATE_LONG_RUNNING") == "1";

    /// <inheritdoc/>
    public void ApplyToTest(Test test)
    {
        test.Properties.Add(PropertyNames.Category, "LongRunning");
        if (!Runs && test.RunState == RunState.Runnable)
        {
            test.RunState = RunState.Ignored;
            test.Properties.Set(
                PropertyNames.SkipReason,
                "long: runs on the native executable (SPAWNGATE_EXE), or with SPAWNGATE_LONG_RUNNING=1"
            );
        }
    }
}
