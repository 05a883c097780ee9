using System.Net;

namespace Spawngate.Platform;

/// <summary>Why a port of this machine's loopback address cannot be bound.</summary>
/// <param name="Waiting">
/// Connections to it that are over and wait for late packets (TIME_WAIT, a minute on Linux). They keep the port from whoever does not set
/// SO_REUSEADDR, and from everybody if the program that had them did not.
/// </param>
/// <param name="Holder">Who listens there, for people: <c>pid 1234 (node)</c>; null when nobody is seen to.</param>
internal readonly record struct PortUse(int Waiting, string? Holder)
{
    private const int StateTimeWait = 6; // TCP_TIME_WAIT

    /// <summary>Whether it will be free when nothing more is done than to wait.</summary>
    public bool IsPassing => Waiting > 0 && Holder is null;

    /// <summary>Looks. Some milliseconds when somebody listens there: the descriptors of all processes are looked at.</summary>
    public static PortUse Of(int port)
    {
        if (!ListenerTable.IsAvailable)
        {
            return default;
        }

        var at = new IPEndPoint(IPAddress.Loopback, port);
        var listening = new List<ListeningSocket>();
        _ = ListenerTable.TryFind(at, listening);
        if (listening.Count > 0)
        {
            return new PortUse(0, HolderOf(listening[0]));
        }

        var waiting = new List<ListeningSocket>();
        _ = ListenerTable.TryFind(at, waiting, StateTimeWait);
        return new PortUse(waiting.Count, null);
    }

    /// <summary>For people.</summary>
    /// <param name="port">The port.</param>
    public string Describe(int port) =>
        Holder is { } holder ? $"port {port} is in use by another program: {holder}"
        : Waiting == 1 ? $"port {port} still has 1 connection of the run before in TIME_WAIT, and the program does not set SO_REUSEADDR"
        : Waiting > 0
            ? $"port {port} still has {Waiting} connections of the run before in TIME_WAIT, and the program does not set SO_REUSEADDR"
        : $"port {port} is in use by another program";

    private static string HolderOf(ListeningSocket socket)
    {
        var table = new List<ProcessEntry>();
        ProcessTable.Read(table);
        foreach (ProcessEntry process in table)
        {
            if (SocketHolders.Holds(process.Pid, socket))
            {
                return $"pid {process.Pid} ({SocketHolders.NameOf(process.Pid)})";
            }
        }

        return $"a process of user {socket.Uid} that cannot be looked at";
    }
}
