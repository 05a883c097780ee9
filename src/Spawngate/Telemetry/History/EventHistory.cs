using System.Buffers.Binary;
using Spawngate.Logging;
using Spawngate.Runtime;

namespace Spawngate.Telemetry.History;

/// <summary>
/// The last <see cref="HistoryLimits.EventsMax"/> events of one backend, in one array that grows with what is in it and has no references,
/// so that ten thousand histories mean ten thousand small objects to the collector. Written by the backend's lifecycle, read by anybody.
/// </summary>
/// <remarks>
/// <code>
///   bytes   0 ... dropped ... start ┌ length (2) │ event ┐┌ length (2) │ event ┐ ... end ... room
/// </code>
/// The oldest event makes room for the newest; what is left moves to the front when the end of the array is reached.
/// </remarks>
internal sealed class EventHistory : IShortenable
{
    private const int LengthBytes = sizeof(ushort);

    private readonly Lock _gate = new();
    private readonly MemoryBudget? _budget;
    private readonly List<Tail> _output = new(HistoryLimits.OutputTails);
    private byte[] _bytes = [];
    private int _start;
    private int _end;
    private int _lastStart;
    private int _count;
    private long _seq;
    private int _outputBytes;
    private long _lastAdded;

    /// <summary>Makes an empty one.</summary>
    /// <param name="budget">What all histories may hold together; null for one that stands alone.</param>
    public EventHistory(MemoryBudget? budget = null) => _budget = budget;

    /// <inheritdoc/>
    public long LastAdded => Volatile.Read(ref _lastAdded);

    /// <inheritdoc/>
    public int HeldBytes
    {
        get
        {
            lock (_gate)
            {
                return _bytes.Length + _outputBytes;
            }
        }
    }

    /// <summary>The latest event; null before the first.</summary>
    public HistoryEvent? Last
    {
        get
        {
            lock (_gate)
            {
                return _count == 0 ? null : ReadAt(_lastStart, _seq);
            }
        }
    }

    /// <summary>Bytes of the array.</summary>
    public int Bytes
    {
        get
        {
            lock (_gate)
            {
                return _bytes.Length;
            }
        }
    }

    /// <summary>Adds an event, whose number is given here; its texts are cut to their bounds.</summary>
    /// <returns>The event as it is kept.</returns>
    public HistoryEvent Append(HistoryEvent entry) => Tell(entry, goesOn: false);

    /// <summary>Puts an event in the place of the latest one, which it continues: its number stays.</summary>
    /// <returns>The event as it is kept.</returns>
    public HistoryEvent ReplaceLast(HistoryEvent entry) => Tell(entry, goesOn: true);

    /// <inheritdoc/>
    public void Shorten(int bytes)
    {
        lock (_gate)
        {
            while (_count > 1 && _end - _start > bytes)
            {
                DropOldest();
            }

            int used = _end - _start;
            while (_output.Count > 0 && (used + _outputBytes > bytes || _output[0].Seq <= _seq - _count))
            {
                DropOutput();
            }

            byte[] rest = _bytes.AsSpan(_start, used).ToArray();
            _lastStart -= _start;
            (_bytes, _start, _end) = (rest, 0, used);
        }
    }

    /// <summary>All events, oldest first.</summary>
    public IReadOnlyList<HistoryEvent> Snapshot()
    {
        lock (_gate)
        {
            var events = new HistoryEvent[_count];
            for (int i = 0, at = _start; i < _count; i++)
            {
                events[i] = ReadAt(at, _seq - _count + 1 + i);
                at += LengthBytes + LengthAt(at);
            }

            return events;
        }
    }

    private HistoryEvent Tell(HistoryEvent entry, bool goesOn)
    {
        int grown;
        HistoryEvent kept;
        lock (_gate)
        {
            int before = _bytes.Length + _outputBytes;
            if (goesOn)
            {
                _end = _lastStart;
                _count--;
                _seq--;
            }
            else if (_count == HistoryLimits.EventsMax)
            {
                DropOldest();
            }

            kept = Add(entry);
            grown = _bytes.Length + _outputBytes - before;
            Volatile.Write(ref _lastAdded, _budget?.NextAdded() ?? 0);
        }

        _budget?.OnGrown(grown);
        return kept;
    }

    private HistoryEvent Add(HistoryEvent entry)
    {
        Span<byte> encoded = stackalloc byte[HistoryLimits.EventBytesMax];
        int length = HistoryCodec.Write(encoded, entry);
        MakeRoom(LengthBytes + length);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_end), (ushort)length);
        encoded[..length].CopyTo(_bytes.AsSpan(_end + LengthBytes));
        _lastStart = _end;
        _end += LengthBytes + length;
        _count++;
        _seq++;
        KeepOutput(entry.Output);
        return ReadAt(_lastStart, _seq);
    }

    private void KeepOutput(IReadOnlyList<StreamLine>? lines)
    {
        if (lines is not { Count: > 0 })
        {
            return;
        }

        if (_output.Count == HistoryLimits.OutputTails)
        {
            DropOutput();
        }

        _output.Add(new Tail(_seq, [.. LastOf(lines).Select(static line => line with { Text = Cut(line.Text) })]));
        _outputBytes += _output[^1].Bytes;
        static string Cut(string line) => line.Length <= HistoryLimits.OutputLineChars ? line : line[..HistoryLimits.OutputLineChars];
    }

    /// <summary>The last lines, in order, with some of each stream that has any.</summary>
    private static IEnumerable<StreamLine> LastOf(IReadOnlyList<StreamLine> lines)
    {
        int ofStderr = lines.Count(static line => line.Stream == OutputStream.Stderr);
        int ofStdout = lines.Count - ofStderr;
        int stderrMax = Math.Max(HistoryLimits.OutputLinesOfStderr, HistoryLimits.OutputLines - ofStdout);
        int skipStderr = Math.Max(0, ofStderr - stderrMax);
        int skipStdout = Math.Max(0, ofStdout - (HistoryLimits.OutputLines - (ofStderr - skipStderr)));
        return lines.Where(line => line.Stream == OutputStream.Stderr ? --skipStderr < 0 : --skipStdout < 0);
    }

    private void DropOutput()
    {
        _outputBytes -= _output[0].Bytes;
        _output.RemoveAt(0);
    }

    private void DropOldest()
    {
        _start += LengthBytes + LengthAt(_start);
        _count--;
    }

    /// <summary>The array keeps room for an eighth more than is in it, so that moving its content to the front is rare.</summary>
    private void MakeRoom(int bytes)
    {
        if (_end + bytes <= _bytes.Length)
        {
            return;
        }

        int used = _end - _start;
        int needed = used + bytes;
        byte[] target =
            needed + (needed / 8) <= _bytes.Length ? _bytes : new byte[Math.Max(HistoryLimits.FirstBytes, needed + (needed / 4))];
        Buffer.BlockCopy(_bytes, _start, target, 0, used);
        _bytes = target;
        _lastStart -= _start;
        _start = 0;
        _end = used;
    }

    private int LengthAt(int at) => BinaryPrimitives.ReadUInt16LittleEndian(_bytes.AsSpan(at));

    private HistoryEvent ReadAt(int at, long seq)
    {
        StreamLine[]? output = null;
        foreach (var tail in _output)
        {
            output = tail.Seq == seq ? tail.Lines : output;
        }

        return HistoryCodec.Read(_bytes.AsSpan(at + LengthBytes, LengthAt(at)), seq, output);
    }

    private sealed record Tail(long Seq, StreamLine[] Lines)
    {
        /// <summary>Text takes two bytes a character, and each line an object of some 22 bytes, a reference and its stream.</summary>
        public int Bytes { get; } = Lines.Sum(static line => (2 * line.Text.Length) + 38);
    }
}
