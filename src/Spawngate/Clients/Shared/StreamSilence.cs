namespace Spawngate.Clients.Shared;

/// <summary>For how long the backend has been silent within a response that streams; on the tick.</summary>
internal struct StreamSilence
{
    private long _sinceMs;
    private long _bodyBytes;
    private int _number;

    /// <summary>True when it has been too long.</summary>
    /// <param name="isSilent">True while nothing but the backend is waited for.</param>
    /// <param name="number">Which response it is.</param>
    /// <param name="bodyBytes">Bytes of the body so far.</param>
    /// <param name="nowMs">Coarse time.</param>
    /// <param name="limitMs">How long is too long; 0 for never.</param>
    public bool IsOver(bool isSilent, int number, long bodyBytes, long nowMs, long limitMs)
    {
        if (!isSilent)
        {
            _sinceMs = 0;
        }
        else if (_sinceMs == 0 || bodyBytes != _bodyBytes || number != _number)
        {
            _sinceMs = nowMs;
        }

        _bodyBytes = bodyBytes;
        _number = number;
        return _sinceMs != 0 && limitMs != 0 && nowMs - _sinceMs >= limitMs;
    }
}
