using System.Globalization;
using System.Net.Sockets;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A backend whose connections the test itself serves: its process listens on the port that the gateway chose for it, and the test accepts
/// there in its place. So a script has the raw socket in its hands and sees every byte and end.
/// </summary>
internal sealed class ScriptedUpstream : IDisposable
{
    private readonly Socket _listener;
    private readonly Func<Socket, Task> _serve;

    private ScriptedUpstream(Socket listener, Func<Socket, Task> serve)
    {
        _serve = serve;
        _listener = listener;
        _ = AcceptAsync();
    }

    /// <summary>
    /// Adds such a backend to a configuration: it counts as ready when its port accepts, and is never asked for its health otherwise.
    /// </summary>
    public static ConfigFile Configure(ConfigFile config, string host, params string[] lines) =>
        config.TestBackendWith(
            host,
            ["health_path = \"\"", "ready_health_check_interval_ms = 3600000", .. lines],
            "--mode=lend",
            $"--name={host}"
        );

    /// <summary>Starts the backend of this host and serves its port.</summary>
    public static async Task<ScriptedUpstream> StartAsync(
        GatewayProcess gateway,
        ControlListener control,
        string host,
        Func<Socket, Task> serve
    )
    {
        await gateway.Admin.PostAsync($"/backends/{host}/start");
        BackendProcess process = await control.StartAsync(host);
        string[] lent = (await process.ToldAsync("lends ")).Split(' ');
        var upstream = new ScriptedUpstream(LentSocket.Take(process.Pid, int.Parse(lent[1], CultureInfo.InvariantCulture)), serve);
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
