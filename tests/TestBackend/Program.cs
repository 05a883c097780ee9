using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace TestBackend;

/// <summary>A scriptable child server: it starts, serves and ends in every way that a gateway has to cope with.</summary>
internal static class Program
{
    private const int AcceptBacklog = 4096;

    private static async Task<int> Main(string[] args)
    {
        var settings = new Settings(args);
        var control = new ControlChannel(settings.Control);
        var server = new ServerState(settings, control);
        using PosixSignalRegistration termination = OnSigterm(server);
        control.Tell($"start name={settings.Name} pid={Environment.ProcessId} port={settings.Port}");
        Note(settings.StartLog);
        using FileStream? alone = BeAlone(settings.Alone);
        _ = control.ObeyAsync(server.Execute);
        if (settings.ExitCode is { } code)
        {
            _ = ExitLaterAsync(settings.ExitAfterMs, code);
            if (settings.ExitAfterMs == 0)
            {
                return code;
            }
        }

        StartOthers(settings);
        Chatter.Write(Console.OpenStandardOutput(), settings.StdoutLines, settings.LineLength, "out");
        Chatter.Write(Console.OpenStandardError(), settings.StderrLines, settings.LineLength, "err");
        Chatter.WriteWithoutEnd(Console.OpenStandardOutput(), settings.StdoutBytes);
        if (settings.NeverListen || settings.Mode == "sleep")
        {
            await Pause.ForeverAsync();
        }

        await Pause.ForAsync(settings.ListenDelayMs);
        await ServeAsync(server);
        return 0;
    }

    private static async Task ServeAsync(ServerState server)
    {
        using Socket listener = server.Settings.Mode == "activated" ? Passed() : Listen(server.Settings);
        if (server.Settings.Mode == "lend")
        {
            SocketLoan.Offer();
            server.Control.Tell($"lends {listener.Handle}");
            await Pause.ForeverAsync();
        }

        server.Control.Tell($"listening {server.Settings.Port}");
        if (server.Settings.ReadyCallbackMs is { } delayMs)
        {
            _ = CallReadyAsync(delayMs, server.Control);
        }

        while (true)
        {
            Socket accepted = await listener.AcceptAsync();
            accepted.NoDelay = true;
            _ = server.Settings.RelayPort is var port and not 0
                ? Relay.RunAsync(accepted, port)
                : new Connection(accepted, server).RunAsync();
        }
    }

    private static Socket Listen(Settings settings)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(settings.Bind, settings.Port));
        listener.Listen(AcceptBacklog);
        return listener;
    }

    /// <summary>The socket that a service manager passes (sd_listen_fds(3)), if it is meant for this process.</summary>
    private static Socket Passed()
    {
        string? pid = Environment.GetEnvironmentVariable("LISTEN_PID");
        string? count = Environment.GetEnvironmentVariable("LISTEN_FDS");
        string? names = Environment.GetEnvironmentVariable("LISTEN_FDNAMES");
        return pid == $"{Environment.ProcessId}" && count == "1" && names == "http"
            ? new Socket(new SafeSocketHandle(3, ownsHandle: true))
            : throw new InvalidOperationException($"no socket: LISTEN_PID={pid} LISTEN_FDS={count} LISTEN_FDNAMES={names}");
    }

    private static PosixSignalRegistration OnSigterm(ServerState server) => PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            Note(server.Settings.ExitLog);
            server.Control.Tell($"sigterm served={server.Served} inflight={server.InFlight}");
            if (!server.Settings.IgnoreSigterm)
            {
                _ = ExitLaterAsync(server.Settings.ExitDelayMs, 0);
            }
        });

    private static async Task ExitLaterAsync(int milliseconds, int code)
    {
        await Pause.ForAsync(milliseconds);
        Environment.Exit(code);
    }

    /// <summary>A file of its own per note: appending to one file from several processes at once could lose a line.</summary>
    private static void Note(string? folder)
    {
        if (folder is not null)
        {
            File.WriteAllText(Path.Combine(folder, $"{Environment.ProcessId}-{Stopwatch.GetTimestamp()}"), "");
        }
    }

    /// <summary>The kernel drops the lock with the process, whatever it dies of.</summary>
    private static FileStream? BeAlone(string? folder)
    {
        if (folder is null)
        {
            return null;
        }

        try
        {
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            File.WriteAllText(Path.Combine(folder, $"overlap-{Environment.ProcessId}"), "");
            return null;
        }
    }

    private static void StartOthers(Settings settings)
    {
        string self = Environment.ProcessPath!;
        string control = $"--control={settings.Control}";
        if (settings.Grandchild)
        {
            Process.Start(self, ["--mode=sleep", $"--name={settings.Name}-grandchild", control, "--ignore-sigterm"]).Dispose();
        }

        if (settings.Daemon)
        {
            // The shell exits at once: its child is orphaned, but stays in the process group.
            string[] command =
            [
                "-c",
                "\"$0\" \"$@\" & exit 0",
                self,
                "--mode=sleep",
                $"--name={settings.Name}-daemon",
                control,
                "--ignore-sigterm",
            ];
            using Process shell = Process.Start("/bin/sh", command);
            shell.WaitForExit();
        }
    }

    /// <summary>
    /// Posts to the ready URL, without a library: <c>HttpClient</c> alone would double the size and start time of this program.
    /// </summary>
    private static async Task CallReadyAsync(int delayMs, ControlChannel control)
    {
        await Pause.ForAsync(delayMs);
        var url = new Uri(Environment.GetEnvironmentVariable("SERVERLESS_PROXY_READY_URL") ?? "http://missing.invalid/");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(url.Host, url.Port);
        string request = $"POST {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        await socket.SendAsync(Encoding.Latin1.GetBytes(request));
        byte[] answer = new byte[1024];
        int length = await socket.ReceiveAsync(answer);
        control.Tell("callback " + Encoding.Latin1.GetString(answer, 0, length).Split("\r\n")[0]);
    }
}
