using System.Net;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A backend whose connections the test itself serves: its process only sleeps, and the test listens on the port that the gateway chose for it. So a
/// script has the raw socket in its hands and sees every byte and end.
/// </summary>
internal sealed class ScriptedUpstream : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Func<Socket, Task> _serve;

    private ScriptedUpstream(int port, Func<Socket, Task> serve)
    {
        _serve = serve;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        _listener.Listen(4096);
        _ = AcceptAsync();
    }

    /// <summary>Adds such a backend to a configuration: it counts as ready when its port accepts, and is never asked for its health otherwise.</summary>
    public static ConfigFile Configure(ConfigFile config, string host, params string[] lines) =>
        config.TestBackendWith(host, ["health_path = \"\"", "ready_health_check_interval_ms = 3600000", .. lines], "--mode=sleep", $"--name={host}");

    /// <summary>Starts the backend of this host and serves its port.</summary>
    public static async Task<ScriptedUpstream> StartAsync(GatewayProcess gateway, ControlListener control, string host, Func<Socket, Task> serve)
    {
        await gateway.Admin.PostAsync($"/backends/{host}/start");
        BackendProcess process = await control.StartAsync(host);
        var upstream = new ScriptedUpstream(process.Port, serve);
        await gateway.UntilStateAsync(host, "ready");
        return upstream;
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket accepted = await _listener.AcceptAsync();
                accepted.NoDelay = true;
                _ = ServeAsync(accepted);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket accepted)
    {
        using (accepted)
        {
            try
            {
                await _serve(accepted);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                // The gateway left: what the script wanted to send is not wanted any more.
            }
        }
    }
}
