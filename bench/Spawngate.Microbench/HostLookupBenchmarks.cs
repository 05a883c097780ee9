using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Routing;
using Spawngate.Tests.Fakes;

namespace Spawngate.Microbench;

/// <summary>Routing: the same cost whatever the number of hosts, up to the caches of the processor.</summary>
public class HostLookupBenchmarks : IDisposable
{
    private readonly byte[][] _names = new byte[1024][];
    private ReadyBackends? _backends;
    private BackendTable _table = null!;
    private int _next;

    /// <summary>Hosts in the table.</summary>
    [Params(10, 1_000, 100_000)]
    public int Hosts { get; set; }

    /// <summary>Makes the table, and 1,024 names that are in it, in no order that a cache could guess.</summary>
    [GlobalSetup]
    public void SetUp() => Setup.Run(SetUpAsync);

    private async Task SetUpAsync()
    {
        _backends = await ReadyBackends.StartAsync(TimeProvider.System, NullLogger.Instance, new ServerConfig()).ConfigureAwait(false);
        var env = _backends.Env;
        _table = new BackendTable([
            .. Enumerable.Range(0, Hosts).Select(i => new Backend(env, ReadyBackends.Config($"tenant-{i}.example.com", 1))),
        ]);
        for (int i = 0; i < _names.Length; i++)
        {
            _names[i] = Encoding.ASCII.GetBytes($"Tenant-{(i * 7919L) % Hosts}.example.com:8080");
        }
    }

    /// <summary>Host as clients send it: a capital letter and a port.</summary>
    [Benchmark]
    public bool Find() => _table.Find(_names[_next++ & 1023]) is not null;

    /// <inheritdoc/>
    [GlobalCleanup]
    public void Dispose()
    {
        _backends?.Dispose();
        GC.SuppressFinalize(this);
    }
}
