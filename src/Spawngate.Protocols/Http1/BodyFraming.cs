namespace Spawngate.Protocols.Http1;

/// <summary>How the end of a body is known.</summary>
public enum BodyKind : byte
{
    /// <summary>There is no body.</summary>
    None,

    /// <summary>A known number of bytes.</summary>
    Length,

    /// <summary>The chunked transfer coding.</summary>
    Chunked,

    /// <summary>Everything until the connection closes (responses only).</summary>
    UntilClose,
}

/// <summary>
/// How long a message body is: the one place that decides it, for requests and responses (RFC 9112 section 6.3).
/// </summary>
/// <param name="Kind">How its end is known.</param>
/// <param name="Length">Bytes of a body of known length, else 0.</param>
public readonly record struct BodyFraming(BodyKind Kind, long Length)
{
    /// <summary>No body.</summary>
    public static readonly BodyFraming None = new(BodyKind.None, 0);

    /// <summary>
    /// True when no trailer field goes further: Connection names end-to-end fields, which must not pass as trailers either (RFC 9110
    /// section 7.6.1), and when the trailers come its field is long gone.
    /// </summary>
    public bool DropsTrailers { get; init; }

    /// <summary>Decides the framing of a request (RFC 9112 section 6.3 items 3 to 6) or the fault that forbids one.</summary>
    /// <param name="fields">Its fields.</param>
    /// <param name="isHttp11">False for HTTP/1.0.</param>
    /// <param name="framing">The decision.</param>
    public static HeadFault ForRequest(FieldTable fields, bool isHttp11, out BodyFraming framing)
    {
        framing = None;
        if (fields.HasTransferEncoding)
        {
            if (!isHttp11)
            {
                return HeadFault.TransferEncodingInHttp10;
            }

            if (fields.ContentLength >= 0)
            {
                return HeadFault.LengthAndTransferEncoding;
            }

            framing = Chunked(fields);
        }
        else if (fields.ContentLength > 0)
        {
            framing = new BodyFraming(BodyKind.Length, fields.ContentLength);
        }

        return HeadFault.None;
    }

    /// <summary>Decides the framing of a response (RFC 9112 section 6.3 items 1, 3 to 5 and 8) or the fault that forbids one.</summary>
    /// <param name="fields">Its fields.</param>
    /// <param name="status">Its status code.</param>
    /// <param name="isHttp11">False for HTTP/1.0.</param>
    /// <param name="toHead">True when it answers HEAD.</param>
    /// <param name="framing">The decision.</param>
    public static HeadFault ForResponse(FieldTable fields, int status, bool isHttp11, bool toHead, out BodyFraming framing)
    {
        framing = None;
        if (fields.HasTransferEncoding && fields.ContentLength >= 0)
        {
            return HeadFault.LengthAndTransferEncoding;
        }

        if (fields.HasTransferEncoding && !isHttp11)
        {
            return HeadFault.TransferEncodingInHttp10;
        }

        if (toHead || status is < 200 or 204 or 304)
        {
            return HeadFault.None;
        }

        if (fields.HasTransferEncoding)
        {
            framing = Chunked(fields);
        }
        else if (fields.ContentLength >= 0)
        {
            framing = fields.ContentLength == 0 ? None : new BodyFraming(BodyKind.Length, fields.ContentLength);
        }
        else
        {
            framing = new BodyFraming(BodyKind.UntilClose, 0);
        }

        return HeadFault.None;
    }

    private static BodyFraming Chunked(FieldTable fields) =>
        new(BodyKind.Chunked, 0) { DropsTrailers = fields.ConnectionNominatesEndToEnd };
}
