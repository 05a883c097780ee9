using System.Runtime.InteropServices;

namespace Spawngate.EndToEnd.Tests;

/// <summary>
/// A shell without job control starts what it is told to run beside it with SIGINT and SIGQUIT ignored, and whoever inherits that keeps
/// it, as it should be: Spawngate, too. Tests send these signals to gateways, so the test process gives the default back to its children.
/// </summary>
[SetUpFixture]
internal sealed partial class InheritedSignals
{
    private const int Interrupt = 2;
    private const int Quit = 3;
    private const nint Default = 0; // SIG_DFL
    private const nint Ignore = 1; // SIG_IGN

    [OneTimeSetUp]
    public void GiveTheDefaultBack()
    {
        foreach (int signal in (int[])[Interrupt, Quit])
        {
            nint handler = Signal(signal, Default);
            if (handler != Ignore)
            {
                Signal(signal, handler);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int signal, nint handler);
}
