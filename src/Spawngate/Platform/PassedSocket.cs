using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>
/// One listening socket that a service manager opened and passed on (sd_listen_fds(3)). The manager keeps its copy, and the socket goes on
/// listening with it when this process ends: who connects meanwhile waits in the kernel's queue for the next one.
/// </summary>
/// <remarks>
/// The socket is shared, so nothing may be done to it that its other holder would notice: it is never shut down, its queue is not emptied
/// at a stop, and it is closed by its number, because the runtime's own way of closing may first shut a socket down or change its options.
/// </remarks>
internal sealed class PassedSocket : IDisposable
{
    /// <summary>The first passed descriptor (SD_LISTEN_FDS_START).</summary>
    public const int FirstDescriptor = 3;

    private bool _closed;

    private PassedSocket(int descriptor, string name, Socket socket)
    {
        Descriptor = descriptor;
        Name = name;
        Socket = socket;
        Address = socket.LocalEndPoint!;
    }

    /// <summary>Its number.</summary>
    public int Descriptor { get; }

    /// <summary>Its name (<c>FileDescriptorName=</c> of the socket unit); empty without one.</summary>
    public string Name { get; }

    /// <summary>Where it listens.</summary>
    public EndPoint Address { get; }

    /// <summary>The socket, which does not own the descriptor.</summary>
    public Socket Socket { get; }

    /// <summary>
    /// Takes all sockets that were passed to this process; none if the variables are absent or meant for another process.
    /// </summary>
    /// <param name="variable">Looks up an environment variable.</param>
    /// <param name="first">Number of the first one.</param>
    /// <exception cref="CannotRunException">Something else than listening stream sockets was passed.</exception>
    public static IReadOnlyList<PassedSocket> TakeAll(Func<string, string?> variable, int first = FirstDescriptor)
    {
        if (
            OperatingSystem.IsWindows()
            || variable(SupervisorVariables.ListenFds) is not { } text
            || variable(SupervisorVariables.ListenPid) != Environment.ProcessId.ToString(CultureInfo.InvariantCulture)
        )
        {
            return [];
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count > PlatformLimits.PassedSocketsMax)
        {
            throw new CannotRunException(
                $"{SupervisorVariables.ListenFds} is \"{text}\", which is no number of sockets (0 to {PlatformLimits.PassedSocketsMax})"
            );
        }

        string[] names = variable(SupervisorVariables.ListenFdNames)?.Split(':') ?? [];
        var taken = new PassedSocket[count];
        for (int i = 0; i < count; i++)
        {
            taken[i] = Take(first + i, i < names.Length ? names[i] : "");
        }

        return taken;
    }

    /// <summary>Closes our descriptor; the socket itself lives on with its other holder.</summary>
    public void Dispose()
    {
        if (!_closed)
        {
            _closed = true;
            Socket.Dispose();
            Descriptors.Close(Descriptor);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Name.Length > 0 ? $"descriptor {Descriptor} named {Name}" : $"descriptor {Descriptor}";

    private static PassedSocket Take(int descriptor, string name)
    {
        string who = $"the socket that was passed as descriptor {descriptor} (\"{name}\", {SupervisorVariables.ListenFds})";
        Descriptors.KeepFromChildren(descriptor);
        Socket socket;
        try
        {
            socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: false));
        }
        catch (SocketException e)
        {
            throw new CannotRunException($"{who} cannot be used: {e.Message}", e);
        }

        if (
            socket.SocketType != SocketType.Stream
            || socket.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 or AddressFamily.Unix)
        )
        {
            throw new CannotRunException($"{who} is no TCP or Unix stream socket: the socket unit needs ListenStream=");
        }

        if (socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection) is not 1)
        {
            throw new CannotRunException($"{who} is no listening socket: the socket unit needs Accept=no");
        }

        return new PassedSocket(descriptor, name, socket);
    }
}
