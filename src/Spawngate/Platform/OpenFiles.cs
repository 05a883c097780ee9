using System.Net.Sockets;

namespace Spawngate.Platform;

/// <summary>The descriptors of this process, as Linux tells of them; elsewhere nothing is known.</summary>
internal static class OpenFiles
{
    /// <summary>How many are open; null when that cannot be known.</summary>
    public static int? Count()
    {
        try
        {
            // One of them is that of the folder itself.
            return Libc.IsLinux ? Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1 : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether nothing could be opened in this moment, whatever it was: there is no descriptor left, or no memory.</summary>
    public static bool IsShortage(int errno) => errno is Libc.EMFILE or Libc.ENFILE or Libc.ENOMEM;

    /// <summary>Why something could not be opened or started, with the limit that was met where there is one.</summary>
    public static string Explain(int errno) =>
        errno switch
        {
            Libc.EMFILE => NoneLeft,
            Libc.ENFILE => "the system has no file descriptor left",
            _ => Libc.Describe(errno),
        };

    /// <summary>Why there is no socket. The runtime's words for a limit of the process are those for a limit of the system.</summary>
    public static string Explain(SocketException error) =>
        error.SocketErrorCode == SocketError.TooManyOpenSockets ? NoneLeft : error.Message;

    /// <summary>That this process may open no more.</summary>
    public static string NoneLeft => $"no file descriptor is left: the limit of open files is {Bound()}";

    /// <summary>How many may be; null when that cannot be known, or when there is no bound.</summary>
    public static long? Bound() => OpenFileLimit.Own.Soft;
}
