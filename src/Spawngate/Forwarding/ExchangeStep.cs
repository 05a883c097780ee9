namespace Spawngate.Forwarding;

/// <summary>What an exchange needs next.</summary>
internal enum ExchangeStep : byte
{
    /// <summary>Await <see cref="Exchange.WaitAsync"/>, then <see cref="Exchange.AfterWait"/>: the backend is not ready.</summary>
    Wait,

    /// <summary>Await <see cref="Exchange.ConnectAsync"/>, then <see cref="Exchange.AfterConnect"/>.</summary>
    Connect,

    /// <summary>Await <see cref="Exchange.SendAsync"/>, then <see cref="Exchange.AfterSend"/>: the head goes out.</summary>
    Send,

    /// <summary>Await <see cref="Exchange.ReceiveAsync"/>, then <see cref="Exchange.AfterReceive"/>.</summary>
    Receive,

    /// <summary>
    /// An interim response (1xx) lies at the front of the upstream's bytes; relay it, then <see cref="Exchange.AfterInterim"/>.
    /// </summary>
    Interim,

    /// <summary>The final response head is there; relay it and its body, then <see cref="Exchange.End"/>.</summary>
    Respond,

    /// <summary>No response will come: <see cref="Exchange.Error"/> says why.</summary>
    Failed,
}
