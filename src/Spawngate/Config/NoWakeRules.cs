using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Config;

/// <summary>
/// The requests that never start a backend and do not count as use: those below certain paths, and those of certain user agents. Two of
/// them are equal when they were written alike.
/// </summary>
/// <remarks>Asked of every request to a backend that has such rules, so it looks at bytes and allocates nothing.</remarks>
internal sealed class NoWakeRules : IEquatable<NoWakeRules>
{
    /// <summary>What an entry may be, for error messages.</summary>
    public const string Allowed =
        "a path that starts with / (visible ASCII characters, no ? and #), or a part of a user agent (printable ASCII characters, no blanks around it); 256 characters at most";

    private readonly byte[][] _paths;
    private readonly byte[][] _agents;

    private NoWakeRules(IReadOnlyList<string> entries)
    {
        Entries = entries;
        _paths = [.. entries.Where(IsPath).Select(static entry => Normal(Encoding.ASCII.GetBytes(entry)))];
        _agents = [.. entries.Where(static entry => !IsPath(entry)).Select(Encoding.ASCII.GetBytes)];
    }

    /// <summary>The entries as they were written.</summary>
    public IReadOnlyList<string> Entries { get; }

    /// <summary>Rules of entries that are allowed; null when there are none.</summary>
    public static NoWakeRules? Of(IReadOnlyList<string> entries) => entries.Count == 0 ? null : new NoWakeRules(entries);

    /// <summary>Whether an entry may be one.</summary>
    public static bool IsAllowed(string entry)
    {
        if (entry.Length is 0 or > ConfigLimits.NoWakeEntryChars)
        {
            return false;
        }

        return IsPath(entry)
            ? ConfigText.IsVisibleAscii(entry) && entry.AsSpan().IndexOfAny('?', '#') < 0
            : !entry.AsSpan().ContainsAnyExceptInRange(' ', '~') && entry.AsSpan().Trim().Length == entry.Length;
    }

    /// <summary>Whether a request neither wakes nor uses its backend.</summary>
    /// <param name="request">The request.</param>
    /// <param name="head">The bytes of its head.</param>
    public bool Cover(RequestHead request, ReadOnlySpan<byte> head) =>
        (_paths.Length > 0 && CoverPath(request.Target(head))) || (_agents.Length > 0 && CoverAgent(request, head));

    /// <inheritdoc/>
    public bool Equals(NoWakeRules? other) => other is not null && Entries.SequenceEqual(other.Entries);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as NoWakeRules);

    /// <inheritdoc/>
    public override int GetHashCode() => Entries.Count;

    private static bool IsPath(string entry) => entry.StartsWith('/');

    private static byte[] Normal(byte[] path)
    {
        byte[] normal = new byte[NormalPath.BytesNeeded(path)];
        return normal[..NormalPath.Write(path, normal)];
    }

    private bool CoverPath(ReadOnlySpan<byte> target)
    {
        int query = target.IndexOf((byte)'?');
        var path = query < 0 ? target : target[..query];
        return NormalPath.IsNormal(path) ? IsBelowAny(path) : CoverOdd(path);
    }

    /// <summary>
    /// A method of its own, so that only paths in need of it pay for the stack. Of an endless path the end is not looked at.
    /// </summary>
    private bool CoverOdd(ReadOnlySpan<byte> path)
    {
        path = path[..Math.Min(path.Length, ConfigLimits.RequestLineBytesMax)];
        Span<byte> normal = stackalloc byte[ConfigLimits.RequestLineBytesMax + 1];
        return IsBelowAny(normal[..NormalPath.Write(path, normal)]);
    }

    /// <summary>
    /// Whole segments: what is below <c>/health</c> is <c>/health</c> and <c>/health/…</c>, not <c>/healthy</c>; <c>/</c> is everything.
    /// </summary>
    private bool IsBelowAny(ReadOnlySpan<byte> path)
    {
        foreach (byte[] above in _paths)
        {
            if (path.StartsWith(above) && (path.Length == above.Length || above[^1] == '/' || path[above.Length] == '/'))
            {
                return true;
            }
        }

        return false;
    }

    private bool CoverAgent(RequestHead request, ReadOnlySpan<byte> head)
    {
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (
                field.Known == KnownHeader.None
                && Grammar.EqualsIgnoreCase(field.Name(head), "user-agent"u8)
                && ContainAny(field.Value(head))
            )
            {
                return true;
            }
        }

        return false;
    }

    private bool ContainAny(ReadOnlySpan<byte> agent)
    {
        agent = agent[..Math.Min(agent.Length, ConfigLimits.NoWakeAgentBytes)];
        foreach (byte[] part in _agents)
        {
            if (Contains(agent, part))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Contains(ReadOnlySpan<byte> text, ReadOnlySpan<byte> part)
    {
        byte lower = (byte)char.ToLowerInvariant((char)part[0]);
        byte upper = (byte)char.ToUpperInvariant((char)part[0]);
        while (text.Length >= part.Length)
        {
            int at = text[..(text.Length - part.Length + 1)].IndexOfAny(lower, upper);
            if (at < 0)
            {
                return false;
            }

            if (Ascii.EqualsIgnoreCase(text.Slice(at, part.Length), part))
            {
                return true;
            }

            text = text[(at + 1)..];
        }

        return false;
    }
}
