using System.Runtime.InteropServices;

namespace TestBackend;

/// <summary>
/// Lets a test take a duplicate of this process' listening socket and accept in its place (<c>--mode=lend</c>): to the gateway it stays the
/// backend's own.
/// </summary>
internal static partial class SocketLoan
{
    private const int SetPtracer = 0x59616d61;
    private const ulong AnyProcess = ulong.MaxValue;

    /// <summary>To duplicate a descriptor asks for the right to trace, which the Yama module otherwise gives to ancestors only.</summary>
    public static void Offer() => _ = Control(SetPtracer, AnyProcess, 0, 0, 0);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, ulong argument, ulong third, ulong fourth, ulong fifth);
}
