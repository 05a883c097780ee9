using System.Globalization;

namespace Spawngate.Config;

/// <summary>A bound of memory as the file says it: a share of what the machine or the container has, or a size.</summary>
internal sealed record MemoryLimit
{
    /// <summary>What may be written.</summary>
    public const string Allowed =
        "a share of the memory from \"1%\" to \"100%\", or a size of at least 16m in b, k, m or g, such as \"512m\" or \"2g\"";

    /// <summary>A quarter: what is left is for backends, which share the machine.</summary>
    public static readonly MemoryLimit Standard = new() { Text = "25%", Percent = 25 };

    /// <summary>As written.</summary>
    public required string Text { get; init; }

    /// <summary>Hundredths of the memory; 0 when a size is given.</summary>
    public int Percent { get; private init; }

    /// <summary>A size in bytes; 0 when a share is given.</summary>
    public long Bytes { get; private init; }

    /// <summary>Reads what may be written; null for anything else.</summary>
    public static MemoryLimit? Parse(string text)
    {
        if (text.EndsWith('%'))
        {
            return
                int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int percent)
                && percent is >= 1 and <= 100
                ? new MemoryLimit { Text = text, Percent = percent }
                : null;
        }

        return DockerKeys.TryParseMemory(text, out long bytes) && bytes >= ConfigLimits.MemoryLimitBytesMin
            ? new MemoryLimit { Text = text, Bytes = bytes }
            : null;
    }

    /// <summary>The bound in bytes, as written.</summary>
    /// <param name="memoryBytes">The memory of the machine or the container.</param>
    public long Of(long memoryBytes) => Bytes > 0 ? Bytes : Math.Max(ConfigLimits.MemoryLimitBytesMin, memoryBytes / 100 * Percent);

    /// <summary>
    /// The bound in bytes that works: beside what is counted the heap holds what is not collected yet, and one that is full stops
    /// everything.
    /// </summary>
    /// <param name="memoryBytes">The memory of the machine or the container.</param>
    /// <param name="heapBytes">The most that the runtime's heap may have; 0 when that is not known.</param>
    public long Of(long memoryBytes, long heapBytes) => heapBytes > 0 ? Math.Min(Of(memoryBytes), heapBytes / 2) : Of(memoryBytes);
}
