using System.Globalization;

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

    /// <summary>How many may be; null when that cannot be known, or when there is no bound.</summary>
    public static long? Bound()
    {
        try
        {
            return Libc.IsLinux ? ParseBound(File.ReadLines("/proc/self/limits")) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The soft limit in the lines of <c>/proc/PID/limits</c>.</summary>
    public static long? ParseBound(IEnumerable<string> lines)
    {
        string[]? words = lines.FirstOrDefault(static line => line.StartsWith("Max open files", StringComparison.Ordinal))?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [_, _, _, var soft, ..] && long.TryParse(soft, CultureInfo.InvariantCulture, out long bound) ? bound : null;
    }
}
