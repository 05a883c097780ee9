using Spawngate.Platform;

namespace Spawngate.Commands;

/// <summary>What the subcommands do, as far as it is not the command line's own business. <c>Program</c> fills it in.</summary>
internal sealed record CommandActions
{
    /// <summary>Runs the proxy with a configuration file until it is told to stop; the result is the exit code.</summary>
    public required Func<string, CommandConsole, Task<int>> RunAsync { get; init; }

    /// <summary>Validates a configuration file and prints the effective settings; the result is the exit code.</summary>
    public required Func<string, CommandConsole, int> Check { get; init; }

    /// <summary>
    /// Reads from a configuration file where its admin API listens, whatever is wrong in the rest of it; null when the file does not say,
    /// which has been reported then.
    /// </summary>
    public required Func<string, CommandConsole, AdminLocation?> LocateAdmin { get; init; }
}

/// <summary>Where an admin API is and what opens it.</summary>
/// <param name="Url">Base address, for example <c>http://127.0.0.1:9999</c>.</param>
/// <param name="Token">The admin token; null when none is asked for.</param>
internal sealed record AdminLocation(Uri Url, string? Token)
{
    /// <summary>The location that a <c>[server]</c> table describes, as reached from the same machine.</summary>
    public static AdminLocation Of(Config.ServerConfig server) =>
        new(new Uri($"http://{LocalAddress.Of(server.AdminBind, server.AdminPort)}"), server.AdminToken);
}

/// <summary>
/// Where a command writes and what ends it. The writers are made at first use, because making the console's costs more
/// than a cold start should.
/// </summary>
internal sealed class CommandConsole
{
    private readonly Lazy<TextWriter> _out;
    private readonly Lazy<TextWriter> _error;

    /// <summary>Makes it.</summary>
    /// <param name="output">Makes the writer of results.</param>
    /// <param name="error">Makes the writer of messages.</param>
    /// <param name="variable">Reads an environment variable.</param>
    /// <param name="cancel">Ends a running command, as a signal does.</param>
    public CommandConsole(Func<TextWriter> output, Func<TextWriter> error, Func<string, string?> variable, CancellationToken cancel)
    {
        _out = new Lazy<TextWriter>(output);
        _error = new Lazy<TextWriter>(error);
        Variable = variable;
        Cancel = cancel;
    }

    /// <summary>Takes results.</summary>
    public TextWriter Out => _out.Value;

    /// <summary>Takes messages.</summary>
    public TextWriter Error => _error.Value;

    /// <summary>Reads an environment variable; null when it is not set.</summary>
    public Func<string, string?> Variable { get; }

    /// <summary>Ends a running command.</summary>
    public CancellationToken Cancel { get; }
}
