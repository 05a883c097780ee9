<<<<<<< HEAD
using System.Text;
=======
using System.Net;
using System.Net.Sockets;
>>>>>>> http
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
<<<<<<< HEAD
using Spawngate.Diagnostics;

namespace Spawngate.Microbench;

/// <summary>Finding the backend of a host among few and many.</summary>
[MemoryDiagnoser, ShortRunJob]
public class HostLookupBenchmarks
{
    private byte[] _host = [];
    private BackendTable _table = BackendTable.Empty;

    /// <summary>Number of configured hosts.</summary>
    [Params(10, 1_000, 100_000)]
    public int Hosts { get; set; }

    /// <summary>Makes the table.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var clock = new CoarseClock(TimeProvider.System);
        using var launcher = new LoopbackBackend("");
        var env = BackendEnvironment.Create(new ServerConfig(), TimeProvider.System, clock, launcher, NullLoggerFactory.Instance);
        var timings = new BackendTimings();
        _table = new BackendTable([.. Enumerable.Range(0, Hosts).Select(i => new Backend(env, new BackendConfig(timings) { Hostname = $"tenant-{i}.example.com" }))]);
        _host = Encoding.ASCII.GetBytes($"Tenant-{Hosts / 2}.example.com:8080");
    }

    /// <summary>One look-up.</summary>
    [Benchmark]
    public bool Find() => _table.Find(_host) is not null;
}

/// <summary>What a request does with a ready backend, and a whole request over loopback.</summary>
[MemoryDiagnoser, ShortRunJob]
public class ReadyBackendBenchmarks
{
    private ProxyStage _stage = null!;

    /// <summary>Starts the stand-in backend.</summary>
    [GlobalSetup]
    public async Task SetupAsync() => _stage = await ProxyStage.OpenAsync(Vectors.LengthResponse);

    /// <summary>Ends it.</summary>
    [GlobalCleanup]
    public async Task CleanupAsync() => await _stage.DisposeAsync();

    /// <summary>In and out again.</summary>
    [Benchmark]
    public bool EnterAndLeave()
    {
        if (!_stage.Backend.TryEnter(out BackendRun? run))
        {
            return false;
        }

        _stage.Backend.Leave(run);
        return true;
    }

    /// <summary>An idle connection taken from the pool and given back.</summary>
    [Benchmark]
    public bool RentAndReturn()
    {
        if (!_stage.Backend.TryEnter(out BackendRun? run))
        {
            return false;
        }

        if (run.Pool.TryRent() is { } connection)
        {
            run.Pool.Return(connection);
        }

        _stage.Backend.Leave(run);
        return true;
    }

    /// <summary>A whole request: two connections, four messages.</summary>
    [Benchmark]
    public int WholeRequest() => _stage.Exchange(Vectors.SmallRequest, "Hello, World!"u8);
=======
using Spawngate.Tests.Fakes;
using Spawngate.Upstreams;

namespace Spawngate.Microbench;

/// <summary>What a request does with a ready backend besides bytes: it is admitted and borrows a connection.</summary>
public class BackendBenchmarks : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private ReadyBackends? _backends;
    private Backend _backend = null!;
    private UpstreamPool _pool = null!;

    /// <summary>Makes a ready backend with one idle connection.</summary>
    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        int port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _backends = await ReadyBackends.StartAsync(TimeProvider.System, NullLogger.Instance, new ServerConfig(), ReadyBackends.Config("a", port)).ConfigureAwait(false);
        _backend = _backends.Set.All[0];
        if (_backend.TryEnter(out var run))
        {
            _pool = run.Pool;
            _backend.Leave(run);
        }

        var connection = _pool.Create();
        await connection.Channel.ConnectAsync(_pool.Endpoint).ConfigureAwait(false);
        _pool.Return(connection);
    }

    /// <summary>Admission and its end.</summary>
    [Benchmark]
    public void EnterAndLeave()
    {
        if (_backend.TryEnter(out var run))
        {
            _backend.Leave(run);
        }
    }

    /// <summary>A connection taken and given back.</summary>
    [Benchmark]
    public void RentAndReturn()
    {
        if (_pool.TryRent() is { } connection)
        {
            _pool.Return(connection);
        }
    }

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _listener.Dispose();
        _backends?.Dispose();
        GC.SuppressFinalize(this);
    }
>>>>>>> http
}
