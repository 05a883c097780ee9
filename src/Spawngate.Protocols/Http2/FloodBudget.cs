namespace Spawngate.Protocols.Http2;

/// <summary>
/// What a client may waste: two token buckets, one of resets and one of frames that move nothing forward. Useful work earns back what it
/// usually costs, so that only the ratio counts; see docs/concepts/http2.md for the arithmetic and the attacks.
/// </summary>
public struct FloodBudget
{
    private const int MsPerSecond = 1000;

    private long _refilledMs;
    private int _resetsMilli;
    private int _idleMilli;
    private int _dataBytes;

    /// <summary>Full buckets.</summary>
    /// <param name="nowMs">The time, of any clock that only goes forward.</param>
    public FloodBudget(long nowMs)
    {
        _refilledMs = nowMs;
        _resetsMilli = CodecLimits.ResetBurst * MsPerSecond;
        _idleMilli = CodecLimits.IdleFrameBurst * MsPerSecond;
    }

    /// <summary>Resets left.</summary>
    public readonly int Resets => _resetsMilli / MsPerSecond;

    /// <summary>Idle frames left.</summary>
    public readonly int IdleFrames => _idleMilli / MsPerSecond;

    /// <summary>A reset that the client sent or caused. False when it was one too many.</summary>
    public bool TrySpendReset(long nowMs)
    {
        Refill(nowMs);
        _resetsMilli -= MsPerSecond;
        return _resetsMilli >= 0;
    }

    /// <summary>A frame that moves nothing forward. False when it was one too many.</summary>
    /// <param name="nowMs">The time.</param>
    /// <param name="frames">How many such frames it counts as.</param>
    public bool TrySpendIdle(long nowMs, int frames)
    {
        _idleMilli -= frames * MsPerSecond;
        if (_idleMilli < 0)
        {
            Refill(nowMs);
        }

        return _idleMilli >= 0;
    }

    /// <summary>A request came.</summary>
    public void EarnRequest() => EarnIdle(CodecLimits.IdleFramesPerRequest);

    /// <summary>A response was sent to its end.</summary>
    public void EarnResponse() => _resetsMilli = Math.Min(_resetsMilli + MsPerSecond, CodecLimits.ResetBurst * MsPerSecond);

    /// <summary>A DATA frame was sent whose length no window decided.</summary>
    public void EarnDataFrame() => EarnIdle(CodecLimits.IdleFramesPerData);

    /// <summary>DATA moved, either way.</summary>
    public void EarnDataBytes(int bytes)
    {
        _dataBytes += bytes;
        EarnIdle(_dataBytes / CodecLimits.DataBytesPerIdleFrame);
        _dataBytes %= CodecLimits.DataBytesPerIdleFrame;
    }

    private void EarnIdle(int frames) =>
        _idleMilli = Math.Min(_idleMilli + (frames * MsPerSecond), CodecLimits.IdleFrameBurst * MsPerSecond);

    private void Refill(long nowMs)
    {
        // A minute fills both, so more need not be multiplied.
        int passedMs = (int)Math.Clamp(nowMs - _refilledMs, 0, 60 * MsPerSecond);
        _refilledMs = nowMs;
        _resetsMilli = Math.Min(_resetsMilli + (passedMs * CodecLimits.ResetsPerSecond), CodecLimits.ResetBurst * MsPerSecond);
        _idleMilli = Math.Min(_idleMilli + (passedMs * CodecLimits.IdleFramesPerSecond), CodecLimits.IdleFrameBurst * MsPerSecond);
    }
}
