using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>Recognises bounds in code: constants named like one, and literal sizes of buffers, queues and times.</summary>
internal static class TidyBounds
{
    private static readonly Regex Constant = new(
        @"\b(?:const|static\s+readonly)\s+(?:int|uint|long|ulong|short|ushort|byte|double|nint|TimeSpan)\s+(?<name>\w*(?:Max|Min|Limit|Capacity|Budget|Bound|Timeout|Interval|Threshold|Deadline|Backlog)(?:[A-Z_]\w*)?)\s*="
    );

    private static readonly Regex[] Literals =
    [
        new(@"\bstackalloc\s+\w+\s*\[\s*(?<size>[\d_]+(?:\s*\*\s*[\d_]+)*)\s*\]"),
        new(@"\bnew\s+\w+\s*\[\s*(?<size>[\d_]+(?:\s*\*\s*[\d_]+)*)\s*\](?!\s*\{)"),
        new(
            @"\bnew\s+(?:List|Dictionary|HashSet|Queue|Stack|PriorityQueue|StringBuilder|MemoryStream|SemaphoreSlim|BoundedChannelOptions|ArrayBufferWriter)(?:<[^()]*>)?\s*\(\s*(?<size>[\d_]+)\b"
        ),
        new(
            @"\b(?:Rent|GetMemory|GetSpan|CreateBounded(?:<[^()]*>)?|CancelAfter|AllocateUninitializedArray(?:<[^()]*>)?|AllocateArray(?:<[^()]*>)?)\s*\(\s*(?<size>[\d_]+)\b"
        ),
        new(@"\bTimeSpan\.From(?:Seconds|Milliseconds|Minutes|Hours)\s*\(\s*(?<size>[\d_]+)\b"),
    ];

    /// <summary>Sizes up to this are parts of a format (an escape's two characters, a time of day, a tag), not bounds.</summary>
    private const long SmallSize = 64;

    /// <summary>The bounds of a source file with their lines.</summary>
    public static IEnumerable<(string Name, int Line)> Find(string source)
    {
        var masked = CSharpText.Mask(source);
        foreach (Match match in Constant.Matches(masked))
        {
            yield return (match.Groups["name"].Value, LineOf(masked, match.Index));
        }

        foreach (var match in Literals.SelectMany(pattern => pattern.Matches(masked)))
        {
            var factors = match
                .Groups["size"]
                .Value.Replace("_", "", StringComparison.Ordinal)
                .Split('*')
                .Select(factor => long.Parse(factor.Trim()));
            if (
                factors.Aggregate(1L, (product, factor) => product * factor) > SmallSize
                || match.Value.StartsWith("TimeSpan", StringComparison.Ordinal)
            )
            {
                yield return (match.Value, LineOf(masked, match.Index));
            }
        }
    }

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;
}
