using System.Net;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Platform;
using Spawngate.Upstreams;

namespace Spawngate.Workloads.Processes;

/// <summary>Starts local backends: one child process with its own group each, its output drained into a sink.</summary>
/// <param name="environment">What children inherit.</param>
/// <param name="drain">Reads their output.</param>
/// <param name="output">Gets their lines.</param>
/// <param name="time">Measures how long a spawn takes, and the grace period of what has left the group.</param>
/// <param name="guardian">Is told of every instance; null for none.</param>
internal sealed class ProcessLauncher(
    ChildEnvironment environment,
    OutputDrain drain,
    IOutputSink output,
    TimeProvider time,
    Guardian? guardian = null
) : ILauncher
{
    /// <summary>The command that means this very executable.</summary>
    private const string Self = "spawngate";

    // A spawn blocks until the child has executed its program (half a millisecond, more from a slow disk): never on the caller's thread.
    /// <inheritdoc/>
    public async Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
    {
        // A wait only for a request that comes in the first moments of the gateway, before its guard has a process.
        await (guardian?.Ready ?? Task.CompletedTask).WaitAsync(cancel).ConfigureAwait(false);
        return await Task.Run(() => Launch(request, cancel), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>The environment of an instance: inherited, then [env], then what every backend is told.</summary>
    internal IReadOnlyList<byte[]> EnvironmentOf(LaunchRequest request) =>
        environment.With([
            .. request.Config.Env,
            new("PORT", request.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            new(InstanceToken.Variable, request.ReadyUrl),
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

        var mark = new InstanceMark(request, guardian);
        long begun = time.GetTimestamp();
        ChildProcess? child = ChildProcess.Start(CommandOf(request), out string? error);
        if (child is null)
        {
            mark.Remove();
            return new LaunchResult(null, error);
        }

        ProcessWorkload workload;
        try
        {
            mark.Spawned(child.Pid);
            workload = new ProcessWorkload(child, request.Config.Name, drain, output, mark, time);
        }
        catch
        {
            child.Kill(); // Nobody else knows of it.
            throw;
        }

        if (cancel.IsCancellationRequested)
        {
            workload.Kill();
            return Cancelled();
        }

        return new LaunchResult(workload, null) { SpawnMs = time.GetElapsedTime(begun).TotalMilliseconds };
    }

    private static LaunchResult Cancelled() => new(null, "the start was cancelled");

    private ChildCommand CommandOf(LaunchRequest request)
    {
        BackendConfig config = request.Config;
        var settings = (LocalSettings)config.Settings;
        (string program, IReadOnlyList<string> arguments) =
            settings.Command == Self ? (OwnExecutable.FilePath, OwnExecutable.After(config.Args)) : (settings.Command, config.Args);
        return new ChildCommand(program, arguments, EnvironmentOf(request), settings.WorkingDir);
    }
}

/// <summary>What marks the processes of one instance as its own, and the guard's knowledge of it.</summary>
internal sealed class InstanceMark
{
    private readonly Guardian? _guardian;

    /// <summary>Announces the instance to the guard.</summary>
    public InstanceMark(LaunchRequest request, Guardian? guardian)
    {
        _guardian = guardian;
        Token = InstanceToken.OfReadyUrl(request.ReadyUrl);
        if (Token is { } token)
        {
            guardian?.Expect(token, request.Config.ShutdownGracePeriodSecs * 1000L);
        }
    }

    /// <summary>The token that every process of the instance carries; null when its ready URL has none.</summary>
    public InstanceToken? Token { get; }

    /// <summary>The instance has a process.</summary>
    public void Spawned(int pid)
    {
        if (Token is { } token)
        {
            _guardian?.Spawned(token, pid);
        }
    }

    /// <summary>Nothing is left of the instance.</summary>
    public void Remove()
    {
        if (Token is { } token)
        {
            _guardian?.Forget(token);
        }
    }
}

/// <summary>One instance of a local backend.</summary>
internal sealed class ProcessWorkload : IWorkload
{
    private readonly ChildProcess _child;
    private readonly OutputPipe _stdout;
    private readonly OutputPipe _stderr;
    private readonly InstanceMark _mark;
    private readonly InstanceListener _listener;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource<Task> _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly LineRing _tail = new(WorkloadLimits.StderrTailLines, WorkloadLimits.StderrTailBytes);

    internal ProcessWorkload(
        ChildProcess child,
        string backend,
        OutputDrain drain,
        IOutputSink output,
        InstanceMark mark,
        TimeProvider time
    )
    {
        _child = child;
        _mark = mark;
        _listener = new InstanceListener(child, mark.Token);
        _time = time;
        _stdout = drain.Add(child.StdoutFd, new StreamSink(backend, OutputStream.Stdout, output, null));
        _stderr = drain.Add(child.StderrFd, new StreamSink(backend, OutputStream.Stderr, output, _tail));
        Exited = WatchAsync();
    }

    /// <inheritdoc/>
    public string Description => $"pid {_child.Pid}";

    /// <inheritdoc/>
    public int? Pid => _child.Pid;

    /// <summary>
    /// Completes when the leader has ended, nothing is left of its group or of what left it, and the last output was read. If the leader
    /// ends unasked, the rest is killed at once; after <see cref="Terminate"/> it has time until <see cref="Kill"/>.
    /// </summary>
    public Task<ExitReport> Exited { get; }

    /// <inheritdoc/>
    public bool TellsListener => InstanceListener.IsAvailable;

    /// <inheritdoc/>
    public Task<ListenerFinding> FindListenerAsync(IPEndPoint at) => _listener.FindAsync(at);

    /// <inheritdoc/>
    public void Terminate(long graceMs)
    {
        if (!_asked.Task.IsCompleted)
        {
            // Before the signal: a leader that ends at once must be known to have been asked. The longest wait of a timer is 49 days.
            var half = TimeSpan.FromMilliseconds(Math.Min(graceMs / 2, int.MaxValue));
            _asked.TrySetResult(_child.Ended.WaitAsync(half, _time));
        }

        _child.Terminate();
    }

    /// <inheritdoc/>
    public void Kill()
    {
        _child.Kill();
        _killed.TrySetResult();
    }

    private async Task<ExitReport> WatchAsync()
    {
        if (_mark.Token is { } token)
        {
            var escaped = new EscapedProcesses(token, _child.Pid);
            await Task.WhenAny(_child.Ended, _asked.Task).ConfigureAwait(false);
            if (_asked.Task.IsCompletedSuccessfully)
            {
                await escaped.AskBesideGroupAsync(_child.Ended, await _asked.Task.ConfigureAwait(false)).ConfigureAwait(false);
            }

            await _child.Ended.ConfigureAwait(false);
            await escaped.EndAsync(_asked.Task.IsCompleted ? _killed.Task : Task.CompletedTask).ConfigureAwait(false);
            _mark.Remove();
        }

        WaitStatus status = await _child.Ended.ConfigureAwait(false);
        await Task.WhenAll(_stdout.FinishAsync(), _stderr.FinishAsync()).ConfigureAwait(false);
        string[] lines = [.. _tail.ToArray().Select(static line => line.Text)];
        return new ExitReport(status.Describe(), status.ExitCode, lines) { Signal = status.Signal == 0 ? null : status.Signal };
    }

    private sealed class StreamSink(string backend, OutputStream stream, IOutputSink output, LineRing? tail) : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line)
        {
            tail?.Append(default, stream, line.Span); // Read only after the pipe was closed, so by one thread at a time.
            output.OnLine(backend, stream, line);
        }
    }
}
