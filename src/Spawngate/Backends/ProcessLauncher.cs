using Spawngate.Config;
using Spawngate.Diagnostics;
using Spawngate.Platform;

namespace Spawngate.Backends;

/// <summary>Starts local backends: one child process with its own group each, its output drained into a sink.</summary>
/// <param name="environment">What children inherit.</param>
/// <param name="drain">Reads their output.</param>
/// <param name="output">Gets their lines.</param>
/// <param name="time">Measures how long a spawn takes.</param>
internal sealed class ProcessLauncher(ChildEnvironment environment, OutputDrain drain, IOutputSink output, TimeProvider time) : ILauncher
{
    /// <summary>The command that means this very executable.</summary>
    private const string Self = "spawngate";

    // A spawn blocks until the child has executed its program (half a millisecond, more from a slow disk): never on the caller's thread.
    /// <inheritdoc/>
    public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel) =>
        Task.Run(() => Launch(request, cancel), CancellationToken.None);

    /// <summary>The environment of a run: inherited, then [env], then what every backend is told.</summary>
    internal IReadOnlyList<byte[]> EnvironmentOf(LaunchRequest request) => environment.With(
    [
        .. request.Config.Env,
        new("PORT", request.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        new("SERVERLESS_PROXY_READY_URL", request.ReadyUrl),
    ]);

    private LaunchResult Launch(LaunchRequest request, CancellationToken cancel)
    {
        if (!ChildProcess.IsSupported)
        {
            return new LaunchResult(null, "local backends cannot be started on this operating system yet");
        }

        if (cancel.IsCancellationRequested)
        {
            return Cancelled();
        }

        BackendConfig config = request.Config;
        string command = config.Command ?? "";
        (string program, IReadOnlyList<string> arguments) = command == Self ? OwnExecutable(config.Args) : (command, config.Args);
        long begun = time.GetTimestamp();
        ChildProcess? child = ChildProcess.Start(new ChildCommand(program, arguments, EnvironmentOf(request), config.WorkingDir), out string? error);
        if (child is null)
        {
            return new LaunchResult(null, error);
        }

        var run = new LocalRun(child, config.Hostname, drain, output);
        if (cancel.IsCancellationRequested)
        {
            run.Kill();
            return Cancelled();
        }

        return new LaunchResult(run, null) { SpawnMs = time.GetElapsedTime(begun).TotalMilliseconds };
    }

    private static LaunchResult Cancelled() => new(null, "the start was cancelled");

    // Run as `dotnet spawngate.dll`, the process is the host and the program an argument of it.
    private static (string Program, IReadOnlyList<string> Arguments) OwnExecutable(IReadOnlyList<string> arguments)
    {
        string path = Environment.ProcessPath ?? Self;
        if (!Path.GetFileNameWithoutExtension(path.AsSpan()).Equals("dotnet", StringComparison.OrdinalIgnoreCase))
        {
            return (path, arguments);
        }

        string assembly = Path.Combine(AppContext.BaseDirectory, typeof(ProcessLauncher).Assembly.GetName().Name + ".dll");
        return (path, [assembly, .. arguments]);
    }
}

/// <summary>One run of a local backend.</summary>
internal sealed class LocalRun : ILaunchedRun
{
    private readonly ChildProcess _child;
    private readonly OutputPipe _stdout;
    private readonly OutputPipe _stderr;
    private readonly LineRing _tail = new(Limits.StderrTailLines, Limits.StderrTailBytes);

    internal LocalRun(ChildProcess child, string hostname, OutputDrain drain, IOutputSink output)
    {
        _child = child;
        _stdout = drain.Add(child.StdoutFd, new StreamSink(hostname, OutputStream.Stdout, output, null));
        _stderr = drain.Add(child.StderrFd, new StreamSink(hostname, OutputStream.Stderr, output, _tail));
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public string Description => $"pid {_child.Pid}";

    /// <inheritdoc/>
    public int? Pid => _child.Pid;

    /// <summary>
    /// Completes when the leader has ended, nothing is left of its group and its last output was read. If the leader ends unasked, the rest of
    /// its group is killed at once; after <see cref="Terminate"/> the rest has time until <see cref="Kill"/>.
    /// </summary>
    public Task<ExitReport> Exited { get; }

    /// <inheritdoc/>
    public void Terminate() => _child.Terminate();

    /// <inheritdoc/>
    public void Kill() => _child.Kill();

    private async Task<ExitReport> WatchAsync()
    {
        WaitStatus status = await _child.Ended.ConfigureAwait(false);
        await Task.WhenAll(_stdout.FinishAsync(), _stderr.FinishAsync()).ConfigureAwait(false);
        string[] lines = [.. _tail.ToArray().Select(static line => line.Text)];
        return new ExitReport(status.Describe(), status.ExitCode, lines);
    }

    private sealed class StreamSink(string hostname, OutputStream stream, IOutputSink output, LineRing? tail) : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line)
        {
            tail?.Append(default, stream, line.Span); // Read only after the pipe was closed, so by one thread at a time.
            output.OnLine(hostname, stream, line);
        }
    }
}
