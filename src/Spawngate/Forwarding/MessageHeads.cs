using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;
using Spawngate.Transport;

namespace Spawngate.Forwarding;

/// <summary>
/// The two parsed heads of an exchange, and what goes along with them. A connection has them only while it has a request, so one that waits
/// is small.
/// </summary>
internal sealed class MessageHeads
{
    private static readonly PoolDepot<MessageHeads> Depot = new(ForwardingLimits.MessageHeadsShared);

    [ThreadStatic]
    private static PoolStack<MessageHeads>? t_stack;

    private MessageHeads() { }

    /// <summary>The request.</summary>
    public RequestHead Request { get; } = new();

    /// <summary>The response.</summary>
    public ResponseHead Response { get; } = new();

    /// <summary>Room for the request's id.</summary>
    public byte[] RequestId { get; } = new byte[ForwardingLimits.RequestIdBytesMax];

    /// <summary>What others may see of the exchange.</summary>
    public ExchangeRecord Record { get; } = new();

    /// <summary>Room for a Server-Timing; made when it is asked for.</summary>
    public byte[]? Timing { get; set; }

    /// <summary>What the access log and traces will say of the request; made when one of them is on.</summary>
    public RequestNote? Note { get; set; }

    /// <summary>Takes a pair, in its first state.</summary>
    public static MessageHeads Rent()
    {
        var heads = (t_stack ??= new PoolStack<MessageHeads>(ForwardingLimits.MessageHeadsPerThread, Depot)).Pop() ?? new MessageHeads();
        heads.Request.Reset();
        heads.Response.Reset();
        heads.Record.Reset();
        heads.Note?.Forget();
        return heads;
    }

    /// <summary>Gives a pair back; nobody may touch it afterwards.</summary>
    public static void Return(MessageHeads heads) =>
        (t_stack ??= new PoolStack<MessageHeads>(ForwardingLimits.MessageHeadsPerThread, Depot)).Push(heads);
}
