namespace Spawngate.Forwarding;

/// <summary>
/// The client's half of an exchange, as far as the upstream half has to tell it something: a connection of HTTP/1, or a stream of HTTP/2.
/// Called by the client's own task, from <see cref="Exchange.NextAsync"/> and <see cref="Exchange.Advance"/>.
/// </summary>
internal interface IExchangeClient
{
    /// <summary>
    /// A request that was on its way is held again, because the backend is away: no deadline of an answer runs meanwhile.
    /// </summary>
    void OnHeld();

    /// <summary>
    /// It was decided about a request that was held: call <see cref="Exchange.AfterWait"/> with the bytes that are still the client's.
    /// </summary>
    void OnAdmission();

    /// <summary>
    /// The head has been sent, and the body may follow. Negative when it could not: the backend may have answered all the same.
    /// </summary>
    void OnHeadSent(int sent);

    /// <summary>Bytes of an answer came; not positive when none will.</summary>
    void OnReceived(int received);

    /// <summary>Passes the interim response at the front of the upstream's bytes on. The result means nothing.</summary>
    ValueTask<int> RelayInterimAsync();
}
