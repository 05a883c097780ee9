using System.Net;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Supervision;

/// <summary>What each passed socket is for.</summary>
/// <param name="Proxy">Those that the proxy accepts from; empty when it binds its own.</param>
/// <param name="Admin">The one of the admin API; null when it binds its own.</param>
internal sealed record SocketUse(IReadOnlyList<PassedSocket> Proxy, PassedSocket? Admin) : IDisposable
{
    private const string AdminName = "admin";
    private const string ProxyName = "proxy";

    /// <summary>No socket was passed.</summary>
    public static SocketUse None { get; } = new([], null);

    /// <summary>
    /// Decides by name: <c>admin</c> is the admin API's, everything else the proxy's. Without such a name the socket on the configured
    /// admin port is the admin API's. None is left unused: somebody would connect to it and wait for ever.
    /// </summary>
    /// <exception cref="CannotRunException">
    /// The admin API would have to take more than one socket, or one that is no TCP socket.
    /// </exception>
    public static SocketUse Decide(IReadOnlyList<PassedSocket> passed, ServerConfig server)
    {
        int named = passed.Count(static socket => socket.Name == AdminName);
        if (named > 1)
        {
            throw new CannotRunException(
                $"{named} sockets named \"{AdminName}\" were passed ({SupervisorVariables.ListenFds}); the admin API listens on one"
            );
        }

        var admin = passed.FirstOrDefault(static socket => socket.Name == AdminName)
            ?? passed.FirstOrDefault(socket =>
                socket.Name != ProxyName
                && server.AdminPort != server.Port
                && socket.Address is IPEndPoint { Port: var port }
                && port == server.AdminPort
            );
        if (admin is { Address: not IPEndPoint })
        {
            throw new CannotRunException($"{admin} cannot serve the admin API: backends call it back by TCP, and this is {admin.Address}");
        }

        return new SocketUse([.. passed.Where(socket => socket != admin)], admin);
    }

    /// <summary>The server settings as they are in force: the addresses of passed sockets take the place of the configured ones.</summary>
    public ServerConfig InForce(ServerConfig server)
    {
        if (Proxy.Select(static socket => socket.Address).OfType<IPEndPoint>().FirstOrDefault() is { } proxy)
        {
            server = server with { Bind = proxy.Address, Port = proxy.Port };
        }

        return Admin?.Address is IPEndPoint admin ? server with { AdminBind = admin.Address, AdminPort = admin.Port } : server;
    }

    /// <summary>Logs each socket with its use, and louder when none of them is what the file says.</summary>
    public void Report(ServerConfig configured, ILogger log)
    {
        Report(Proxy, ProxyName, new IPEndPoint(configured.Bind, configured.Port), log);
        Report(Admin is null ? [] : [Admin], AdminName, new IPEndPoint(configured.AdminBind, configured.AdminPort), log);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Admin?.Dispose();
        foreach (var socket in Proxy)
        {
            socket.Dispose();
        }
    }

    private static void Report(IReadOnlyList<PassedSocket> sockets, string use, IPEndPoint configured, ILogger log)
    {
        bool isAsConfigured = sockets.Any(socket => Fits(socket.Address, configured));
        foreach (var socket in sockets)
        {
            string address = socket.Address.ToString()!;
            if (isAsConfigured)
            {
                SupervisionLog.SocketTaken(log, address, socket.ToString(), use);
            }
            else
            {
                SupervisionLog.SocketWins(log, address, socket.ToString(), use, configured.ToString());
            }
        }
    }

    // A socket unit without an address listens on [::], for IPv4 too; that is what 0.0.0.0 asks for, and more.
    private static bool Fits(EndPoint address, IPEndPoint configured) =>
        address.Equals(configured)
        || (
            address is IPEndPoint ip
            && ip.Port == configured.Port
            && ip.Address.Equals(IPAddress.IPv6Any)
            && configured.Address.Equals(IPAddress.Any)
        );
}
