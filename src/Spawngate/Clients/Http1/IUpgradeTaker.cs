using Spawngate.Protocols.Http1;

namespace Spawngate.Clients.Http1;

/// <summary>Takes a connection over that goes on as HTTP/2 after <c>Upgrade: h2c</c>, which HTTP/1 itself knows nothing of.</summary>
internal interface IUpgradeTaker
{
    /// <summary>Prepares to take it over; false when it cannot: the request is then served as if it had not asked.</summary>
    /// <param name="request">The request that asks, whose bytes are the first received.</param>
    bool TryTakeUp(RequestHead request);

    /// <summary>Begins the request, after the 101 has been sent. What the client sends next is read when HTTP/1 has ended.</summary>
    /// <param name="head">Its head, as received.</param>
    void Begin(ReadOnlySpan<byte> head);
}
