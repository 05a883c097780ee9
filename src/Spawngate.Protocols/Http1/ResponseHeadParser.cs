namespace Spawngate.Protocols.Http1;

/// <summary>
/// Reads response heads (RFC 9112 section 4), as strictly as requests: a backend's mistake must not become a client's confusion.
/// </summary>
/// <remarks>
/// <code>
///  status-line CRLF *( field-line CRLF ) CRLF
///  └ HTTP-version SP 3DIGIT [ SP reason-phrase ]
/// </code>
/// Works line by line like <see cref="RequestHeadParser"/>.
/// </remarks>
public static class ResponseHeadParser
{
    /// <summary>First byte of a TLS record that says why there is no handshake (RFC 8446 section 5.1).</summary>
    private const byte TlsAlert = 0x15;

    /// <summary>First byte of a TLS record of a handshake.</summary>
    private const byte TlsHandshake = 0x16;

    /// <summary>Second byte of both, in all versions.</summary>
    private const byte TlsMajorVersion = 3;

    /// <summary>
    /// Length, type, flags and stream of a frame (RFC 9113 section 4.1); the first that a server sends, or the one that refuses, is about
    /// no stream.
    /// </summary>
    private const int Http2FrameHeaderBytes = 9;

    /// <summary>Type of the frame that a server begins with.</summary>
    private const byte Http2Settings = 4;

    /// <summary>Type of the frame that it ends with.</summary>
    private const byte Http2GoAway = 7;

    /// <summary>Goes on reading a head.</summary>
    /// <param name="head">The head begun with <see cref="ResponseHead.Reset"/>.</param>
    /// <param name="bytes">Everything received so far, from the first byte of the head.</param>
    /// <param name="toHead">True when it answers a HEAD request.</param>
    /// <param name="limits">Bounds.</param>
    public static HeadStatus Parse(ResponseHead head, ReadOnlySpan<byte> bytes, bool toHead, in HeadLimits limits)
    {
        if (head.LineStart == 0 && !bytes.IsEmpty && bytes[0] != (byte)'H' && FaultOfStart(bytes) is not HeadFault.None and var other)
        {
            return Refuse(head, other);
        }

        while (true)
        {
            int lf = bytes[head.SearchFrom..].IndexOf((byte)'\n');
            if (lf < 0)
            {
                head.SearchFrom = bytes.Length;
                return bytes.Length >= limits.MaxHeadBytes ? Refuse(head, HeadFault.HeadTooLarge) : HeadStatus.NeedMore;
            }

            int lineStart = head.LineStart;
            int end = head.SearchFrom + lf - 1;
            head.LineStart = head.SearchFrom = end + 2;
            if (end < lineStart || bytes[end] != (byte)'\r')
            {
                return Refuse(head, HeadFault.BareLf);
            }

            if (head.LineStart > limits.MaxHeadBytes)
            {
                return Refuse(head, HeadFault.HeadTooLarge);
            }

            if (end == lineStart && head.Status != 0)
            {
                head.Length = head.LineStart;
                var outcome = BodyFraming.ForResponse(head.Fields, head.Status, head.IsHttp11, toHead, out var framing);
                head.Framing = framing;
                return outcome == HeadFault.None ? HeadStatus.Complete : Refuse(head, outcome);
            }

            var fault = ParseLine(head, bytes, lineStart, end, limits);
            if (fault != HeadFault.None)
            {
                return Refuse(head, fault);
            }
        }
    }

    /// <summary>
    /// Names the protocol of bytes that do not begin as a response does, if it is one that backends are known to speak instead. None when
    /// it is not, or there are too few of them to say.
    /// </summary>
    public static HeadFault FaultOfStart(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 1 && bytes[0] is TlsAlert or TlsHandshake && bytes[1] == TlsMajorVersion)
        {
            return HeadFault.SpeaksTls;
        }

        // The length of a first frame is below 64 KiB.
        return
            bytes.Length >= Http2FrameHeaderBytes
            && bytes[0] == 0
            && bytes[3] is Http2Settings or Http2GoAway
            && bytes[5..Http2FrameHeaderBytes].IndexOfAnyExcept((byte)0) < 0
            ? HeadFault.SpeaksHttp2
            : HeadFault.None;
    }

    private static HeadFault ParseLine(ResponseHead head, ReadOnlySpan<byte> bytes, int start, int end, in HeadLimits limits)
    {
        if (head.Status == 0)
        {
            return ParseStatusLine(head, bytes, start, end);
        }

        return head.Fields.Count == limits.MaxFields ? HeadFault.TooManyFields : head.Fields.Add(bytes, start, end);
    }

    private static HeadFault ParseStatusLine(ResponseHead head, ReadOnlySpan<byte> bytes, int start, int end)
    {
        var line = bytes[start..end];
        if (
            line.Length < 12
            || !line.StartsWith("HTTP/1."u8)
            || !char.IsAsciiDigit((char)line[7])
            || line[8] != ' '
            || !TryParseStatus(line.Slice(9, 3), out int status)
            || (line.Length > 12 && line[12] != ' ')
        )
        {
            return HeadFault.BadStatusLine;
        }

        if (!Grammar.IsFieldValue(line))
        {
            return HeadFault.ControlCharacter;
        }

        head.Status = status;
        head.MinorVersion = line[7] == '0' ? 0 : 1;
        head.StatusStart = start + 9;
        head.StatusLength = line.Length - 9;
        return HeadFault.None;
    }

    private static bool TryParseStatus(ReadOnlySpan<byte> digits, out int status)
    {
        status = 0;
        foreach (byte b in digits)
        {
            uint digit = (uint)(b - '0');
            if (digit > 9)
            {
                return false;
            }

            status = (status * 10) + (int)digit;
        }

        return status >= 100;
    }

    private static HeadStatus Refuse(ResponseHead head, HeadFault fault)
    {
        head.Fault = fault;
        return HeadStatus.Refused;
    }
}
