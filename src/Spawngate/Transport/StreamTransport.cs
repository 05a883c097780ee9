using System.Net.Sockets;
using Spawngate.Platform;

namespace Spawngate.Transport;

/// <summary>
/// How bytes come and go: on Linux by our event loops, elsewhere by Kestrel's socket transport, which can be asked for anywhere. There is
/// one for a process; all above it know only <see cref="StreamListener"/> and <see cref="StreamSocket"/>.
/// </summary>
internal abstract class StreamTransport
{
    /// <summary>Environment variable that names the transport; unset or empty for the one of this system.</summary>
    public const string Variable = "SPAWNGATE_TRANSPORT";

    private static readonly Choice Choose = Find(Environment.GetEnvironmentVariable(Variable), Libc.IsLinux);

    /// <summary>The transport of this process.</summary>
    public static StreamTransport Chosen => Choose.Transport;

    /// <summary>What is wrong with the value of <see cref="Variable"/>; null when nothing is.</summary>
    public static string? Problem => Choose.Problem;

    /// <summary>What <see cref="Variable"/> calls it.</summary>
    public abstract string Name { get; }

    /// <summary>Accepts on a bound and listening socket, which stays its owner's.</summary>
    public abstract StreamListener Listen(Socket socket);

    /// <summary>
    /// A TCP socket that is not connected yet; null when the system has none left, or only the reserve of <see cref="DescriptorBudget"/>,
    /// which happens to many at once, so that it is no exception.
    /// </summary>
    /// <param name="family">Its family.</param>
    /// <param name="fromReserve">Whether it may be one of the reserve: for the few that keep backends going, not for requests.</param>
    public abstract StreamSocket? TryCreate(AddressFamily family, bool fromReserve = false);

    /// <summary>The transport of a name, and what is wrong with the name; then it is the one of the system.</summary>
    /// <param name="name">The value of <see cref="Variable"/>.</param>
    /// <param name="isLinux">Whether there are event loops.</param>
    internal static Choice Find(string? name, bool isLinux)
    {
        StreamTransport usual = isLinux ? EpollTransport.Instance : KestrelTransport.Instance;
        return name switch
        {
            null or "" => new Choice(usual, null),
            KestrelTransport.GivenName => new Choice(KestrelTransport.Instance, null),
            EpollTransport.GivenName when isLinux => new Choice(usual, null),
            EpollTransport.GivenName => new Choice(
                usual,
                $"{Variable} is \"{name}\", and there is epoll on Linux only: unset it, or set it to \"{KestrelTransport.GivenName}\""
            ),
            _ => new Choice(
                usual,
                $"{Variable} is \"{name}\", which names no transport: unset it, or set it to \"{EpollTransport.GivenName}\" (Linux) or "
                    + $"\"{KestrelTransport.GivenName}\""
            ),
        };
    }

    /// <summary>A transport, and what is wrong with the name that led to it.</summary>
    internal sealed record Choice(StreamTransport Transport, string? Problem);
}

/// <summary>Our event loops (<see cref="EventLoop"/>).</summary>
internal sealed class EpollTransport : StreamTransport
{
    /// <summary>See <see cref="StreamTransport.Name"/>.</summary>
    public const string GivenName = "epoll";

    private EpollTransport() { }

    /// <summary>The one there is.</summary>
    public static EpollTransport Instance { get; } = new();

    /// <inheritdoc/>
    public override string Name => GivenName;

    /// <inheritdoc/>
    public override StreamListener Listen(Socket socket) => new EpollListener(socket);

    /// <inheritdoc/>
    public override StreamSocket? TryCreate(AddressFamily family, bool fromReserve = false) => EpollSocket.TryCreate(family, fromReserve);
}
