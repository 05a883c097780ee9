using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Http2;

/// <summary>How urgent a response is (RFC 9218 section 4).</summary>
/// <param name="Urgency">0, the most urgent, to 7.</param>
/// <param name="Incremental">True when parts are of use, so that it may share with others of its urgency.</param>
public readonly record struct StreamPriority(byte Urgency, bool Incremental)
{
    /// <summary>What holds when nothing is said.</summary>
    public static readonly StreamPriority Default = new(3, false);

    /// <summary>
    /// Reads a Priority field value, a dictionary of structured fields (RFC 9218 section 4, RFC 8941 section 3.2). What is unknown or of
    /// the wrong type is ignored, as RFC 9218 section 4 asks; of a repeated key the last counts.
    /// </summary>
    public static StreamPriority Parse(ReadOnlySpan<byte> value)
    {
        var priority = Default;
        while (FieldTable.NextListItem(ref value, out var item))
        {
            int semicolon = item.IndexOf((byte)';');
            item = Grammar.TrimOws(semicolon < 0 ? item : item[..semicolon]);
            if (item.Length == 3 && item.StartsWith("u="u8) && item[2] is >= (byte)'0' and <= (byte)'7')
            {
                priority = priority with { Urgency = (byte)(item[2] - '0') };
            }
            else if (item.SequenceEqual("i"u8) || item.SequenceEqual("i=?1"u8))
            {
                priority = priority with { Incremental = true };
            }
            else if (item.SequenceEqual("i=?0"u8))
            {
                priority = priority with { Incremental = false };
            }
        }

        return priority;
    }
}
