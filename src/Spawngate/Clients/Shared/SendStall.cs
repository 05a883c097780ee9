namespace Spawngate.Clients.Shared;

/// <summary>For how long a client has taken nothing of a send that waits for it; on the tick.</summary>
internal struct SendStall
{
    private long _sinceMs;

    /// <summary>True when it has been too long.</summary>
    /// <param name="isSending">True while a send waits.</param>
    /// <param name="hasMoved">True when the client has taken something since the last look.</param>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="limitMs">How long is too long; 0 for never.</param>
    public bool IsOver(bool isSending, bool hasMoved, long nowMs, long limitMs)
    {
        if (!isSending)
        {
            _sinceMs = 0;
        }
        else if (hasMoved || _sinceMs == 0)
        {
            _sinceMs = nowMs;
        }

        return _sinceMs != 0 && limitMs != 0 && nowMs - _sinceMs >= limitMs;
    }
}
