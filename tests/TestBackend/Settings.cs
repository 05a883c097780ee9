using System.Globalization;
using System.Net;

namespace TestBackend;

/// <summary>
/// How this backend shall behave. Each setting is an argument <c>--name=value</c>, else an environment variable
/// <c>TESTBACKEND_NAME</c> (dashes become underscores), so that a test may set it per backend or for all of them.
/// </summary>
internal sealed class Settings
{
    private readonly Dictionary<string, string> _arguments = [];

    /// <summary>Reads the arguments; unknown names are an error so that a misspelt test does not pass by accident.</summary>
    public Settings(string[] args)
    {
        foreach (string arg in args)
        {
            if (!arg.StartsWith("--", StringComparison.Ordinal))
            {
                throw new ArgumentException($"not an option: {arg}");
            }

            int equals = arg.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? arg[2..] : arg[2..equals];
            if (Array.IndexOf(Names, name) < 0)
            {
                throw new ArgumentException($"unknown option: {arg}");
            }

            _arguments[name] = equals < 0 ? "1" : arg[(equals + 1)..];
        }
    }

    private static readonly string[] Names =
    [
        "mode",
        "name",
        "port",
        "bind",
        "control",
        "listen-delay-ms",
        "never-listen",
        "exit-code",
        "exit-after-ms",
        "health",
        "health-fail-first",
        "ready-callback",
        "ignore-sigterm",
        "exit-delay-ms",
        "grandchild",
        "daemon",
        "stdout-lines",
        "stderr-lines",
        "stdout-bytes",
        "line-length",
        "start-log",
        "exit-log",
        "alone",
        "relay",
    ];

    /// <summary>
    /// <c>server</c>; <c>activated</c> for one whose socket is passed to it; <c>sleep</c> for a process that only reports to the control
    /// port and lives on.
    /// </summary>
    public string Mode => Text("mode") ?? "server";

    /// <summary>Name in control messages.</summary>
    public string Name => Text("name") ?? "backend";

    /// <summary>Port to listen on, from the option, else from <c>PORT</c>.</summary>
    public int Port => Number("port", int.Parse(Environment.GetEnvironmentVariable("PORT") ?? "0", CultureInfo.InvariantCulture));

    /// <summary>Address to listen on.</summary>
    public IPAddress Bind => IPAddress.Parse(Text("bind") ?? "127.0.0.1");

    /// <summary>Where the test listens for control connections, <c>PORT</c> on loopback or <c>ADDRESS:PORT</c>; null for nowhere.</summary>
    public IPEndPoint? Control =>
        Text("control") switch
        {
            null or "" or "0" => null,
            { } text when text.Contains(':', StringComparison.Ordinal) => IPEndPoint.Parse(text),
            { } text => new IPEndPoint(IPAddress.Loopback, int.Parse(text, CultureInfo.InvariantCulture)),
        };

    /// <summary>Milliseconds between start and listening.</summary>
    public int ListenDelayMs => Number("listen-delay-ms", 0);

    /// <summary>Runs, but never listens.</summary>
    public bool NeverListen => Flag("never-listen");

    /// <summary>Exit status to end with after <see cref="ExitAfterMs"/>; null to keep running.</summary>
    public int? ExitCode => Text("exit-code") is null ? null : Number("exit-code", 0);

    /// <summary>Milliseconds until the exit of <see cref="ExitCode"/>.</summary>
    public int ExitAfterMs => Number("exit-after-ms", 0);

    /// <summary>Answer of the health path: a status code, <c>slow-MILLISECONDS</c>, <c>redirect</c>, <c>hang</c> or <c>close</c>.</summary>
    public string Health => Text("health") ?? "200";

    /// <summary>Number of health checks answered with 500 before <see cref="Health"/> applies.</summary>
    public int HealthFailFirst => Number("health-fail-first", 0);

    /// <summary>Milliseconds after listening at which the ready URL is posted to; null for never.</summary>
    public int? ReadyCallbackMs => Text("ready-callback") is null ? null : Number("ready-callback", 0);

    /// <summary>Does not end at SIGTERM.</summary>
    public bool IgnoreSigterm => Flag("ignore-sigterm");

    /// <summary>Milliseconds between SIGTERM and exit.</summary>
    public int ExitDelayMs => Number("exit-delay-ms", 0);

    /// <summary>Starts a child of its own that sleeps and ignores SIGTERM.</summary>
    public bool Grandchild => Flag("grandchild");

    /// <summary>Starts a sleeper through a shell that exits, which orphans it inside the process group.</summary>
    public bool Daemon => Flag("daemon");

    /// <summary>Lines written to stdout at start, as fast as possible.</summary>
    public int StdoutLines => Number("stdout-lines", 0);

    /// <summary>Lines written to stderr at start, as fast as possible.</summary>
    public int StderrLines => Number("stderr-lines", 0);

    /// <summary>Bytes without a line end written to stdout at start.</summary>
    public int StdoutBytes => Number("stdout-bytes", 0);

    /// <summary>Length of each of those lines.</summary>
    public int LineLength => Number("line-length", 40);

    /// <summary>Folder that gets one file per start, named by process id and time.</summary>
    public string? StartLog => Text("start-log");

    /// <summary>Folder that gets one file per SIGTERM received.</summary>
    public string? ExitLog => Text("exit-log");

    /// <summary>
    /// Folder in which this process holds a lock as long as it lives. If another process holds it at the start, two of the same
    /// backend run at once, and a file <c>overlap-PID</c> says so.
    /// </summary>
    public string? Alone => Text("alone");

    /// <summary>Loopback port to which every connection is relayed byte for byte instead of being served; 0 for none.</summary>
    public int RelayPort => Number("relay", 0);

    private string? Text(string name) =>
        _arguments.TryGetValue(name, out string? value)
            ? value
            : Environment.GetEnvironmentVariable("TESTBACKEND_" + name.ToUpperInvariant().Replace('-', '_'));

    private bool Flag(string name) => Text(name) is not (null or "" or "0");

    private int Number(string name, int otherwise) =>
        Text(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
