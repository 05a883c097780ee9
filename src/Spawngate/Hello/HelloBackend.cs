using System.Net;
using System.Net.Sockets;
using Spawngate.Clients.Shared;

namespace Spawngate.Hello;

/// <summary>
/// The demo backend, <c>spawngate hello</c>: what a process that Spawngate starts can look like. It is a bare socket server so
/// that a cold start shows what Spawngate costs, not what a web framework costs.
/// </summary>
internal sealed class HelloBackend : IDisposable
{
    private readonly Socket _listener;
    private readonly HelloPage _page = new();
    private readonly SemaphoreSlim _free = new(HelloLimits.HelloConnectionsMax);

    /// <summary>Binds and listens at once.</summary>
    /// <param name="endpoint">Where; port 0 lets the system choose.</param>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public HelloBackend(IPEndPoint endpoint)
    {
        _listener = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            _listener.Bind(endpoint);
            _listener.Listen();
        }
        catch
        {
            _listener.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Endpoint => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>Serves until <paramref name="cancel"/> is cancelled; connections end with it.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                await _free.WaitAsync(cancel);
                Socket client = await AcceptAsync(cancel);
                _ = ServeAsync(client, cancel);
            }
        }
        catch (OperationCanceledException)
        {
            // Asked to stop.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private async Task<Socket> AcceptAsync(CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await _listener.AcceptAsync(cancel);
            }
            catch (SocketException)
            {
                // One client gave up before it was accepted, or descriptors ran out for now: neither ends the server, and
                // the pause keeps a lasting shortage from using up a processor.
                await Task.Delay(ConnectionLimits.AcceptPauseMs, cancel);
            }
        }
    }

    private async Task ServeAsync(Socket client, CancellationToken cancel)
    {
        try
        {
            using (client)
            {
                await new HelloConnection(client, _page).RunAsync(cancel);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The client broke the connection or the server stops; there is nobody to tell.
        }
        finally
        {
            _free.Release();
        }
    }
}
