using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>A stranger on the port of a backend: this process, which answers whatever comes with 200, and keeps what it was sent.</summary>
internal sealed class Squatter : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly StringBuilder _received = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Takes the port.</summary>
    public Squatter(int port)
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen();
        _ = AcceptAsync();
    }

    /// <summary>Completes at the first connection.</summary>
    public Task Asked => _asked.Task;

    /// <summary>All that was sent to it.</summary>
    public string Received
    {
        get
        {
            lock (_received)
            {
                return _received.ToString();
            }
        }
    }

    /// <summary>Lets go of the port.</summary>
    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = AnswerAsync(await _listener.AcceptAsync());
                _asked.TrySetResult();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test has ended.
        }
    }

    private async Task AnswerAsync(Socket socket)
    {
        using (socket)
        {
            try
            {
                byte[] bytes = new byte[4096];
                for (int length; (length = await socket.ReceiveAsync(bytes)) > 0; )
                {
                    lock (_received)
                    {
                        _received.Append(Encoding.Latin1.GetString(bytes, 0, length));
                    }

                    await socket.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"u8.ToArray());
                }
            }
            catch (SocketException)
            {
                // Reset by the gateway, as it may.
            }
        }
    }
}
