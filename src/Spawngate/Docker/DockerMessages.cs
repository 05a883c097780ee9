using System.Text.Json.Serialization;

namespace Spawngate.Docker;

// The parts of the Engine API's messages that are used, named as they are there (https://docs.docker.com/reference/api/engine/).

/// <summary>Body of <c>POST /containers/create</c>.</summary>
internal sealed record ContainerSpec
{
    /// <summary>Image reference.</summary>
    public required string Image { get; init; }

    /// <summary>Arguments; null for the image's own.</summary>
    public IReadOnlyList<string>? Cmd { get; init; }

    /// <summary>Variables, each <c>NAME=value</c>.</summary>
    public required IReadOnlyList<string> Env { get; init; }

    /// <summary>Labels.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Ports such as <c>80/tcp</c>; null for none of our own.</summary>
    public IReadOnlyDictionary<string, EmptyObject>? ExposedPorts { get; init; }

    /// <summary>What concerns the machine it runs on.</summary>
    public required HostSpec HostConfig { get; init; }
}

/// <summary>The value of what is only named.</summary>
internal sealed record EmptyObject;

/// <summary>The part of a container's settings that concerns the machine it runs on.</summary>
internal sealed record HostSpec
{
    /// <summary>Network; null for the engine's default.</summary>
    public string? NetworkMode { get; init; }

    /// <summary>Which addresses of the machine lead to which port.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<PortBinding>>? PortBindings { get; init; }

    /// <summary>Memory limit in bytes; null for none.</summary>
    public long? Memory { get; init; }

    /// <summary>Processor limit in billionths of a core; null for none.</summary>
    public long? NanoCpus { get; init; }

    /// <summary>Names that the container shall know, each <c>name:address</c>.</summary>
    public IReadOnlyList<string>? ExtraHosts { get; init; }
}

/// <summary>An address of the machine that leads to a port of a container.</summary>
/// <param name="HostIp">The address.</param>
/// <param name="HostPort">The port in digits; empty: the engine chooses one.</param>
internal sealed record PortBinding(string HostIp, string HostPort);

/// <summary>Answer to <c>POST /containers/create</c>.</summary>
internal sealed record CreatedContainer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What the engine has to say about the settings.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>Answer to <c>GET /containers/{id}/json</c>.</summary>
internal sealed record ContainerDetails
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Whether and how it runs.</summary>
    public ContainerState? State { get; init; }

    /// <summary>Image and labels.</summary>
    public ContainerIdentityDetails? Config { get; init; }

    /// <summary>Its ports.</summary>
    public ContainerPorts? NetworkSettings { get; init; }
}

/// <summary>Whether and how a container runs, or ended.</summary>
internal sealed record ContainerState
{
    /// <summary><c>created</c>, <c>running</c>, <c>paused</c>, <c>restarting</c>, <c>removing</c>, <c>exited</c> or <c>dead</c>.</summary>
    public string? Status { get; init; }

    /// <summary>Exit status once it has ended.</summary>
    public int ExitCode { get; init; }

    /// <summary>Whether the kernel ended it for want of memory.</summary>
    [JsonPropertyName("OOMKilled")]
    public bool OomKilled { get; init; }
}

/// <summary>Image and labels of a container.</summary>
internal sealed record ContainerIdentityDetails
{
    /// <summary>The image it was made of.</summary>
    public string? Image { get; init; }

    /// <summary>Its labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>The ports and addresses of a running container.</summary>
internal sealed record ContainerPorts
{
    /// <summary>By port such as <c>80/tcp</c>; null for a port that is not reachable from outside.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<PortBinding>?>? Ports { get; init; }

    /// <summary>Its networks by name.</summary>
    public IReadOnlyDictionary<string, ContainerNetwork>? Networks { get; init; }
}

/// <summary>A container's place in a network.</summary>
internal sealed record ContainerNetwork
{
    /// <summary>Its address; empty or null without one.</summary>
    [JsonPropertyName("IPAddress")]
    public string? Address { get; init; }
}

/// <summary>One element of the answer to <c>GET /containers/json</c>.</summary>
internal sealed record ContainerSummary
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its names, each after a slash.</summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>As in <see cref="ContainerState.Status"/>.</summary>
    public string? State { get; init; }

    /// <summary>Its labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>Answer to <c>GET /networks/{name}</c>.</summary>
internal sealed record NetworkDetails
{
    /// <summary>Its addresses.</summary>
    [JsonPropertyName("IPAM")]
    public NetworkAddresses? Ipam { get; init; }
}

/// <summary>How a network gives out addresses.</summary>
internal sealed record NetworkAddresses
{
    /// <summary>One element for each range.</summary>
    public IReadOnlyList<NetworkRange>? Config { get; init; }
}

/// <summary>A range of addresses of a network.</summary>
internal sealed record NetworkRange
{
    /// <summary>The address of the machine in it; null without one.</summary>
    public string? Gateway { get; init; }
}

/// <summary>Answer to <c>GET /version</c>.</summary>
internal sealed record EngineVersion
{
    /// <summary>The newest version of the API that the engine speaks.</summary>
    public string? ApiVersion { get; init; }
}

/// <summary>Body of every error.</summary>
internal sealed record EngineComplaint
{
    /// <summary>For people.</summary>
    [JsonPropertyName("message")]
    public string? Message { get; init; }
}

/// <summary>One event of <c>GET /events</c>.</summary>
internal sealed record EngineEvent
{
    /// <summary>What happened, such as <c>die</c>.</summary>
    public string? Action { get; init; }

    /// <summary>To whom.</summary>
    public EngineEventActor? Actor { get; init; }
}

/// <summary>Whom an event is about.</summary>
internal sealed record EngineEventActor
{
    /// <summary>Id of the container.</summary>
    [JsonPropertyName("ID")]
    public string? Id { get; init; }

    /// <summary>Its labels, and what belongs to the event, such as <c>exitCode</c>.</summary>
    public IReadOnlyDictionary<string, string>? Attributes { get; init; }
}

/// <summary>One message of the stream that <c>POST /images/create</c> answers with.</summary>
internal sealed record PullMessage
{
    /// <summary>What is done, such as <c>Downloading</c>.</summary>
    [JsonPropertyName("status")]
    public string? Status { get; init; }

    /// <summary>Which layer.</summary>
    [JsonPropertyName("id")]
    public string? Id { get; init; }

    /// <summary>How much of it.</summary>
    [JsonPropertyName("progressDetail")]
    public PullAmount? ProgressDetail { get; init; }

    /// <summary>Why it failed.</summary>
    [JsonPropertyName("error")]
    public string? Error { get; init; }
}

/// <summary>How much of a layer is there.</summary>
internal sealed record PullAmount
{
    /// <summary>Bytes so far.</summary>
    [JsonPropertyName("current")]
    public long Current { get; init; }

    /// <summary>Bytes in all; 0 when unknown.</summary>
    [JsonPropertyName("total")]
    public long Total { get; init; }
}

/// <summary>Serialisation code for the engine's messages, generated at build time because native AOT has no reflection.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ContainerSpec))]
[JsonSerializable(typeof(CreatedContainer))]
[JsonSerializable(typeof(ContainerDetails))]
[JsonSerializable(typeof(ContainerSummary[]))]
[JsonSerializable(typeof(NetworkDetails))]
[JsonSerializable(typeof(EngineVersion))]
[JsonSerializable(typeof(EngineComplaint))]
[JsonSerializable(typeof(EngineEvent))]
[JsonSerializable(typeof(PullMessage))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, IReadOnlyList<string>>))]
internal sealed partial class DockerJson : JsonSerializerContext;
