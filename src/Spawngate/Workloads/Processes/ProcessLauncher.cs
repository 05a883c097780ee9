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
/// <param name="groups">Makes control groups; those of nobody in particular when it is null.</param>
internal sealed class ProcessLauncher(
    ChildEnvironment environment,
    OutputDrain drain,
    IOutputSink output,
    TimeProvider time,
    Guardian? guardian = null,
    ControlGroups? groups = null
) : ILauncher
{
    /// <summary>The command that means this very executable.</summary>
    internal const string Self = "spawngate";

    private const string Folder = "PWD";

    private readonly ControlGroups _groups = groups ?? new ControlGroups("");

    /// <inheritdoc/>
    public void Begin(IEnumerable<KindSettings> possible) => _ = Task.Run(_groups.RemoveLeftovers);

    // A spawn blocks until the child has executed its program (half a millisecond, more from a slow disk): never on the caller's thread.
    /// <inheritdoc/>
    public async Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
    {
        // A wait only for a request that comes in the first moments of the gateway, before its guard has a process.
        await (guardian?.Ready ?? Task.CompletedTask).WaitAsync(cancel).ConfigureAwait(false);
        return await Task.Run(() => Launch(request, cancel), CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>
    /// The environment of an instance: inherited, then that of its user and of its file, then [env], then what every backend is told.
    /// </summary>
    /// <param name="request">The start.</param>
    /// <param name="unit">What of it is set as a service manager does it; null for nothing.</param>
    /// <param name="notices">Where it can tell that it is ready; null for nowhere.</param>
    internal IReadOnlyList<byte[]> EnvironmentOf(LaunchRequest request, UnitStart? unit = null, NoticeSocket? notices = null)
    {
        List<KeyValuePair<string, string>> added = [.. unit?.Variables ?? []];
        if (((LocalSettings)request.Config.Settings).WorkingDir is { } folder)
        {
            // As a shell has it. Programs ask it for the way by which their folder was entered.
            added.Add(new(Folder, Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        }

        foreach (var (name, value) in request.Config.Env)
        {
            added.Add(new(name, PortWords.Replace(value, request.Port)));
        }

        added.Add(new("PORT", request.Port.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        added.Add(new(InstanceToken.Variable, request.ReadyUrl));
        added.Add(new(BusyUrl.Variable, BusyUrl.Of(request.ReadyUrl)));
        added.AddRange(unit?.Told ?? []);
        if (notices is not null)
        {
            added.Add(new(SupervisorVariables.NotifySocket, notices.Address));
        }

        return environment.With(added);
    }

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

        long begun = time.GetTimestamp();
        if (UnitStart.Prepare(request, ((LocalSettings)request.Config.Settings).Unit, _groups, out string? error) is not { } unit)
        {
            return new LaunchResult(null, error);
        }

        var mark = new InstanceMark(request, guardian);
        NoticeSocket? notices = TakesNotices(request) ? NoticeSocket.Open() : null;
        ChildCommand command = CommandOf(request, unit, notices);
        ChildProcess? child = ChildProcess.Start(command, out error);
        if (child is null)
        {
            notices?.Abandon();
            unit.Abandon();
            mark.Remove();
            return new LaunchResult(null, error + SplitCommand.Suggest(command));
        }

        ProcessWorkload workload;
        try
        {
            mark.Spawned(child.Pid);
            workload = new ProcessWorkload(child, request, drain, output, mark, time, unit, notices);
        }
        catch
        {
            child.Kill(); // Nobody else knows of it.
            unit.Abandon();
            throw;
        }

        if (cancel.IsCancellationRequested)
        {
            workload.Kill();
            return Cancelled();
        }

        return new LaunchResult(workload, null)
        {
            SpawnMs = time.GetElapsedTime(begun).TotalMilliseconds,
            Place = unit.Socket is { } socket ? new LaunchedAt(socket.EndPoint, IsForwarded: false) { Listener = socket } : null,
        };
    }

    private static LaunchResult Cancelled() => new(null, "the start was cancelled");

    /// <summary>A backend whose own table sets the variable has its reasons, and gets that.</summary>
    private static bool TakesNotices(LaunchRequest request) =>
        request.NotifiedReady is not null && !request.Config.Env.Any(static variable => variable.Key == SupervisorVariables.NotifySocket);

    private ChildCommand CommandOf(LaunchRequest request, UnitStart unit, NoticeSocket? notices)
    {
        BackendConfig config = request.Config;
        var settings = (LocalSettings)config.Settings;
        string[] args = [.. config.Args.Select(arg => PortWords.Replace(arg, request.Port))];
        (string program, IReadOnlyList<string> arguments) =
            settings.Command == Self ? (OwnExecutable.FilePath, OwnExecutable.After(args)) : (settings.Command, args);
        return new ChildCommand(program, arguments, EnvironmentOf(request, unit, notices), settings.WorkingDir)
        {
            HasOpenStdin = settings.HasOpenStdin,
            Step = unit.Step,
            Socket = unit.Socket,
        };
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
    private readonly UnitStart _unit;
    private readonly TaskCompletionSource<Task> _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _killed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OutputTail _tail = new();
    private readonly NoticeSocket? _notices;
    private readonly string _command;

    internal ProcessWorkload(
        ChildProcess child,
        LaunchRequest request,
        OutputDrain drain,
        IOutputSink output,
        InstanceMark mark,
        TimeProvider time,
        UnitStart unit,
        NoticeSocket? notices
    )
    {
        string backend = request.Config.Name;
        _unit = unit;
        _child = child;
        _command = ((LocalSettings)request.Config.Settings).Command;
        _mark = mark;
        _notices = notices;
        _listener = new InstanceListener(child, mark.Token);
        _time = time;
        _stdout = drain.Add(child.StdoutFd, new StreamSink(backend, OutputStream.Stdout, output, _tail));
        _stderr = drain.Add(child.StderrFd, new StreamSink(backend, OutputStream.Stderr, output, _tail));
        if (child.StdinFd >= 0)
        {
            DescriptorBudget.Shared.Take(DescriptorUse.Child);
        }

        notices?.Begin(child.Pid, drain, new StartNotices(request));
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
    public bool TellsListener => _unit.Socket is null && InstanceListener.IsAvailable;

    /// <inheritdoc/>
    public Task<ListenerFinding> FindListenerAsync(IPEndPoint at) => _listener.FindAsync(at);

    /// <inheritdoc/>
    public Task<IReadOnlyList<IPEndPoint>> FindListenersAsync() => _listener.FindAllAsync();

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
            _unit.Socket?.End(); // At once: requests in its backlog wait for the next instance, whoever of this one is left.
            await escaped.EndAsync(_asked.Task.IsCompleted ? _killed.Task : Task.CompletedTask).ConfigureAwait(false);
            _mark.Remove();
        }

        WaitStatus status = await _child.Ended.ConfigureAwait(false);
        _unit.Socket?.End();
        string description = DescribeEnd(status);
        CloseStdin();
        await Task.WhenAll(_stdout.FinishAsync(), _stderr.FinishAsync(), _notices?.FinishAsync() ?? Task.CompletedTask)
            .ConfigureAwait(false);
        List<LeftProcess> left = ForegroundAdvice.LeftBy(_mark.Token, _child.LeftBehind);
        return new ExitReport(description + (left.Count == 0 ? "" : ForegroundAdvice.Describe(left)), status.ExitCode, _tail.ToArray())
        {
            Signal = status.Signal == 0 ? null : status.Signal,
            Advice = left.Count == 0 ? null : ForegroundAdvice.Of(_command, left),
        };
    }

    /// <summary>The end in words, with what its control group tells; the group goes.</summary>
    private string DescribeEnd(WaitStatus status)
    {
        if (_unit.Group is not { } group)
        {
            return status.Describe();
        }

        int kills = group.OutOfMemoryKills;
        _ = group.RemoveAsync(_time);
        string limit = $"memory limit {_unit.MemoryText} reached";
        return kills == 0 ? status.Describe()
            : status.Signal == Libc.SIGKILL ? $"killed by the kernel: {limit}"
            : $"{status.Describe()}; the kernel has killed a process of it: {limit}";
    }

    private void CloseStdin()
    {
        if (_child.StdinFd >= 0)
        {
            Descriptors.Close(_child.StdinFd);
            DescriptorBudget.Shared.Release(DescriptorUse.Child);
        }
    }

    /// <summary>Passes on what the instance tells of itself.</summary>
    private sealed class StartNotices(LaunchRequest request) : INoticeSink
    {
        public void OnReady() => request.NotifiedReady?.Invoke();

        public void OnStatus(string status) => request.Stage.Status = status;
    }

    private sealed class StreamSink(string backend, OutputStream stream, IOutputSink output, OutputTail tail) : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line)
        {
            tail.Append(stream, line.Span); // Read only after the pipe was closed, so by one thread at a time.
            output.OnLine(backend, stream, line);
        }
    }
}
