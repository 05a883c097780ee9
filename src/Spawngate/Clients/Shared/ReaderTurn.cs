namespace Spawngate.Clients.Shared;

/// <summary>What a connection has begun since others of its thread last had their turn.</summary>
internal struct ReaderTurn
{
    private int _requests;
    private int _headBytes;

    /// <summary>True when others should have theirs.</summary>
    public readonly bool IsOver => _requests >= ConnectionLimits.RequestsPerTurn || _headBytes >= ConnectionLimits.HeadBytesPerTurn;

    /// <summary>A request was begun.</summary>
    /// <param name="headBytes">Bytes of its head.</param>
    public void Add(int headBytes)
    {
        _requests++;
        _headBytes += headBytes;
    }
}
