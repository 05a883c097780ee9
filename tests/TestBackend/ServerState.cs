using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace TestBackend;

/// <summary>What the connections of this process share: the health script, held requests and counters.</summary>
internal sealed class ServerState
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _holds = new();
    private readonly ConcurrentDictionary<Connection, bool> _connections = new();
    private int _inFlight;
    private int _peak;
    private int _served;
    private int _healthChecks;
    private volatile string _health;

    /// <summary>Creates the state of a process with these settings.</summary>
    public ServerState(Settings settings, ControlChannel control)
    {
        Settings = settings;
        Control = control;
        _health = settings.Health;
    }

    /// <summary>Settings of this process.</summary>
    public Settings Settings { get; }

    /// <summary>The line to the test.</summary>
    public ControlChannel Control { get; }

    /// <summary>Requests being answered now, health checks excepted.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Requests answered since the start, health checks excepted.</summary>
    public int Served => Volatile.Read(ref _served);

    /// <summary>Counts a request in.</summary>
    public void Enter()
    {
        int now = Interlocked.Increment(ref _inFlight);
        for (int seen = Volatile.Read(ref _peak); now > seen; seen = Volatile.Read(ref _peak))
        {
            Interlocked.CompareExchange(ref _peak, now, seen);
        }
    }

    /// <summary>Counts a request out.</summary>
    public void Leave()
    {
        Interlocked.Decrement(ref _inFlight);
        Interlocked.Increment(ref _served);
    }

    /// <summary>Remembers an open connection, so that <c>close-idle</c> finds it.</summary>
    public void Add(Connection connection) => _connections[connection] = true;

    /// <summary>Forgets a closed connection.</summary>
    public void Remove(Connection connection) => _connections.TryRemove(connection, out _);

    /// <summary>Sets the answer of the health path from now on.</summary>
    public void SetHealth(string answer) => _health = answer;

    /// <summary>The answer to the next health check.</summary>
    public string NextHealth() => Interlocked.Increment(ref _healthChecks) <= Settings.HealthFailFirst ? "500" : _health;

    /// <summary>Completes when the test releases <paramref name="key"/>.</summary>
    public Task HoldAsync(string key)
    {
        Control.Tell("hold " + key);
        return Gate(key).Task;
    }

    /// <summary>Carries out one command of the test.</summary>
    public void Execute(string command, string argument)
    {
        switch (command)
        {
            case "release":
                Gate(argument).TrySetResult();
                break;
            case "health":
                SetHealth(argument);
                break;
            case "close-idle":
                CloseIdle();
                break;
            case "exit":
                Environment.Exit(int.Parse(argument));
                break;
            case "crash":
                Crash();
                break;
            case "peak":
                Control.Tell($"peak {Volatile.Read(ref _peak)}");
                break;
            case "served":
                Control.Tell($"served {Served}");
                break;
            default:
                Control.Tell("unknown command " + command);
                break;
        }
    }

    /// <summary>Ends this process the hard way, as the kernel would for a fault.</summary>
    public static void Crash() => Process.GetCurrentProcess().Kill();

    private TaskCompletionSource Gate(string key) =>
        _holds.GetOrAdd(key, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private void CloseIdle()
    {
        foreach (Connection connection in _connections.Keys.Where(each => each.IsIdle))
        {
            connection.Socket.Shutdown(SocketShutdown.Both);
        }
    }
}
