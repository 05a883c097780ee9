using Spawngate.Forwarding;
using Spawngate.Overload;

namespace Spawngate.Clients.Shared;

/// <summary>
/// What a client connection speaks. The connection's task serves it; everything else here comes from outside of that task: the tick, the
/// drain, and questions about what is held.
/// </summary>
internal abstract class ClientProtocol
{
    /// <summary>Which deadline runs, and whether it is the client's body that is waited for.</summary>
    internal virtual (DeadlineKind Deadline, bool ForBody) Awaited => default;

    /// <summary>Serves the connection until it ends. It may throw: then the connection is cut.</summary>
    public abstract Task ServeAsync();

    /// <summary>Gives everything back, however <see cref="ServeAsync"/> ended; before the channel is closed.</summary>
    public virtual ValueTask EndAsync() => default;

    /// <summary>Looks at the deadlines and at the client; on the coarse tick. Bytes that it holds beside the connection itself.</summary>
    public abstract long OnTick(long nowMs);

    /// <summary>Adds what the connection holds, and for whom; on the tick.</summary>
    /// <param name="survey">Where it is added.</param>
    /// <param name="held">Bytes that the connection holds with all that belongs to it, as of this tick.</param>
    public abstract void AddTo(HoldingSurvey survey, long held);

    /// <summary>Adds those of its requests that hold a backend; from any thread.</summary>
    public abstract void AddTo(ActiveRequestSearch search);

    /// <summary>The gateway drains: a connection that waits for a request ends now.</summary>
    public abstract void CloseIfIdle();

    /// <summary>Ends what it does beside the channel, which is reset behind it; from any thread.</summary>
    public virtual void Abort() { }

    /// <summary>An armed receive ended, and nobody waits for it.</summary>
    public virtual void OnReceiveUnobserved() { }
}
