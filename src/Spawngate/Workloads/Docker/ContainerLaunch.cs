using System.Globalization;
using System.Net;
using Docker.DotNet.Models;
using Spawngate.Config;
using Spawngate.Logging;
using Version = System.Version;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// One start of a container:
/// <code>
///   (pull) ──▶ create ──▶ attach to its output ──▶ start ──▶ read its port back ──▶ runs
///      ▲          │  │ name taken by a left-over of ours: removed, again
///      └──────────┘  └ by anybody else: failed
///   image missing, or no init
/// </code>
/// Create and start are never cut short, because the engine would do them all the same: a cancelled launch lets them end and then removes
/// what there is.
/// </summary>
internal sealed class ContainerLaunch(
    LaunchRequest request,
    DockerEngine engine,
    IReadyCallbackListeners listeners,
    IOutputSink output,
    TimeProvider time,
    CancellationToken cancel
)
{
    private const string NoSuchAddress = "cannot assign requested address";
    private static readonly string[] InitNames = ["docker-init", "container-init", "catatonit"];
    private static readonly Version StartIntervalFrom = new(1, 44);

    private readonly long _began = time.GetTimestamp();
    private readonly string _runId = GatewayIdentity.NewId();
    private double _createMs;
    private double _startMs;
    private double _pullMs;
    private Task<ImageFacts?>? _image;
    private bool _isToBeMadeAnew;
    private bool _asksForInit;

    private ContainerOptions Options => Docker.Options;

    private IPAddress Machine => engine.Client.Machine ?? IPAddress.Loopback;

    private DockerSettings Docker => (DockerSettings)request.Config.Settings;

    private string Backend => request.Config.Name;

    /// <summary>Makes the container instance, or leaves nothing of it.</summary>
    public async Task<LaunchResult> RunAsync()
    {
        await engine.RemovalsAsync(Docker.ContainerName).WaitAsync(cancel).ConfigureAwait(false);
        // Beside the next call: it costs no time of its own.
        _image = Docker.PullPolicy == PullPolicy.Always ? null : InspectImageAsync();
        var ready = await ReadyPath.FindAsync(request, engine.Client, listeners, cancel).ConfigureAwait(false);
        if (ready.Problem is { } problem)
        {
            DockerLog.NoReadyCallback(engine.Log, Backend, Docker.Network ?? "bridge", problem);
        }

        ContainerWorkload? workload = null;
        var isKept = false;
        try
        {
            if (Docker.PullPolicy == PullPolicy.Always && await PullAsync().ConfigureAwait(false) is { } pullError)
            {
                return Failed(pullError);
            }

            LaunchResult result;
            do
            {
                _isToBeMadeAnew = false;
                (workload, var error) = await CreateAsync(ready).ConfigureAwait(false);
                if (workload is null)
                {
                    return Failed(error!);
                }

                result = await StartAsync(workload, ready).ConfigureAwait(false);
                if (_isToBeMadeAnew)
                {
                    await engine.RemoveAsync(workload).ConfigureAwait(false);
                }
            } while (_isToBeMadeAnew);

            isKept = result.Workload is not null;
            return result;
        }
        finally
        {
            await SettleAsync(workload, isKept, ready.Use).ConfigureAwait(false);
        }
    }

    private static LaunchResult Failed(string error) => new(null, error);

    /// <summary>
    /// However the launch has ended: a container that does not run for it is gone, and the listener is open only for one that does.
    /// </summary>
    private async Task SettleAsync(ContainerWorkload? workload, bool isKept, ReadyCallbackLease? use)
    {
        if (workload is not null && isKept)
        {
            _ = LeaveAtEndAsync(workload, use);
            return;
        }

        use?.Leave();
        if (workload is not null)
        {
            await engine.RemoveAsync(workload).ConfigureAwait(false);
        }
    }

    private static async Task LeaveAtEndAsync(ContainerWorkload workload, ReadyCallbackLease? use)
    {
        await workload.Exited.ConfigureAwait(false);
        use?.Leave();
    }

    private async Task<string?> PullAsync()
    {
        var began = time.GetTimestamp();
        var pull = engine.Pulls.PullAsync(Docker.Image, Backend, cancel);
        request.Stage.Text = $"pulling image {Docker.Image}, which goes on";
        var error = await pull.ConfigureAwait(false);
        _pullMs += time.GetElapsedTime(began).TotalMilliseconds;
        _image = null; // It may be another one now.
        return error;
    }

    private async Task<(ContainerWorkload? Run, string? Error)> CreateAsync(ReadyPath ready)
    {
        var mayPull = Docker.PullPolicy == PullPolicy.IfNotPresent;
        for (var attempt = 0; attempt < DockerLimits.ContainerCreateAttemptsMax; attempt++)
        {
            cancel.ThrowIfCancellationRequested();
            var image = await (_image ??= InspectImageAsync()).ConfigureAwait(false);
            if (Options.HasImageHealth && image is { Healthcheck: null })
            {
                return (null, $"image {Docker.Image} has no HEALTHCHECK, by which {ContainerKeys.Healthcheck} = \"docker\" goes");
            }

            request.Stage.Text = "creating the container";
            var reply = await CreateOnceAsync(SpecOf(image, ready)).ConfigureAwait(false);
            if (reply.Value is { } created)
            {
                WarnOfLooseVolumes(image);
                return (Register(created), null);
            }

            var error = reply.Error!;
            var cause =
                IsImageMissing(error) ? (mayPull ? await PullAsync().ConfigureAwait(false) : MissingImage())
                : error.IsConflict ? await FreeNameAsync().ConfigureAwait(false)
                : GivesUpInit(error) ? null
                : $"container {Docker.ContainerName} cannot be created: {error}";
            mayPull &= !IsImageMissing(error);
            if (cause is not null)
            {
                return (null, cause);
            }
        }

        return (null, $"container name {Docker.ContainerName} is taken again and again");
    }

    /// <summary>What the image says; null when it is not there, or cannot be told.</summary>
    private async Task<ImageFacts?> InspectImageAsync()
    {
        try
        {
            var reply = await engine.Client.InspectImageAsync(Docker.Image, cancel).ConfigureAwait(false);
            return reply.Value is { } image ? new ImageFacts(image.Config) : null;
        }
        catch (OperationCanceledException)
        {
            return null; // Whoever waits for it is cancelled, too.
        }
    }

    private CreateContainerParameters SpecOf(ImageFacts? image, ReadyPath ready)
    {
        var spec = ContainerPlan.Of(request, engine.Identity, _runId, ready.Url, Machine);
        var init = Options.Init
            ?? (
                engine.LacksInit ? false
                : image is null ? null
                : !image.BringsInit(request.Config.Args)
            );
        _asksForInit = init == true;
        OptionsPlan.Add(Options, spec, init, ready.NeedsHostName);
        if (Options.HasImageHealth && image?.Healthcheck is { } check && engine.Client.ApiVersion >= StartIntervalFrom)
        {
            spec.Healthcheck = OptionsPlan.WhileStarting(check, request.Config.StartupTimeoutSecs);
        }

        return spec;
    }

    /// <summary>Once for each image: it is not this start that is wrong, but the file.</summary>
    private void WarnOfLooseVolumes(ImageFacts? image)
    {
        if (image?.LooseVolumes(Options) is not { Count: > 0 } paths || !engine.MayWarn($"{Docker.Image} {string.Join(' ', paths)}"))
        {
            return;
        }

        var volumes = paths.Select(path => $"{Docker.ContainerName}{path.Replace('/', '-')}:{path}");
        DockerLog.LooseVolumes(
            engine.Log,
            Backend,
            Docker.Image,
            string.Join(", ", paths),
            $"{ContainerKeys.Volumes} = {ConfigLines.List(volumes)}",
            $"{ContainerKeys.Tmpfs} = {ConfigLines.List(paths)}"
        );
    }

    /// <summary>
    /// An engine is installed with an init in most places, and a container was never refused for want of it before it was asked for: so
    /// unless the file asks for it, there is none then.
    /// </summary>
    private bool GivesUpInit(EngineError error)
    {
        if (Options.Init is not null || !Array.Exists(InitNames, error.Message.Contains))
        {
            return false;
        }

        if (engine.LacksInit)
        {
            return _asksForInit; // Another start has found it out since this one asked.
        }

        engine.LacksInit = true;
        DockerLog.NoInit(engine.Log, engine.Client.Address.Text, error.Message);
        return true;
    }

    private string MissingImage() =>
        Docker.PullPolicy == PullPolicy.Never
            ? $"image {Docker.Image} is not on the engine, and pull_policy is never"
            : $"image {Docker.Image} is not on the engine although it was pulled";

    private async Task<EngineReply<CreateContainerResponse>> CreateOnceAsync(CreateContainerParameters spec)
    {
        engine.Expect(_runId);
        var began = time.GetTimestamp();
        var reply = await engine.Client.CreateAsync(spec).ConfigureAwait(false);
        _createMs = time.GetElapsedTime(began).TotalMilliseconds;
        if (reply.Error is { IsLoss: true })
        {
            engine.Abandon(_runId, Backend);
        }
        else if (reply.Error is not null)
        {
            engine.Forget(_runId);
        }

        return reply;
    }

    private static bool IsImageMissing(EngineError error) =>
        error.IsNotFound
        && (
            error.Message.Contains("no such image", StringComparison.OrdinalIgnoreCase)
            || error.Message.Contains("image not known", StringComparison.OrdinalIgnoreCase)
        );

    /// <summary>The name is taken: a left-over of this gateway makes way, anything else is an error.</summary>
    private async Task<string?> FreeNameAsync()
    {
        var name = Docker.ContainerName;
        var reply = await engine.Client.InspectAsync(name, cancel).ConfigureAwait(false);
        if (reply.Value is not { } holder)
        {
            return reply.Error!.IsNotFound ? null : $"container name {name} is taken, and by whom cannot be told: {reply.Error}";
        }

        var labels = holder.Config?.Labels;
        var instance = ContainerLabels.Find(labels, ContainerLabels.Instance);
        var what = $"container {ContainerIdentity.Shorten(holder.ID)} of image {holder.Config?.Image}";
        if (instance != engine.Identity.Instance)
        {
            var whose = instance is null
                ? "was not created by Spawngate"
                : $"belongs to another gateway ({ContainerLabels.Instance}={instance})";
            return $"container name {name} is taken by {what}, which {whose}: remove it, or set container_name";
        }

        if (engine.LiveWorkloadOf(holder.ID) is { } live)
        {
            return $"container name {name} is taken by the running backend {live.Backend}: set container_name";
        }

        if (await OwnContainers.DoubtAsync(engine.Client, holder, cancel).ConfigureAwait(false) is { } doubt)
        {
            return $"container name {name} is taken by {what}, which was not created by this gateway although it has its "
                + $"labels ({doubt}): remove it, or set container_name";
        }

        await engine.RemovalsAsync(name).WaitAsync(cancel).ConfigureAwait(false);
        await engine.RemoveLeftOverAsync(holder.ID, ContainerLabels.Find(labels, ContainerLabels.Host) ?? "", name).ConfigureAwait(false);
        return null;
    }

    private ContainerWorkload Register(CreateContainerResponse created)
    {
        foreach (var warning in created.Warnings ?? [])
        {
            DockerLog.CreateWarning(engine.Log, Backend, Docker.ContainerName, warning);
        }

        var identity = new ContainerIdentity(created.ID, Docker.ContainerName, Docker.Image);
        var workload = new ContainerWorkload(engine, _runId, created.ID, Backend, identity, new ContainerOutput(Backend, output))
        {
            TellsHealth = Options.HasImageHealth,
        };
        engine.Register(workload);
        return workload;
    }

    private async Task<LaunchResult> StartAsync(ContainerWorkload workload, ReadyPath ready)
    {
        if (cancel.IsCancellationRequested)
        {
            return Failed("the start was cancelled");
        }

        request.Stage.Text = "starting the container";
        var error = await workload.Output.AttachAsync(engine.Client, workload.Id, CancellationToken.None).ConfigureAwait(false)
            ?? await StartOnFreePortAsync(workload).ConfigureAwait(false);
        if (error is not null)
        {
            _isToBeMadeAnew = GivesUpInit(error);
            return Failed($"container {Docker.ContainerName} cannot be started: {error}{AddressNote(error)}");
        }

        workload.MarkStarted();
        if (cancel.IsCancellationRequested)
        {
            return Failed("the start was cancelled");
        }

        var (place, problem) = await PlaceOfAsync(workload, ready).ConfigureAwait(false);
        if (problem is not null)
        {
            return Failed($"container {Docker.ContainerName} is not reachable: {problem}");
        }

        var totalMs = time.GetElapsedTime(_began).TotalMilliseconds;
        DockerLog.Started(
            engine.Log,
            Backend,
            workload.Container.Name,
            workload.Container.Image,
            place?.EndPoint.Port ?? request.Port,
            Ms(_createMs),
            Ms(_startMs),
            Ms(totalMs - _createMs - _startMs - _pullMs)
        );
        request.Stage.Text = null;
        return new LaunchResult(workload, null) { SpawnMs = totalMs, Place = place };
    }

    /// <summary>
    /// The engine chooses the port, and may lose it to a program that binds it in that very moment: it then chooses another.
    /// </summary>
    private async Task<EngineError?> StartOnFreePortAsync(ContainerWorkload workload)
    {
        EngineError? error = null;
        for (var attempt = 0; attempt < DockerLimits.ContainerStartAttemptsMax; attempt++)
        {
            var began = time.GetTimestamp();
            error = await engine.Client.StartAsync(workload.Id).ConfigureAwait(false);
            _startMs = time.GetElapsedTime(began).TotalMilliseconds;
            if (error is null || !IsPortTaken(error))
            {
                break;
            }
        }

        return error;
    }

    private static bool IsPortTaken(EngineError error) =>
        error.Message.Contains("port is already allocated", StringComparison.Ordinal)
        || error.Message.Contains("address already in use", StringComparison.Ordinal);

    private string AddressNote(EngineError error) =>
        engine.Client.Machine is { } machine && error.Message.Contains(NoSuchAddress, StringComparison.Ordinal)
            ? $" (the engine was reached at {machine}, which is no address of its machine: "
                + $"{DockerKind.DockerHost} has to name one at which its containers can be published)"
            : "";

    /// <summary>
    /// Where the container is reached: at the port that the engine gave it, or at its own address if the engine maps no ports on its
    /// network (an internal one) and the network is on this very machine. Null when that is the loopback port of the request, or when it
    /// has ended already, which it reports itself.
    /// </summary>
    private async Task<(LaunchedAt? Place, string? Problem)> PlaceOfAsync(ContainerWorkload workload, ReadyPath ready)
    {
        if (Docker.Network == DockerSettings.HostNetwork)
        {
            return (
                engine.Client.Machine is { } far ? new LaunchedAt(new IPEndPoint(far, request.Config.Port), IsForwarded: false) : null,
                null
            );
        }

        var reply = await engine.Client.InspectAsync(workload.Id, CancellationToken.None).ConfigureAwait(false);
        if (reply.Value is not { } details)
        {
            return (null, workload.HasEnded ? null : reply.Error!.ToString());
        }

        if (details.State?.Status is "exited" or "dead")
        {
            workload.EndWith((int)details.State.ExitCode); // Its event may still be on the way.
        }

        var own =
            engine.Client.Machine is null
            && ready is { Use: not null, NeedsHostName: false }
            && ContainerPlan.AddressOf(details) is { } address
                ? new IPEndPoint(address, request.Config.Port)
                : null;
        if (ContainerPlan.MappedPort(details, request.Config.Port) is { } port)
        {
            return (new LaunchedAt(new IPEndPoint(Machine, port), IsForwarded: true) { Behind = own }, null);
        }

        if (own is not null)
        {
            return (new LaunchedAt(own, IsForwarded: false), null);
        }

        return (null, workload.HasEnded ? null : $"the engine gave it no port on its machine for its port {request.Config.Port}");
    }

    private static string Ms(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
