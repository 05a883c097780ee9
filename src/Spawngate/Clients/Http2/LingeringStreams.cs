using Spawngate.Protocols.Http2;

namespace Spawngate.Clients.Http2;

/// <summary>
/// The streams of a connection whose response is complete while their client still sends the request: what tells it to stop is held back
/// for a moment, in which it may take the response or end the request by itself. All within the connection's gate.
/// </summary>
/// <remarks>
/// <code>
///  response complete, request not ──▶ lingering ─┬─ the client ends or resets it ──▶ free
///                                                ├─ time is up, on a tick ─────────▶ RST_STREAM, free
///                                                └─ the connection is to end ──────▶ RST_STREAM, free
/// </code>
/// One has neither an exchange nor buffers left, only its slot of the session, which bounds their number.
/// </remarks>
internal sealed class LingeringStreams(Http2Session session)
{
    private readonly List<(int Slot, long DueMs)> _streams = [];

    /// <summary>Frees the slot of a stream that is over, at once or later.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="dueMs">When at the latest; 0 for now.</param>
    public void Release(int slot, long dueMs)
    {
        if (dueMs > 0 && session.TryLinger(slot))
        {
            _streams.Add((slot, dueMs));
        }
        else
        {
            session.Release(slot);
        }
    }

    /// <summary>The client has ended or reset a stream, which may be one of these.</summary>
    public void OnEnded(int slot)
    {
        int place = _streams.FindIndex(each => each.Slot == slot);
        if (place >= 0)
        {
            _streams.RemoveAt(place);
            session.Release(slot);
        }
    }

    /// <summary>Frees those whose time is up. They came in order.</summary>
    public void EndDue(long nowMs)
    {
        int due = 0;
        while (due < _streams.Count && _streams[due].DueMs <= nowMs)
        {
            session.Release(_streams[due++].Slot);
        }

        _streams.RemoveRange(0, due);
    }
}
