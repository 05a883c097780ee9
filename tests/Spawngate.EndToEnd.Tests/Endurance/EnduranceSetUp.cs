using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>
/// What lasts is tried on the executable that is shipped: on the framework-dependent build the same tests would take minutes of every run
/// and show the same. They run there, too, when <c>SPAWNGATE_ENDURANCE_SECS</c> asks for it.
/// </summary>
[SetUpFixture]
internal sealed class EnduranceSetUp
{
    [OneTimeSetUp]
    public void OnlyNativeUnlessAsked()
    {
        if (!Executables.GatewayIsNative && !Effort.IsLong)
        {
            Assert.Ignore("endurance is tried on the native executable (SPAWNGATE_EXE), or for as long as SPAWNGATE_ENDURANCE_SECS says");
        }
    }
}
