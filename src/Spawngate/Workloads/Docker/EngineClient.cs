using System.Globalization;
using System.Net;
using Docker.DotNet;
using Docker.DotNet.Handler.Abstractions;
using Docker.DotNet.Models;
using Microsoft.Extensions.Logging.Abstractions;
using Version = System.Version;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// The calls of the Engine API that are needed, made by the library, each with a deadline of its own. Nothing here throws but for a
/// cancellation by the caller: what fails is an <see cref="EngineError"/> that names the call.
/// </summary>
internal sealed class EngineClient : IDisposable
{
    /// <summary>The newest version of the API that this client was written for.</summary>
    private static readonly Version Newest = new(1, 47);

    /// <summary>The oldest one with everything that it needs (Docker 1.13, early 2017).</summary>
    private static readonly Version Oldest = new(1, 25);

    private readonly EngineDialer _dialer;
    private readonly EngineTransport _transport;
    private readonly TimeProvider _time;
    private readonly DockerClient _unversioned;
    private DockerClient _versioned;

    /// <summary>Makes a client; nothing is connected yet.</summary>
    public EngineClient(EngineAddress address, TimeProvider time)
    {
        Address = address;
        _time = time;
        _dialer = new EngineDialer(address);
        _transport = new EngineTransport(_dialer);
        _unversioned = Speaking(null);
        _versioned = _unversioned;
    }

    /// <summary>Where the engine listens.</summary>
    public EngineAddress Address { get; }

    /// <summary>The address of the machine that it runs on; null when that is this one, or not known before a call.</summary>
    public IPAddress? Machine => _dialer.Machine;

    /// <summary>The address by which that machine knows this one; null when there is none such.</summary>
    public IPAddress? OwnAddress => _dialer.OwnAddress;

    /// <summary>The version of the API that both sides speak; null before <see cref="ConnectAsync"/>.</summary>
    public Version? ApiVersion { get; private set; }

    /// <summary>Asks whether an engine answers, and agrees on a version of the API with it.</summary>
    public async Task<EngineError?> ConnectAsync(CancellationToken cancel)
    {
        var ping = new EngineCall();
        var error = await CallAsync(ping, token => _unversioned.System.PingAsync(token), DockerLimits.EnginePingMs, cancel)
            .ConfigureAwait(false);
        if (error is not null)
        {
            return error;
        }

        var text = ping.ApiVersion;
        if (text is null)
        {
            var version = await ReadAsync(token => _unversioned.System.GetVersionAsync(token), static _ => true, cancel)
                .ConfigureAwait(false);
            text = version.Value?.APIVersion;
        }

        if (!Version.TryParse(text, out var theirs))
        {
            return new EngineError(
                EngineFault.Garbage,
                ping.Name,
                0,
                "what answers is no Docker engine: it names no version of the Engine API"
            );
        }

        if (theirs < Oldest)
        {
            return new EngineError(
                EngineFault.Garbage,
                ping.Name,
                0,
                $"the engine speaks version {theirs} of the Engine API, at least {Oldest} is needed"
            );
        }

        Agree(theirs < Newest ? theirs : Newest);
        return null;
    }

    /// <summary>Creates a container.</summary>
    public Task<EngineReply<CreateContainerResponse>> CreateAsync(CreateContainerParameters spec) =>
        ReadAsync(
            token => _versioned.Containers.CreateContainerAsync(spec, token),
            static created => !string.IsNullOrEmpty(created.ID),
            CancellationToken.None,
            DockerLimits.EngineCreateMs
        );

    /// <summary>Starts a container.</summary>
    public Task<EngineError?> StartAsync(string id) =>
        DoAsync(token => _versioned.Containers.StartContainerAsync(id, null, token), DockerLimits.EngineCreateMs);

    /// <summary>Asks a container to end, and kills it after so many seconds; returns when it has ended.</summary>
    public Task<EngineError?> StopAsync(string id, long graceSecs)
    {
        var secs = (uint)Math.Min(graceSecs, DockerLimits.StopSecsMax);
        var parameters = new ContainerStopParameters { WaitBeforeKillSeconds = secs };
        return DoAsync(
            token => _versioned.Containers.StopContainerAsync(id, parameters, token),
            (secs * 1000L) + DockerLimits.EngineCallMs
        );
    }

    /// <summary>Kills a container.</summary>
    public Task<EngineError?> KillAsync(string id) =>
        DoAsync(token => _versioned.Containers.KillContainerAsync(id, new ContainerKillParameters(), token), DockerLimits.EngineCallMs);

    /// <summary>Removes a container with its anonymous volumes, killing it first if it runs.</summary>
    public Task<EngineError?> RemoveAsync(string id)
    {
        var parameters = new ContainerRemoveParameters { Force = true, RemoveVolumes = true };
        return DoAsync(token => _versioned.Containers.RemoveContainerAsync(id, parameters, token), DockerLimits.EngineRemoveMs);
    }

    /// <summary>Waits until somebody else's removal of a container is done.</summary>
    public Task<EngineError?> AwaitRemovalAsync(string id) =>
        DoAsync(token => _versioned.Containers.WaitContainerAsync(id, token), DockerLimits.EngineRemoveMs);

    /// <summary>All about a container, by id or name.</summary>
    public Task<EngineReply<ContainerInspectResponse>> InspectAsync(string id, CancellationToken cancel) =>
        ReadAsync(
            token => _versioned.Containers.InspectContainerAsync(Uri.EscapeDataString(id), token),
            static container => !string.IsNullOrEmpty(container.ID),
            cancel
        );

    /// <summary>All containers, running or not, with a label of this value.</summary>
    public Task<EngineReply<ContainerListResponse[]>> ListAsync(string label, string value, CancellationToken cancel)
    {
        var parameters = new ContainersListParameters { All = true, Filters = Filter(("label", $"{label}={value}")) };
        return ReadAsync(
            async token => Named(await _versioned.Containers.ListContainersAsync(parameters, token).ConfigureAwait(false)),
            static _ => true,
            cancel
        );
    }

    /// <summary>All about an image, by id or name.</summary>
    public Task<EngineReply<ImageInspectResponse>> InspectImageAsync(string id, CancellationToken cancel) =>
        ReadAsync(token => _versioned.Images.InspectImageAsync(PathOf(id), token), static image => !string.IsNullOrEmpty(image.ID), cancel);

    /// <summary>All about a network.</summary>
    public Task<EngineReply<NetworkResponse>> InspectNetworkAsync(string name, CancellationToken cancel) =>
        ReadAsync(token => _versioned.Networks.InspectNetworkAsync(Uri.EscapeDataString(name), token), static _ => true, cancel);

    /// <summary>What happens to containers with a label of this value, from the moment on when the stream is open.</summary>
    /// <param name="label">The label.</param>
    /// <param name="value">Its value.</param>
    /// <param name="opened">Is called when the stream is open.</param>
    /// <param name="take">Gets each event.</param>
    /// <param name="cancel">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Why it could not be opened, or has ended; null at an orderly end.</returns>
    public async Task<EngineError?> FollowEventsAsync(
        string label,
        string value,
        Action opened,
        Action<Message> take,
        CancellationToken cancel
    )
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(DockerLimits.EngineCallMs), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        var call = new EngineCall
        {
            Opened = () =>
            {
                deadline.CancelAfter(Timeout.InfiniteTimeSpan);
                opened();
            },
        };
        var parameters = new ContainerEventsParameters
        {
            Filters = Filter(
                ("type", "container"),
                ("event", "die"),
                ("event", "oom"),
                ("event", DockerEngine.HealthChanged),
                ("label", $"{label}={value}")
            ),
        };
        return await RunAsync(
                call,
                () => _versioned.System.MonitorEventsAsync(parameters, new Messages<Message>(take), either.Token),
                cancel
            )
            .ConfigureAwait(false);
    }

    /// <summary>
    /// What a container writes from now on, both streams in frames: whatever the engine does with its logs, and before it is started
    /// nothing is missed.
    /// </summary>
    public Task<EngineReply<MultiplexedStream>> AttachAsync(string id, CancellationToken cancel)
    {
        var parameters = new ContainerAttachParameters
        {
            Stream = true,
            Stdout = true,
            Stderr = true,
        };
        return ReadAsync(
            token => _versioned.Containers.AttachContainerAsync(id, parameters, token),
            static _ => true,
            cancel,
            call: new EngineCall { IsAttach = true }
        );
    }

    /// <summary>Pulls an image, to its end.</summary>
    /// <param name="image">Which one.</param>
    /// <param name="login">For the image's registry; null for none.</param>
    /// <param name="take">Gets how far it is.</param>
    /// <param name="cancel">Ends it with an <see cref="OperationCanceledException"/>.</param>
    public Task<EngineError?> PullAsync(ImageName image, AuthConfig? login, Action<JSONMessage> take, CancellationToken cancel)
    {
        var parameters = new ImagesCreateParameters { FromImage = image.Repository, Tag = image.Tag };
        var progress = new Messages<JSONMessage>(message =>
        {
            // The status of the answer was sent before the pull began: what fails later is told in its place.
            if (message.Error is { } error)
            {
                throw new DockerApiException(HttpStatusCode.OK, error.Message);
            }

            take(message);
        });
        return CallAsync(
            new EngineCall(),
            token => _versioned.Images.CreateImageAsync(parameters, login, progress, token),
            DockerLimits.PullMs,
            cancel
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _transport.Dispose();

    private static Dictionary<string, IDictionary<string, bool>> Filter(params ReadOnlySpan<(string Name, string Value)> terms)
    {
        var filters = new Dictionary<string, IDictionary<string, bool>>(StringComparer.Ordinal);
        foreach (var (name, value) in terms)
        {
            if (!filters.TryGetValue(name, out var values))
            {
                values = new Dictionary<string, bool>(StringComparer.Ordinal);
                filters.Add(name, values);
            }

            values[value] = true;
        }

        return filters;
    }

    /// <summary>The name of an image in an address, in which its slashes are what they are.</summary>
    private static string PathOf(string image) => Uri.EscapeDataString(image).Replace("%2F", "/", StringComparison.Ordinal);

    /// <summary>Those that say which ones they are.</summary>
    private static ContainerListResponse[] Named(IEnumerable<ContainerListResponse?>? list) =>
        [.. (list ?? []).OfType<ContainerListResponse>().Where(static each => !string.IsNullOrEmpty(each.ID))];

    /// <summary>All clients share one transport, so none of them is disposed but with it.</summary>
    private DockerClient Speaking(Version? version) =>
        new DockerClientBuilder<EngineAddress>(
            _transport,
            Address,
            new ClientOptions
            {
                Endpoint = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{Address.Authority}")),
                ApiVersion = version,
                Timeout = Timeout.InfiniteTimeSpan,
            },
            NullLogger.Instance
        ).Build();

    private void Agree(Version version)
    {
        if (ApiVersion != version)
        {
            ApiVersion = version;
            _versioned = Speaking(version);
        }
    }

    /// <summary>
    /// A call of which only the success matters. It is not cancelled: what it asks for may happen all the same, and then must be known.
    /// </summary>
    private Task<EngineError?> DoAsync(Func<CancellationToken, Task> make, long deadlineMs) =>
        CallAsync(new EngineCall(), make, deadlineMs, CancellationToken.None);

    private async Task<EngineReply<T>> ReadAsync<T>(
        Func<CancellationToken, Task<T>> make,
        Func<T, bool> isWhole,
        CancellationToken cancel,
        long deadlineMs = DockerLimits.EngineCallMs,
        EngineCall? call = null
    )
        where T : class
    {
        T? value = null;
        call ??= new EngineCall();
        var error = await CallAsync(call, async token => value = await make(token).ConfigureAwait(false), deadlineMs, cancel)
            .ConfigureAwait(false);
        return error is not null ? error
            : value is not null && isWhole(value) ? value
            : call.Garbage();
    }

    private async Task<EngineError?> CallAsync(
        EngineCall call,
        Func<CancellationToken, Task> make,
        long deadlineMs,
        CancellationToken cancel
    )
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(deadlineMs), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        return await RunAsync(call, () => make(either.Token), cancel).ConfigureAwait(false);
    }

    private static async Task<EngineError?> RunAsync(EngineCall call, Func<Task> make, CancellationToken cancel)
    {
        EngineCall.Current = call;
        try
        {
            await make().ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (call.Explain(e, cancel) is { } error)
        {
            return error;
        }
    }

    /// <summary>Passes messages on one after another, in their order; that of the framework leaves both to the thread pool.</summary>
    private sealed class Messages<T>(Action<T> take) : IProgress<T>
        where T : class
    {
        public void Report(T? value)
        {
            if (value is not null)
            {
                take(value);
            }
        }
    }
}
