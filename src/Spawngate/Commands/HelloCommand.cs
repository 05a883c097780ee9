using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Hello;
using Spawngate.Runtime;

namespace Spawngate.Commands;

/// <summary>The subcommand <c>hello</c>: reads where to listen, says so in one line, serves until SIGTERM or SIGINT.</summary>
internal static class HelloCommand
{
    /// <summary>Runs the demo backend.</summary>
    /// <param name="port">The port as text, from <c>--port</c> or the variable <c>PORT</c>; null when neither is set.</param>
    /// <param name="bind">The address as text; null means 127.0.0.1.</param>
    /// <param name="console">Takes the line that says where it listens, and error messages.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string? port, string? bind, CommandConsole console)
    {
        if (ReadPort(port) is not { } number)
        {
            await console.Error.WriteLineAsync(
                string.IsNullOrEmpty(port)
                    ? "spawngate hello: the environment variable PORT is not set; it names the port to listen on "
                        + "(1-65535), for example: PORT=3000 spawngate hello"
                    : $"spawngate hello: PORT is \"{port}\"; it must be a port number, 1-65535"
            );
            return ExitCode.Usage;
        }

        IPAddress? address = IPAddress.Loopback;
        if (bind is not null && !IPAddress.TryParse(bind, out address))
        {
            await console.Error.WriteLineAsync($"spawngate hello: --bind is \"{bind}\"; it must be an IPv4 or IPv6 address");
            return ExitCode.Usage;
        }

        var endpoint = new IPEndPoint(address!, number);
        try
        {
            using var backend = new HelloBackend(endpoint);
            await ServeAsync(backend, console);
            return ExitCode.Success;
        }
        catch (SocketException e)
        {
            await console.Error.WriteLineAsync($"spawngate hello: cannot listen on {endpoint} (PORT): {BindFailure.Describe(e)}");
            return ExitCode.CannotRun;
        }
    }

    private static async Task ServeAsync(HelloBackend backend, CommandConsole console)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(console.Cancel);
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }

        // Accepting comes first: whoever started this process waits for its port, not for its words.
        Task serving = backend.RunAsync(stop.Token);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        try
        {
            await console.Out.WriteLineAsync($"Listening on http://{backend.Endpoint}");
            await console.Out.FlushAsync(CancellationToken.None);
        }
        catch (IOException)
        {
            // Nobody reads our output; that is no reason not to serve.
        }

        await serving;
    }

    private static int? ReadPort(string? text) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) && port > 0 ? port : null;
}
