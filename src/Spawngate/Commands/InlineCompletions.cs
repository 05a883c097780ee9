using System.Net.Sockets;

namespace Spawngate.Commands;

/// <summary>
/// Makes the runtime run socket completions on the threads that wait for the sockets, which saves the proxy a thread hop per
/// event. The runtime knows this only as an environment variable, read when the first socket waits for something.
/// </summary>
internal static class InlineCompletions
{
    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Switches it on, unless the user decided otherwise. To be called before any other socket is used. The variable is gone
    /// afterwards: backends inherit the environment, and how a .NET backend runs its sockets is not for us to change.
    /// </summary>
    public static void Enable()
    {
        if (OperatingSystem.IsWindows() || Environment.GetEnvironmentVariable(Variable) is not null)
        {
            return;
        }

        Environment.SetEnvironmentVariable(Variable, "1");
        try
        {
            // An unconnected datagram socket has nothing to receive, so this waits, and the wait starts the runtime's socket engine.
            using var arguments = new SocketAsyncEventArgs();
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            arguments.SetBuffer(new byte[1]);
            socket.ReceiveAsync(arguments);
        }
        catch (SocketException)
        {
            // Nothing was started, so the variable has to stay for the first real socket.
            return;
        }

        Environment.SetEnvironmentVariable(Variable, null);
    }
}
