using Spawngate.Logging;
using Spawngate.Upstreams;
using Spawngate.Workloads;

namespace Spawngate.Tests.Fakes;

/// <summary>A launcher that does what the test says, when it says it.</summary>
internal sealed class ScriptedLauncher : ILauncher
{
    /// <summary>Every launch so far.</summary>
    public List<ScriptedLaunch> Launches { get; } = [];

    public ScriptedLaunch Last => Launches[^1];

    /// <summary>When set, every launch succeeds at once.</summary>
    public bool Immediate { get; set; }

    /// <summary>Runs that have not ended.</summary>
    public int Alive => Launches.Count(launch => launch.Workload is { HasExited: false });

    public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
    {
        var launch = new ScriptedLaunch(request, cancel);
        Launches.Add(launch);
        if (Immediate)
        {
            launch.Succeed();
        }

        return launch.Result;
    }
}

/// <summary>One launch. Completions instance inline, so that the message they post is there when the call returns.</summary>
internal sealed class ScriptedLaunch(LaunchRequest request, CancellationToken cancel)
{
    private readonly TaskCompletionSource<LaunchResult> _result = new();

    public LaunchRequest Request { get; } = request;

    public CancellationToken Cancel { get; } = cancel;

    public ScriptedWorkload? Workload { get; private set; }

    public bool IsPending => !_result.Task.IsCompleted;

    public Task<LaunchResult> Result => _result.Task;

    public string Token => Request.ReadyUrl[(Request.ReadyUrl.IndexOf("token=", StringComparison.Ordinal) + 6)..];

    public ScriptedWorkload Succeed(int port = 0, Func<Task<ListenerFinding>>? find = null)
    {
        Workload = new ScriptedWorkload(1000 + Request.InstanceNumber) { FindListener = find };
        _result.SetResult(
            new LaunchResult(Workload, null)
            {
                Place =
                    port == 0 ? null : new LaunchedAt(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, port), IsForwarded: true),
            }
        );
        return Workload;
    }

    public void Fail(string error) => _result.SetResult(new LaunchResult(null, error));
}

/// <summary>An instance that ends when the test says so, or at once when told to end, if the test wants that.</summary>
internal sealed class ScriptedWorkload(int pid) : IWorkload
{
    private readonly TaskCompletionSource<ExitReport> _exited = new();

    public string Description => $"pid {pid}";

    public int? Pid => pid;

    public Task<ExitReport> Exited => _exited.Task;

    public bool HasExited => _exited.Task.IsCompleted;

    public Func<Task<ListenerFinding>>? FindListener { get; init; }

    public bool TellsListener => FindListener is not null;

    public int Terminated { get; private set; }

    public int Killed { get; private set; }

    public bool EndsOnTerminate { get; set; }

    public bool EndsOnKill { get; set; }

    public Task<ListenerFinding> FindListenerAsync(System.Net.IPEndPoint at) => FindListener!();

    public void Terminate(long graceMs)
    {
        Terminated++;
        if (EndsOnTerminate)
        {
            Exit("killed by signal 15 (SIGTERM)");
        }
    }

    public void Kill()
    {
        Killed++;
        if (EndsOnKill)
        {
            Exit("killed by signal 9 (SIGKILL)");
        }
    }

    public void Exit(string description = "exited with status 3", params string[] stderr) =>
        Exit(new ExitReport(description, null, [.. stderr.Select(static line => new StreamLine(OutputStream.Stderr, line))]));

    public void Exit(ExitReport report) => _exited.TrySetResult(report);
}
