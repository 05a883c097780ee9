using System.Collections.Concurrent;
using Spawngate.Backends;
using Spawngate.Config;

namespace Spawngate.Sessions;

/// <summary>
/// All sessions that live or are remembered, by id. Found without a lock or an allocation, put in and taken out in constant time, so that
/// no number of them makes the table of configured backends be copied.
/// </summary>
internal sealed class SessionIndex
{
    private readonly ConcurrentDictionary<SessionId, Session> _sessions = new();

    /// <summary>How many there are.</summary>
    public int Count => _sessions.Count;

    /// <summary>The backend of a session's host.</summary>
    /// <param name="name">A host name in the form in which they are compared.</param>
    /// <param name="hasEnded">Whether it is the host of a session that has ended.</param>
    public Backend? Find(ReadOnlySpan<byte> name, out bool hasEnded)
    {
        if (FindHost(name) is not { } session)
        {
            hasEnded = false;
            return null;
        }

        var backend = session.Backend;
        hasEnded = backend is null;
        return backend;
    }

    /// <summary>The session of a host.</summary>
    public Session? FindHost(ReadOnlySpan<byte> name) =>
        name.Length > ConfigLimits.SessionIdChars
        && name[ConfigLimits.SessionIdChars] == (byte)'.'
        && SessionId.TryParse(name[..ConfigLimits.SessionIdChars], out var id)
        && _sessions.TryGetValue(id, out var session)
        && name.SequenceEqual(session.HostBytes)
            ? session
            : null;

    /// <summary>The session of an id.</summary>
    public Session? Find(SessionId id) => _sessions.GetValueOrDefault(id);

    /// <summary>Puts one in.</summary>
    public void Add(Session session)
    {
        if (!_sessions.TryAdd(session.Id, session))
        {
            throw new InvalidOperationException("Two sessions have one id.");
        }
    }

    /// <summary>Takes one out.</summary>
    public void Remove(Session session) => _sessions.TryRemove(session.Id, out _);
}
