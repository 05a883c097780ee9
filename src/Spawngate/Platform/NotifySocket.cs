using System.Net.Sockets;
using System.Text;

namespace Spawngate.Platform;

/// <summary>
/// The datagram socket of a service manager, to which a service tells how it is (sd_notify(3), without its library). One socket for the
/// whole life of the process, so that signs of life do not depend on a free descriptor.
/// </summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly UnixDomainSocketEndPoint _address;
    private readonly Socket _socket;

    private NotifySocket(UnixDomainSocketEndPoint address, Socket socket)
    {
        _address = address;
        _socket = socket;
    }

    /// <summary>Connects to the address of <c>NOTIFY_SOCKET</c>: a path, or <c>@</c> and a name of Linux' abstract namespace.</summary>
    /// <param name="address">Its value.</param>
    /// <param name="problem">
    /// Why there is none: an address of another kind (<c>vsock:</c>, of virtual machines), or one that cannot be reached.
    /// </param>
    public static NotifySocket? Open(string address, out string? problem)
    {
        bool isAbstract = address.StartsWith('@') && address.Length > 1 && OperatingSystem.IsLinux();
        if (!isAbstract && !address.StartsWith('/'))
        {
            problem = "it is neither a path nor an abstract name";
            return null;
        }

        Socket? socket = null;
        try
        {
            var endpoint = new UnixDomainSocketEndPoint(isAbstract ? $"\0{address[1..]}" : address);
            socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Connect(endpoint);
            problem = null;
            return new NotifySocket(endpoint, socket);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // ArgumentException: longer than an address of this kind can be.
            problem = e.Message;
            socket?.Dispose();
            return null;
        }
    }

    /// <summary>Sends one notice; waits, up to <see cref="PlatformLimits.NotifyTimeoutMs"/>, when the receiver is behind.</summary>
    /// <param name="notice"><c>NAME=value</c> lines.</param>
    /// <returns>Null, or why it did not arrive.</returns>
    public async Task<string?> SendAsync(string notice)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(notice);
        using var limit = new CancellationTokenSource(PlatformLimits.NotifyTimeoutMs);
        try
        {
            try
            {
                await _socket.SendAsync(bytes, SocketFlags.None, limit.Token).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // A receiver that was started anew has another socket under the same address.
                await _socket.ConnectAsync(_address, limit.Token).ConfigureAwait(false);
                await _socket.SendAsync(bytes, SocketFlags.None, limit.Token).ConfigureAwait(false);
            }

            return null;
        }
        catch (Exception e)
            when (e is SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            return e.Message;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
