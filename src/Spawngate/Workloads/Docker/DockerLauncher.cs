using System.Collections.Concurrent;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Workloads.Processes;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Starts Docker backends: one container each, on the engine that its settings name. Nothing is made before the first of them is needed.
/// </summary>
internal sealed class DockerLauncher : ILauncher
{
    private readonly DockerEngines _engines;
    private readonly IReadyCallbackListeners _listeners;
    private readonly IOutputSink _output;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly GatewayIdentity _identity;
    private readonly Guardian? _guardian;
    private readonly ConcurrentDictionary<string, bool> _runs = new(StringComparer.Ordinal);
    private Task _beginning = Task.CompletedTask;

    /// <summary>Makes the launcher of a gateway.</summary>
    /// <param name="identity">By what its containers are known.</param>
    /// <param name="listeners">Makes where containers call back that they are ready.</param>
    /// <param name="output">Gets the lines that containers write.</param>
    /// <param name="loggers">Makes the logger of category <c>spawngate.docker</c>.</param>
    /// <param name="variable">Reads a variable of the environment.</param>
    /// <param name="time">The time.</param>
    /// <param name="guardian">Is told of every engine; null for none.</param>
    public DockerLauncher(
        GatewayIdentity identity,
        Func<ILogger, IReadyCallbackListeners> listeners,
        IOutputSink output,
        ILoggerFactory loggers,
        Func<string, string?> variable,
        TimeProvider time,
        Guardian? guardian = null
    )
    {
        _identity = identity;
        _guardian = guardian;
        _log = loggers.CreateLogger("spawngate.docker");
        _output = output;
        _time = time;
        _listeners = listeners(_log);
        _engines = new DockerEngines(
            address => new DockerEngine(address, identity, _log, RegistryLogins.OfUser(variable), time, _runs),
            variable,
            time
        );
    }

    /// <inheritdoc/>
    public long StopMsMax => DockerLimits.EngineStopMs;

    /// <summary>
    /// Looks, beside the start of the gateway, for the engines that its backends will need, so that what an earlier process left behind is
    /// removed before anybody asks.
    /// </summary>
    public void Begin(IEnumerable<KindSettings> possible)
    {
        (string? Host, string? TlsDir)[] hosts =
        [
            .. possible.Cast<DockerSettings>().Select(static each => (each.DockerHost, each.TlsDir)).Distinct(),
        ];
        if (hosts.Length > 0)
        {
            _beginning = Task.Run(() => Task.WhenAll(hosts.Select(each => FindEarlyAsync(each.Host, each.TlsDir))), CancellationToken.None);
        }
    }

    /// <inheritdoc/>
    public async Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
    {
        try
        {
            request.Stage.Text = "connecting to the Docker engine";
            var settings = (DockerSettings)request.Config.Settings;
            var found = await _engines.FindAsync(settings.DockerHost, settings.TlsDir, cancel).ConfigureAwait(false);
            if (found.Engine is not { } engine)
            {
                return new LaunchResult(null, found.Error);
            }

            // As for a process: a wait only in the first moments of the gateway.
            await (_guardian?.Ready ?? Task.CompletedTask).WaitAsync(cancel).ConfigureAwait(false);
            _guardian?.Expect(ContainersOn(engine));
            request.Stage.Text = "waiting for the Docker engine to answer";
            return await new ContainerLaunch(request, engine, _listeners, _output, _time, cancel).RunAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return new LaunchResult(null, "the start was cancelled");
        }
    }

    /// <summary>Ends what goes on beside the backends, which have ended: removals get some time, pulls do not.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _beginning.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_engines.All.Select(static engine => engine.StopAsync())).ConfigureAwait(false);
        await _listeners.DisposeAsync().ConfigureAwait(false);
        foreach (var engine in _engines.All)
        {
            _guardian?.Forget(ContainersOn(engine));
        }

        _stop.Dispose();
    }

    private GuardedResource ContainersOn(DockerEngine engine) => new(DockerKind.Shared.Name, _identity.Process, engine.Client.Address.Line);

    private async Task FindEarlyAsync(string? host, string? tlsDir)
    {
        try
        {
            var found = await _engines.FindAsync(host, tlsDir, _stop.Token).ConfigureAwait(false);
            if (found.Error is { } error)
            {
                DockerLog.Unavailable(_log, error);
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway stops already.
        }
    }
}
