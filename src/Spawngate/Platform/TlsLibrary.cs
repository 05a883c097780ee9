using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// Whether TLS can be spoken at all. On Linux the framework loads OpenSSL at the first use, and ends the whole process where it finds none:
/// so it is looked for before. On other systems TLS is part of the system.
/// </summary>
internal static class TlsLibrary
{
    private const ulong LoaderBase = 7; // AT_BASE, see getauxval(3)
    private static readonly string[] Names = ["libssl.so.3", "libssl.so.1.1"];
    private static readonly Lazy<string?> Found = new(Look);

    /// <summary>Why there is none; null when there is.</summary>
    public static string? Problem => Found.Value;

    private static string? Look()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        if (IsStatic())
        {
            return "this executable is a static one, which has no TLS library";
        }

        return Array.Exists(Names, static name => NativeLibrary.TryLoad(name, out _))
            ? null
            : "OpenSSL is not installed (libssl.so.3; Debian: apt-get install libssl3, Alpine: apk add libssl3)";
    }

    /// <summary>A static executable is run without a loader of libraries.</summary>
    private static bool IsStatic()
    {
        ReadOnlySpan<byte> vector;
        try
        {
            vector = File.ReadAllBytes("/proc/self/auxv");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // Loading it will tell.
        }

        for (; vector.Length >= 2 * sizeof(ulong); vector = vector[(2 * sizeof(ulong))..])
        {
            if (BinaryPrimitives.ReadUInt64LittleEndian(vector) == LoaderBase)
            {
                return BinaryPrimitives.ReadUInt64LittleEndian(vector[sizeof(ulong)..]) == 0;
            }
        }

        return false;
    }
}
