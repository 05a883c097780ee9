using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>
/// What the gateway says in Server-Timing (W3C Server Timing), in milliseconds: <c>queue;dur=812.345, spawn;dur=2.101, connect;dur=0.120,
/// upstream;dur=1.234</c>. Only what happened is named.
/// </summary>
internal static class ServerTiming
{
    /// <summary>The value for an exchange as far as it is; empty when nothing of it happened, or nobody wants to know.</summary>
    public static ReadOnlySpan<byte> Of(Exchange exchange, ForwardingContext context) =>
        context.Server.ServerTiming
            ? Write(
                exchange.Heads.Timing ??= new byte[ForwardingLimits.ServerTimingBytes],
                exchange.Record,
                context.Time.TimestampFrequency
            )
            : default;

    /// <summary>Writes the value; empty when nothing of it happened.</summary>
    /// <param name="target">At least <see cref="ForwardingLimits.ServerTimingBytes"/>.</param>
    /// <param name="record">What is noted of the exchange.</param>
    /// <param name="frequency">Ticks a second.</param>
    public static ReadOnlySpan<byte> Write(Span<byte> target, ExchangeRecord record, long frequency)
    {
        var writer = new RecordWriter(target);
        if (record.HeldTicks > 0)
        {
            Add(ref writer, "queue;dur="u8, record.HeldTicks, frequency);
        }

        if (record.Start.Ready != 0)
        {
            Add(ref writer, "spawn;dur="u8, record.Start.Spawned - record.Start.Woken, frequency);
        }

        if (record.ConnectTimestamp != 0)
        {
            Add(ref writer, "connect;dur="u8, record.ConnectTicks, frequency);
        }

        if (record.AnsweredTimestamp != 0)
        {
            Add(ref writer, "upstream;dur="u8, record.AnsweredTimestamp - record.SentTimestamp, frequency);
        }

        return target[..writer.Length];
    }

    private static void Add(ref RecordWriter writer, ReadOnlySpan<byte> name, long ticks, long frequency)
    {
        if (writer.Length > 0)
        {
            writer.Write(", "u8);
        }

        writer.Write(name);
        writer.WriteMicros((long)(ticks * (1_000_000.0 / frequency)), 1000);
    }
}
