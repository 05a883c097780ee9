namespace Spawngate.Sessions;

/// <summary>
/// How far a session is. It only ever goes on to a later one, and ends with one of the last two.
/// <code>
///   Submitted ─▶ Constructed ─▶ Scheduled ─▶ Running ─▶ Ready ─▶ Swept
///        └────────────┴─────────────┴──────────┴──────────┴────▶ Failed (or Swept)
/// </code>
/// </summary>
internal enum SessionState
{
    /// <summary>The call was accepted.</summary>
    Submitted,

    /// <summary>It has an id and its settings; requests wait for it.</summary>
    Constructed,

    /// <summary>Its start has begun.</summary>
    Scheduled,

    /// <summary>Its process or container runs.</summary>
    Running,

    /// <summary>It serves.</summary>
    Ready,

    /// <summary>It has ended as it should: nothing of it runs.</summary>
    Swept,

    /// <summary>It ended by itself, or never became ready.</summary>
    Failed,
}

/// <summary>A state and since when.</summary>
/// <param name="State">The state.</param>
/// <param name="Time">When it was entered.</param>
internal readonly record struct SessionStatus(SessionState State, DateTime Time)
{
    /// <summary>Whether nothing follows.</summary>
    public bool IsLast => State is SessionState.Swept or SessionState.Failed;
}

/// <summary>A session's use at one moment.</summary>
/// <param name="Ready">Whether it serves.</param>
/// <param name="Connections">Requests and tunnels that are open.</param>
/// <param name="IdleSecs">Seconds since the last of them ended, or since it became ready.</param>
internal readonly record struct SessionUse(bool Ready, long Connections, long IdleSecs);
