using System.Buffers.Text;
using System.Text;

namespace Spawngate.Backends.Probing;

/// <summary>The little that a health check needs of a response head.</summary>
/// <param name="Status">Status code; -1 when it is not an HTTP/1 response.</param>
/// <param name="BodyLength">Bytes of the body if they are known, few, and the connection stays open after them; else -1.</param>
internal readonly record struct ProbeHead(int Status, long BodyLength)
{
    /// <summary>Reads a whole head, its blank line included.</summary>
    public static ProbeHead Read(ReadOnlySpan<byte> head)
    {
        var status = ReadStatus(head);
        var persistent = head.StartsWith("HTTP/1.1 "u8);
        long length = status is 204 or 304 ? 0 : -1;
        var lengths = 0;
        var rest = head[(head.IndexOf("\r\n"u8) + 2)..];
        while (rest.IndexOf("\r\n"u8) is var end and > 0)
        {
            var line = rest[..end];
            rest = rest[(end + 2)..];
            if (Value(line, "content-length:"u8, out var value))
            {
                lengths++;
                length = Utf8Parser.TryParse(value, out long parsed, out var used) && used == value.Length ? parsed : -1;
            }
            else if (Value(line, "transfer-encoding:"u8, out _) || Value(line, "connection:"u8, out value) && !Is(value, "keep-alive"u8))
            {
                persistent = false;
            }
        }

        var usable = persistent && status > 0 && lengths <= 1 && length is >= 0 and <= ProbeLimits.ProbeBodyBytesMax;
        return new ProbeHead(status, usable ? length : -1);
    }

    /// <summary>Reads the status of what may be the beginning of a head only; -1 when it is not there.</summary>
    public static int ReadStatus(ReadOnlySpan<byte> head)
    {
        // RFC 9112 4: HTTP-version SP status-code SP; servers that leave the last space out are read all the same.
        if (head.Length < 12 || !head.StartsWith("HTTP/1."u8) || head[8] != ' ')
        {
            return -1;
        }

        var digits = head.Slice(9, 3);
        return
            Utf8Parser.TryParse(digits, out int status, out var used)
            && used == 3
            && status >= 100
            && (head.Length == 12 || head[12] is (byte)' ' or (byte)'\r')
            ? status
            : -1;
    }

    private static bool Value(ReadOnlySpan<byte> line, ReadOnlySpan<byte> nameWithColon, out ReadOnlySpan<byte> value)
    {
        var found = line.Length >= nameWithColon.Length && Is(line[..nameWithColon.Length], nameWithColon);
        value = found ? line[nameWithColon.Length..].Trim(" \t"u8) : default;
        return found;
    }

    private static bool Is(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lowerCase) => Ascii.EqualsIgnoreCase(text, lowerCase);
}
