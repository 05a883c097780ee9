using System.Text;
using Spawngate.Logging;

namespace Spawngate.Telemetry.History;

/// <summary>
/// How a history keeps an event: as few bytes as possible, because thousands of backends may have a hundred of them each.
/// <code>
///   kind (1) │ which fields follow (varint) │ time in ms (varint) │ start (varint) │ fields in the order of their bits
///   text: bytes (varint), UTF-8      time span: 10 µs (varint)      caller: four texts      exit: status + 1, signal + 1
/// </code>
/// The number of an event follows from its place, and lines of output are kept apart, so neither is in here.
/// </summary>
internal static class HistoryCodec
{
    private const double SpanUnitsPerMs = 100;

    [Flags]
    private enum Parts
    {
        Reason = 1,
        Requests = 2,
        By = 4,
        SpawnMs = 8,
        ListenMs = 16,
        ReadyMs = 32,
        AfterMs = 64,
        Exit = 128,
        ActiveRequests = 256,
        Times = 512,
    }

    /// <summary>
    /// Writes an event, its texts cut to their bounds. Returns the length, at most <see cref="HistoryLimits.EventBytesMax"/>.
    /// </summary>
    public static int Write(Span<byte> target, HistoryEvent entry)
    {
        var writer = new Writer(target);
        writer.Number((byte)entry.Event);
        writer.Number((ulong)PartsOf(entry));
        writer.Number((ulong)new DateTimeOffset(entry.Time).ToUnixTimeMilliseconds());
        writer.Number((ulong)entry.Start);
        writer.Text(entry.Reason, HistoryLimits.TextBytes);
        writer.Optional(entry.Requests);
        if (entry.By is { } by)
        {
            writer.Text(by.Method ?? "", HistoryLimits.ShortTextBytes);
            writer.Text(by.Path ?? "", HistoryLimits.PathBytes);
            writer.Text(by.Client ?? "", HistoryLimits.ShortTextBytes);
            writer.Text(by.UserAgent ?? "", HistoryLimits.TextBytes);
        }

        writer.Span(entry.SpawnMs);
        writer.Span(entry.ListenMs);
        writer.Span(entry.ReadyMs);
        writer.Optional(entry.AfterMs);
        if (entry.Exit is { } exit)
        {
            writer.Number((ulong)((exit.Status ?? -1) + 1));
            writer.Number((ulong)((exit.Signal ?? -1) + 1));
        }

        writer.Text(entry.ActiveRequests, HistoryLimits.ActiveRequestBytes);
        writer.Optional(entry.Times);
        return writer.Length;
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static HistoryEvent Read(ReadOnlySpan<byte> source, long seq, IReadOnlyList<StreamLine>? output)
    {
        var reader = new Reader(source);
        var kind = (HistoryEventKind)reader.Number();
        var parts = (Parts)reader.Number();

        // Initialisers run in the order they are written in, which is that of the fields.
        return new HistoryEvent
        {
            Seq = seq,
            Event = kind,
            Time = DateTimeOffset.FromUnixTimeMilliseconds((long)reader.Number()).UtcDateTime,
            Start = (int)reader.Number(),
            Reason = parts.HasFlag(Parts.Reason) ? reader.Text() : null,
            Requests = parts.HasFlag(Parts.Requests) ? (long)reader.Number() : null,
            By = parts.HasFlag(Parts.By)
                ? new HistoryCaller(reader.TextOrNull(), reader.TextOrNull(), reader.TextOrNull(), reader.TextOrNull())
                : null,
            SpawnMs = parts.HasFlag(Parts.SpawnMs) ? reader.Span() : null,
            ListenMs = parts.HasFlag(Parts.ListenMs) ? reader.Span() : null,
            ReadyMs = parts.HasFlag(Parts.ReadyMs) ? reader.Span() : null,
            AfterMs = parts.HasFlag(Parts.AfterMs) ? (long)reader.Number() : null,
            Exit = parts.HasFlag(Parts.Exit) ? new HistoryExit(reader.CodeOrNull(), reader.CodeOrNull()) : null,
            ActiveRequests = parts.HasFlag(Parts.ActiveRequests) ? reader.Text() : null,
            Times = parts.HasFlag(Parts.Times) ? (int)reader.Number() : null,
            Output = output,
        };
    }

    private static Parts PartsOf(HistoryEvent entry) =>
        Part(Parts.Reason, entry.Reason is not null)
        | Part(Parts.Requests, entry.Requests is not null)
        | Part(Parts.By, entry.By is not null)
        | Part(Parts.SpawnMs, entry.SpawnMs is not null)
        | Part(Parts.ListenMs, entry.ListenMs is not null)
        | Part(Parts.ReadyMs, entry.ReadyMs is not null)
        | Part(Parts.AfterMs, entry.AfterMs is not null)
        | Part(Parts.Exit, entry.Exit is not null)
        | Part(Parts.ActiveRequests, entry.ActiveRequests is not null)
        | Part(Parts.Times, entry.Times is not null);

    private static Parts Part(Parts part, bool isThere) => isThere ? part : 0;

    private ref struct Writer(Span<byte> target)
    {
        private readonly Span<byte> _target = target;

        public int Length { get; private set; }

        public void Number(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
            {
                _target[Length++] = (byte)(value | 0x80);
            }

            _target[Length++] = (byte)value;
        }

        public void Optional(long? value)
        {
            if (value is { } known)
            {
                Number((ulong)Math.Max(0, known));
            }
        }

        public void Span(double? ms)
        {
            if (ms is { } known)
            {
                Number((ulong)Math.Max(0, Math.Round(known * SpanUnitsPerMs)));
            }
        }

        public void Text(string? text, int bytesMax)
        {
            if (text is null)
            {
                return;
            }

            // The encoder stops at the last whole character that fits.
            Span<byte> bytes = stackalloc byte[HistoryLimits.ActiveRequestBytes];
            Encoding.UTF8.GetEncoder().Convert(text, bytes[..bytesMax], flush: true, out _, out int written, out _);
            Number((ulong)written);
            bytes[..written].CopyTo(_target[Length..]);
            Length += written;
        }
    }

    private ref struct Reader(ReadOnlySpan<byte> source)
    {
        private ReadOnlySpan<byte> _source = source;

        public ulong Number()
        {
            ulong value = 0;
            int shift = 0;
            int i = 0;
            for (; (_source[i] & 0x80) != 0; i++, shift += 7)
            {
                value |= (ulong)(_source[i] & 0x7F) << shift;
            }

            value |= (ulong)_source[i] << shift;
            _source = _source[(i + 1)..];
            return value;
        }

        public double Span() => Number() / SpanUnitsPerMs;

        public int? CodeOrNull() => Number() is var code and > 0 ? (int)code - 1 : null;

        public string? TextOrNull() => Text() is { Length: > 0 } text ? text : null;

        public string Text()
        {
            int length = (int)Number();
            string text = Encoding.UTF8.GetString(_source[..length]);
            _source = _source[length..];
            return text;
        }
    }
}
