using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Sessions;

namespace Spawngate.Routing;

/// <summary>
/// All backends by host name: immutable, replaced whole by a reload. A look-up costs one hash of the name, or one more for each label of
/// the deepest wildcard, and neither allocates nor locks. Sessions come and go beside it, in an index of their own.
/// <code>
///   "API.example.com:8080." ── Normalise ──▶ "api.example.com" ─▶ exact names
///                                                     ├ no match, and the first label looks like an id ─▶ sessions
///                                                     └ no match ─▶ "example.com", then "com" among the wildcards ─▶ "*"
/// </code>
/// </summary>
internal sealed class BackendTable
{
    /// <summary>A table without backends.</summary>
    public static readonly BackendTable Empty = new([]);

    private readonly NameMap _exact;
    private readonly NameMap _wildcards;
    private readonly int _wildcardLabelsMax;
    private readonly SessionIndex? _sessions;

    /// <summary>
    /// Makes the table of <paramref name="backends"/>, whose names are unique, with the sessions of the gateway, if it may have some.
    /// </summary>
    public BackendTable(IReadOnlyCollection<Backend> backends, SessionIndex? sessions = null)
    {
        _sessions = sessions;
        var exact = new List<(byte[] Name, Backend Backend)>(backends.Count);
        var wildcards = new List<(byte[] Name, Backend Backend)>();
        foreach (var backend in backends)
        {
            var key = backend.Config.Route.Hostname;
            if (key == "*")
            {
                Anything = backend;
            }
            else if (key.StartsWith("*.", StringComparison.Ordinal))
            {
                var suffix = NameOf(key[2..]);
                wildcards.Add((suffix, backend));
                _wildcardLabelsMax = Math.Max(_wildcardLabelsMax, 1 + suffix.AsSpan().Count((byte)'.'));
            }
            else
            {
                exact.Add((NameOf(key), backend));
            }
        }

        _exact = new NameMap(exact);
        _wildcards = new NameMap(wildcards);
    }

    /// <summary>The backend for requests that name no host, as HTTP/1.0 allows; null when there is none.</summary>
    public Backend? Anything { get; }

    /// <summary>The backend for the value of a Host header or :authority; null when there is none.</summary>
    public Backend? Find(ReadOnlySpan<byte> host) => Find(host, out _);

    /// <summary>The same, and whether there is none because it was a session that has ended.</summary>
    public Backend? Find(ReadOnlySpan<byte> host, out bool hasEnded)
    {
        hasEnded = false;
        Span<byte> buffer = stackalloc byte[ConfigLimits.HostNameBytesMax];
        var length = HostName.Fold(host, buffer);
        if (length <= 0)
        {
            return length == 0 ? null : Anything;
        }

        ReadOnlySpan<byte> name = buffer[..length];
        if (_exact.Find(name) is { } exact)
        {
            return exact;
        }

        return _sessions?.Find(name, out hasEnded) is { } session ? session
            : hasEnded ? null
            : _wildcardLabelsMax == 0 ? Anything
            : FindWildcard(name);
    }

    private Backend? FindWildcard(ReadOnlySpan<byte> name)
    {
        // Suffixes with more labels than any wildcard has cannot match: what a client sends does not decide how many are looked up.
        var skip = name.Count((byte)'.') - _wildcardLabelsMax;
        var rest = name;
        for (var dot = rest.IndexOf((byte)'.'); dot >= 0; dot = rest.IndexOf((byte)'.'))
        {
            rest = rest[(dot + 1)..];
            // "*" stands for one or more labels, so something must stand before the dot.
            if (skip-- <= 0 && rest.Length < name.Length - 1 && _wildcards.Find(rest) is { } found)
            {
                return found; // The first is the longest, so the most specific.
            }
        }

        return Anything;
    }

    private static byte[] NameOf(string key)
    {
        Span<byte> buffer = stackalloc byte[ConfigLimits.HostNameBytesMax];
        var length = HostName.Fold(Encoding.UTF8.GetBytes(key), buffer);
        return length > 0 ? buffer[..length].ToArray() : throw new ArgumentException($"Not a host name: {key}", nameof(key));
    }

    /// <summary>
    /// Open addressing with linear probing, at most half full, hashed with a seed of this process so that nobody can aim at one chain.
    /// </summary>
    private sealed class NameMap
    {
        private static readonly ulong Seed = BinaryPrimitives.ReadUInt64LittleEndian(Entropy.Bytes(8));
        private readonly Slot[] _slots;

        public NameMap(List<(byte[] Name, Backend Backend)> entries)
        {
            _slots = new Slot[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(2, entries.Count * 2))];
            foreach (var (name, backend) in entries)
            {
                var hash = Hash(name);
                var index = (int)hash & (_slots.Length - 1);
                while (_slots[index].Backend is not null)
                {
                    index = (index + 1) & (_slots.Length - 1);
                }

                _slots[index] = new Slot(hash, name, backend);
            }
        }

        public Backend? Find(ReadOnlySpan<byte> name)
        {
            var slots = _slots;
            var hash = Hash(name);
            // Ends at an empty slot, of which there is at least one in two.
            for (var index = (int)hash & (slots.Length - 1); ; index = (index + 1) & (slots.Length - 1))
            {
                ref readonly var slot = ref slots[index];
                if (slot.Backend is null || (slot.Hash == hash && name.SequenceEqual(slot.Name)))
                {
                    return slot.Backend;
                }
            }
        }

        /// <summary>
        /// Multiply and fold, eight bytes at a step, as in wyhash: every step is keyed by the seed through the running state.
        /// </summary>
        private static uint Hash(ReadOnlySpan<byte> name)
        {
            var state = Seed ^ ((ulong)name.Length * 0x9E37_79B9_7F4A_7C15);
            while (name.Length >= 8)
            {
                state = Fold(state ^ BinaryPrimitives.ReadUInt64LittleEndian(name));
                name = name[8..];
            }

            ulong tail = 0;
            foreach (var b in name)
            {
                tail = (tail << 8) | b;
            }

            state = Fold(state ^ tail);
            return (uint)(state ^ (state >> 32));
        }

        private static ulong Fold(ulong value)
        {
            var high = Math.BigMul(value ^ 0xA076_1D64_78BD_642F, Seed | 1, out var low);
            return high ^ low;
        }

        private readonly record struct Slot(uint Hash, byte[] Name, Backend? Backend);
    }
}
