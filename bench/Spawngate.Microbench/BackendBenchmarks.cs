using System.Net;
using System.Net.Sockets;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Tests.Fakes;
using Spawngate.Upstreams;

namespace Spawngate.Microbench;

/// <summary>What a request does with a ready backend besides bytes: it is admitted and borrows a connection.</summary>
public class BackendBenchmarks : IDisposable
{
    /// <summary>So often that waking the other thread, some 50 microseconds, is lost in it.</summary>
    internal const int PerThread = 200_000;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private ReadyBackends? _backends;
    private Backend _backend = null!;
    private UpstreamPool _pool = null!;
    private SecondThread _second = null!;

    /// <summary>Makes a ready backend with one idle connection.</summary>
    [GlobalSetup]
    public void SetUp() => Setup.Run(SetUpAsync);

    private async Task SetUpAsync()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        int port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _backends = await ReadyBackends
            .StartAsync(TimeProvider.System, NullLogger.Instance, new ServerConfig(), ReadyBackends.Config("a", port))
            .ConfigureAwait(false);
        _backend = _backends.Set.All[0];
        if (_backend.TryEnter(out var instance))
        {
            _pool = instance.Pool;
            _backend.Leave(instance);
        }

        var connection = _pool.TryCreate() ?? throw new InvalidOperationException("No descriptor is left for a connection to the backend.");
        await connection.Channel.ConnectAsync(_pool.Endpoint).ConfigureAwait(false);
        _pool.Return(connection);
        _second = new SecondThread(EnterAndLeaveOften);
    }

    /// <summary>Admission and its end.</summary>
    [Benchmark]
    public void EnterAndLeave()
    {
        if (_backend.TryEnter(out var instance))
        {
            _backend.Leave(instance);
        }
    }

    /// <summary>Admission and its end, on two threads at once: an operation is one of each thread.</summary>
    [Benchmark(OperationsPerInvoke = PerThread)]
    public void EnterAndLeaveOnTwoThreads()
    {
        _second.Begin();
        EnterAndLeaveOften();
        _second.End();
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
        _second.Dispose();
        _listener.Dispose();
        _backends?.Dispose();
        GC.SuppressFinalize(this);
    }

    private void EnterAndLeaveOften()
    {
        for (int i = 0; i < PerThread; i++)
        {
            EnterAndLeave();
        }
    }
}
