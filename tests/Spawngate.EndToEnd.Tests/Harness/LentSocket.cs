using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Duplicates a socket of another process, which goes on holding it (pidfd_getfd(2), Linux 5.6).</summary>
internal static partial class LentSocket
{
    private const long PidfdOpen = 434,
        PidfdGetfd = 438; // The same numbers on all processors.

    /// <summary>Takes a socket that a process offers, see <c>--mode=lend</c> of the TestBackend.</summary>
    public static Socket Take(int pid, int descriptor)
    {
        long process = Call(PidfdOpen, pid, 0, 0);
        Assert.That(process, Is.Not.Negative, () => $"pidfd_open({pid}): errno {Marshal.GetLastPInvokeError()}");
        long taken = Call(PidfdGetfd, process, descriptor, 0);
        Assert.That(taken, Is.Not.Negative, () => $"pidfd_getfd({pid}, {descriptor}): errno {Marshal.GetLastPInvokeError()}");
        _ = Close((int)process);
        return new Socket(new SafeSocketHandle((nint)taken, ownsHandle: true));
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, long first, long second, long third);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
