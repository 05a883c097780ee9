using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>
/// Tests that take long: they mostly wait for time to pass, need engines, or move much. Where the same run tries them on the native
/// executable afterwards (<c>SPAWNGATE_NATIVE_FOLLOWS=1</c>), they are skipped on the framework-dependent build, which would show the same.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class LongRunningAttribute : NUnitAttribute, IApplyToTest
{
    private static readonly bool Skips =
        !Executables.GatewayIsNative && Environment.GetEnvironmentVariable("SPAWNGATE_NATIVE_FOLLOWS") == "1";

    /// <inheritdoc/>
    public void ApplyToTest(Test test)
    {
        if (Skips && test.RunState == RunState.Runnable)
        {
            test.RunState = RunState.Ignored;
            test.Properties.Set(PropertyNames.SkipReason, "runs on the native executable next");
        }
    }
}
