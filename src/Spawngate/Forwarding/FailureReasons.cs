using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// What the log says of a request that a backend failed, for people who look for the cause. All of it is decided before a byte of the
/// answer went to the client.
/// </summary>
internal static class FailureReasons
{
    /// <summary>There is no connection that the request could go over.</summary>
    public const string NoConnection = "no connection to the backend could be opened";

    /// <summary>The connection was refused, again and again.</summary>
    public const string Refused = "the backend refused the connection";

    /// <summary>The connection ended in the place of an answer.</summary>
    public const string Closed = "the backend closed the connection without an answer";

    /// <summary>The same, with a reset.</summary>
    public const string Reset = "the backend reset the connection without an answer";

    /// <summary>The connection ended after something had come.</summary>
    /// <param name="upstream">The connection.</param>
    public static string OfHalfResponse(SocketChannel upstream) =>
        (upstream.ReceivedLength > 0, upstream.WasReset) switch
        {
            (true, false) => "the backend closed the connection in the middle of its response head",
            (true, true) => "the backend reset the connection in the middle of its response head",
            (false, false) => "the backend closed the connection after an interim response",
            _ => "the backend reset the connection after an interim response",
        };

    /// <summary>No response head came in time.</summary>
    /// <param name="receivedAny">Whether anything of one came.</param>
    public static string OfTimeout(bool receivedAny) =>
        receivedAny ? "the backend did not send all of its response head in time" : "the backend did not answer in time";

    /// <summary>A client takes hardly anything of what is sent.</summary>
    public static string TakingTooSlowly { get; } =
        $"it took less than {ForwardingLimits.RateBytesMin} bytes in {ForwardingLimits.RateWindowMs / 1000} s";

    /// <summary>A client takes nothing of what is sent.</summary>
    public const string TakingNothing = "it takes nothing any more";

    /// <summary>The rest of an answer does not come, nor what a client has yet to send.</summary>
    public const string BothSilent = "neither it nor the backend sends anything any more";

    /// <summary>The rest of an answer does not come.</summary>
    public const string SendingNothing = "nothing more comes from the backend";

    /// <summary>Why a final response cannot be passed on whose head could be read; null when it can.</summary>
    /// <param name="response">The response.</param>
    /// <param name="received">Its head, and what came along of its body.</param>
    /// <param name="offer">What upgrade the request asked for; null for none.</param>
    public static string? OfResponse(ResponseHead response, ReadOnlySpan<byte> received, UpgradeOffer? offer) =>
        response.Status == 101 ? UpgradeOffer.FaultOf(offer, response, received)
        : response.Framing.Kind == BodyKind.Chunked && IsBroken(response.Framing, received[response.Length..]) ? "its chunks are malformed"
        : null;

    /// <summary>Once the head has gone out a broken body can only be cut, so what is there of it is looked at before.</summary>
    private static bool IsBroken(BodyFraming framing, ReadOnlySpan<byte> received)
    {
        var reader = new BodyReader(framing, 0, ofResponse: true);
        ChunkEvent found;
        while ((found = reader.Next(received, out int consumed, out _, out _)) is ChunkEvent.Data or ChunkEvent.Trailer)
        {
            received = received[consumed..];
        }

        return found == ChunkEvent.Broken;
    }
}
