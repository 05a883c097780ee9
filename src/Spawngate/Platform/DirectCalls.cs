using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Spawngate.Platform;

/// <summary>The two calls of every event, receive and send, with nothing around them (Linux). They never wait.</summary>
/// <remarks>
/// Nothing here holds the descriptor: the caller makes sure that it is not closed meanwhile. For the garbage collector the thread stays in
/// managed code, so a collection waits for a call under way, at most as long as copying a large buffer takes. For the same reason nothing
/// runs between the call and the reading of its errno. <c>syscall(2)</c> is called rather than the C library's <c>recv</c> and <c>send</c>
/// where the numbers are known: these are cancellation points, which change the state of the thread twice.
/// </remarks>
internal static unsafe partial class DirectCalls
{
    private const int MSG_DONTWAIT = 0x40;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int MSG_MORE = 0x8000;
    private const string Library = "libc";

    // asm/unistd_64.h, and asm-generic/unistd.h. These are constants to the compiler.
    private static bool IsKnown => X86Base.X64.IsSupported || ArmBase.Arm64.IsSupported;

    private static nint ReceiveNumber => X86Base.X64.IsSupported ? 45 : 207;

    private static nint SendNumber => X86Base.X64.IsSupported ? 44 : 206;

    /// <summary>Asks for the place of errno once, so that what finds and binds that call has run before it matters.</summary>
    public static void Prepare() => _ = ErrnoLocation();

    /// <summary>Receives what is there. Bytes; 0 at the end of the stream; else the negative errno.</summary>
    public static int Receive(int socket, byte[] buffer, int offset, int count)
    {
        fixed (byte* bytes = buffer)
        {
            nint result = IsKnown
                ? Call(ReceiveNumber, socket, bytes + offset, count, MSG_DONTWAIT, 0, 0)
                : Receive(socket, bytes + offset, (nuint)count, MSG_DONTWAIT);
            return result >= 0 ? (int)result : -*ErrnoLocation();
        }
    }

    /// <summary>Sends as much as the kernel takes at once. Bytes, else the negative errno.</summary>
    public static int Send(int socket, byte[] buffer, int offset, int count, bool more)
    {
        int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
        fixed (byte* bytes = buffer)
        {
            nint result = IsKnown
                ? Call(SendNumber, socket, bytes + offset, count, flags, 0, 0)
                : Send(socket, bytes + offset, (nuint)count, flags);
            return result >= 0 ? (int)result : -*ErrnoLocation();
        }
    }

    // Variadic in C: on Linux such a call passes integers and pointers like any other.
    [LibraryImport(Library, EntryPoint = "syscall"), SuppressGCTransition]
    private static partial nint Call(nint number, nint socket, byte* buffer, nint count, nint flags, nint address, nint addressLength);

    [LibraryImport(Library, EntryPoint = "recv"), SuppressGCTransition]
    private static partial nint Receive(int socket, byte* buffer, nuint count, int flags);

    [LibraryImport(Library, EntryPoint = "send"), SuppressGCTransition]
    private static partial nint Send(int socket, byte* buffer, nuint count, int flags);

    [LibraryImport(Library, EntryPoint = "__errno_location"), SuppressGCTransition]
    private static partial int* ErrnoLocation();
}
