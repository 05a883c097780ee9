using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// The calls of the Engine API that are needed, each a method with a deadline of its own. Nothing here throws but for a cancellation by the
/// caller: what fails is an <see cref="EngineError"/> that names the call.
/// </summary>
internal sealed class DockerClient : IDisposable
{
    /// <summary>The newest version of the API that this client was written for.</summary>
    private static readonly Version Newest = new(1, 47);

    /// <summary>The oldest one with everything that it needs (Docker 1.13, early 2017).</summary>
    private static readonly Version Oldest = new(1, 25);

    private readonly EngineTransport _transport;
    private string _prefix = "";

    /// <summary>Makes a client; nothing is connected yet.</summary>
    public DockerClient(EngineAddress address, TimeProvider time)
    {
        Address = address;
        _transport = new EngineTransport(address, time);
    }

    /// <summary>Where the engine listens.</summary>
    public EngineAddress Address { get; }

    /// <summary>The version of the API that both sides speak; null before <see cref="ConnectAsync"/>.</summary>
    public Version? ApiVersion { get; private set; }

    /// <summary>Asks whether an engine answers, and agrees on a version of the API with it.</summary>
    public async Task<EngineError?> ConnectAsync(CancellationToken cancel)
    {
        var ping = await _transport.CallAsync(HttpMethod.Get, "/_ping", null, DockerLimits.EnginePingMs, cancel).ConfigureAwait(false);
        if (ping.Error is { } error)
        {
            return error;
        }

        var text = ping.Value!.ApiVersion;
        if (text is null)
        {
            var version = await GetAsync("/version", static json => json.Text("ApiVersion"), cancel).ConfigureAwait(false);
            text = version.Value;
        }

        if (!Version.TryParse(text, out var theirs))
        {
            return new EngineError(
                EngineFault.Garbage,
                "GET /_ping",
                0,
                "what answers is no Docker engine: it names no version of the Engine API"
            );
        }

        if (theirs < Oldest)
        {
            return new EngineError(
                EngineFault.Garbage,
                "GET /_ping",
                0,
                $"the engine speaks version {theirs} of the Engine API, at least {Oldest} is needed"
            );
        }

        ApiVersion = theirs < Newest ? theirs : Newest;
        _prefix = $"/v{ApiVersion}";
        return null;
    }

    /// <summary>Creates a container.</summary>
    public async Task<EngineReply<CreatedContainer>> CreateAsync(string name, ContainerSpec spec)
    {
        var path = $"{_prefix}/containers/create?name={Uri.EscapeDataString(name)}";
        var reply = await _transport
            .CallAsync(HttpMethod.Post, path, spec.ToJson(), DockerLimits.EngineCreateMs, CancellationToken.None)
            .ConfigureAwait(false);
        return Read(reply, "POST /containers/create", CreatedContainer.Read);
    }

    /// <summary>Starts a container.</summary>
    public Task<EngineError?> StartAsync(string id) => DoAsync(HttpMethod.Post, $"/containers/{id}/start", DockerLimits.EngineCreateMs);

    /// <summary>Asks a container to end, and kills it after so many seconds; returns when it has ended.</summary>
    public Task<EngineError?> StopAsync(string id, long graceSecs) =>
        DoAsync(
            HttpMethod.Post,
            string.Create(CultureInfo.InvariantCulture, $"/containers/{id}/stop?t={graceSecs}"),
            Math.Min((graceSecs * 1000) + DockerLimits.EngineCallMs, int.MaxValue)
        );

    /// <summary>Kills a container.</summary>
    public Task<EngineError?> KillAsync(string id) => DoAsync(HttpMethod.Post, $"/containers/{id}/kill", DockerLimits.EngineCallMs);

    /// <summary>Removes a container with its anonymous volumes, killing it first if it runs.</summary>
    public Task<EngineError?> RemoveAsync(string id) =>
        DoAsync(HttpMethod.Delete, $"/containers/{id}?force=1&v=1", DockerLimits.EngineRemoveMs);

    /// <summary>Waits until somebody else's removal of a container is done.</summary>
    public Task<EngineError?> AwaitRemovalAsync(string id) =>
        DoAsync(HttpMethod.Post, $"/containers/{id}/wait?condition=removed", DockerLimits.EngineRemoveMs);

    /// <summary>All about a container, by id or name.</summary>
    public Task<EngineReply<ContainerDetails>> InspectAsync(string id, CancellationToken cancel) =>
        GetAsync($"/containers/{Uri.EscapeDataString(id)}/json", ContainerDetails.Read, cancel);

    /// <summary>All containers, running or not, with a label of this value.</summary>
    public Task<EngineReply<ContainerSummary[]>> ListAsync(string label, string value, CancellationToken cancel) =>
        GetAsync($"/containers/json?all=1&filters={Filter(("label", [$"{label}={value}"]))}", ContainerSummary.ReadAll, cancel);

    /// <summary>All about an image, by id or name.</summary>
    public Task<EngineReply<ImageDetails>> InspectImageAsync(string id, CancellationToken cancel) =>
        GetAsync($"/images/{Uri.EscapeDataString(id)}/json", ImageDetails.Read, cancel);

    /// <summary>All about a network.</summary>
    public Task<EngineReply<NetworkDetails>> InspectNetworkAsync(string name, CancellationToken cancel) =>
        GetAsync($"/networks/{Uri.EscapeDataString(name)}", NetworkDetails.Read, cancel);

    /// <summary>What happens to containers with a label of this value, from now on.</summary>
    public Task<EngineReply<EngineStream>> OpenEventsAsync(string label, string value, CancellationToken cancel)
    {
        var filter = Filter(("type", ["container"]), ("event", ["die", "oom"]), ("label", [$"{label}={value}"]));
        return OpenAsync(HttpMethod.Get, $"/events?filters={filter}", [], DockerLimits.EngineCallMs, cancel);
    }

    /// <summary>
    /// What a container writes from now on, both streams in frames: whatever the engine does with its logs, and before it is started
    /// nothing is missed.
    /// </summary>
    public Task<EngineReply<EngineStream>> AttachAsync(string id, CancellationToken cancel) =>
        OpenAsync(HttpMethod.Post, $"/containers/{id}/attach?stream=1&stdout=1&stderr=1", [], DockerLimits.EngineCallMs, cancel);

    /// <summary>Pulls an image; the stream tells how far it is.</summary>
    /// <param name="image">Which one.</param>
    /// <param name="credentials">Value of X-Registry-Auth; null for none.</param>
    /// <param name="cancel">Ends the wait for the stream.</param>
    public Task<EngineReply<EngineStream>> PullAsync(ImageName image, string? credentials, CancellationToken cancel)
    {
        var path = $"/images/create?fromImage={Uri.EscapeDataString(image.Repository)}&tag={Uri.EscapeDataString(image.Tag)}";
        return OpenAsync(
            HttpMethod.Post,
            path,
            credentials is null ? [] : [new("X-Registry-Auth", credentials)],
            DockerLimits.PullMs,
            cancel
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _transport.Dispose();

    private static string Filter(params (string Name, string[] Values)[] terms)
    {
        var bytes = new ArrayBufferWriter<byte>(DockerLimits.EngineReadBytes);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            foreach (var (name, values) in terms)
            {
                json.WriteTexts(name, values);
            }

            json.WriteEndObject();
        }

        return Uri.EscapeDataString(Encoding.UTF8.GetString(bytes.WrittenSpan));
    }

    private static EngineReply<T> Read<T>(EngineReply<EngineAnswer> reply, string call, Func<JsonElement, T?> read)
        where T : class => reply.Value is { } answer ? answer.Read(call, read) : reply.Error! with { Call = call };

    private async Task<EngineReply<T>> GetAsync<T>(string path, Func<JsonElement, T?> read, CancellationToken cancel)
        where T : class
    {
        var reply = await _transport
            .CallAsync(HttpMethod.Get, _prefix + path, null, DockerLimits.EngineCallMs, cancel)
            .ConfigureAwait(false);
        return Read(reply, $"GET {WithoutQuery(path)}", read);
    }

    /// <summary>
    /// A call of which only the success matters. It is not cancelled: what it asks for may happen all the same, and then must be known.
    /// </summary>
    private async Task<EngineError?> DoAsync(HttpMethod method, string path, long deadlineMs)
    {
        var reply = await _transport.CallAsync(method, _prefix + path, null, deadlineMs, CancellationToken.None).ConfigureAwait(false);
        return reply.Error is { } error ? error with { Call = $"{method} {WithoutQuery(path)}" } : null;
    }

    private async Task<EngineReply<EngineStream>> OpenAsync(
        HttpMethod method,
        string path,
        IReadOnlyList<KeyValuePair<string, string>> headers,
        long headDeadlineMs,
        CancellationToken cancel
    )
    {
        var reply = await _transport.OpenAsync(method, _prefix + path, headers, headDeadlineMs, cancel).ConfigureAwait(false);
        return reply.Error is { } error ? error with { Call = $"{method} {WithoutQuery(path)}" } : reply;
    }

    private static string WithoutQuery(string path)
    {
        var end = path.IndexOf('?', StringComparison.Ordinal);
        return end < 0 ? path : path[..end];
    }
}
