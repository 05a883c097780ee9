using System.Buffers;
using System.Text.Json;

namespace Spawngate.Workloads.Docker;

// The parts of the Engine API's messages that are used, named as they are there (https://docs.docker.com/reference/api/engine/). They are
// read from a document and written by hand: generated serialisation code for two dozen small types takes 450 KB of the executable, this
// takes a tenth of that.

/// <summary>Body of <c>POST /containers/create</c>.</summary>
internal sealed class ContainerSpec
{
    /// <summary>Image reference.</summary>
    public required string Image { get; init; }

    /// <summary>Arguments; null for the image's own.</summary>
    public IReadOnlyList<string>? Cmd { get; init; }

    /// <summary>Variables, each <c>NAME=value</c>.</summary>
    public required IReadOnlyList<string> Env { get; init; }

    /// <summary>Labels.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The port such as <c>80/tcp</c> to which a free one of the machine's loopback address shall lead; null for none.</summary>
    public string? Port { get; init; }

    /// <summary>What concerns the machine it runs on.</summary>
    public required HostSpec HostConfig { get; init; }

    /// <summary>As the engine wants it.</summary>
    public byte[] ToJson()
    {
        var bytes = new ArrayBufferWriter<byte>(DockerLimits.EngineReadBytes);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("Image", Image);
            json.WriteTexts("Cmd", Cmd);
            json.WriteTexts("Env", Env);
            json.WriteStartObject("Labels");
            foreach (var (name, value) in Labels)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
            WritePort(json);
            HostConfig.Write(json, Port);
            json.WriteEndObject();
        }

        return bytes.WrittenSpan.ToArray();
    }

    private void WritePort(Utf8JsonWriter json)
    {
        if (Port is not null)
        {
            json.WriteStartObject("ExposedPorts");
            json.WriteStartObject(Port);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }
}

/// <summary>The part of a container's settings that concerns the machine it runs on.</summary>
internal sealed class HostSpec
{
    /// <summary>Network; null for the engine's default.</summary>
    public string? NetworkMode { get; init; }

    /// <summary>Memory limit in bytes; null for none.</summary>
    public long? Memory { get; init; }

    /// <summary>Processor limit in billionths of a core; null for none.</summary>
    public long? NanoCpus { get; init; }

    /// <summary>Options such as <c>no-new-privileges</c>; null for none.</summary>
    public IReadOnlyList<string>? SecurityOpt { get; init; }

    /// <summary>Processes and threads it may have; -1 for any number.</summary>
    public required long PidsLimit { get; init; }

    /// <summary>Names that the container shall know, each <c>name:address</c>.</summary>
    public IReadOnlyList<string>? ExtraHosts { get; init; }

    /// <summary>Writes it as a part of <see cref="ContainerSpec"/>.</summary>
    public void Write(Utf8JsonWriter json, string? port)
    {
        json.WriteStartObject("HostConfig");
        if (NetworkMode is not null)
        {
            json.WriteString("NetworkMode", NetworkMode);
        }

        if (port is not null)
        {
            // The engine chooses the port and so cannot be beaten to it by anybody.
            json.WriteStartObject("PortBindings");
            json.WriteStartArray(port);
            json.WriteStartObject();
            json.WriteString("HostIp", "127.0.0.1");
            json.WriteString("HostPort", "");
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        WriteNumber(json, "Memory", Memory);
        WriteNumber(json, "NanoCpus", NanoCpus);
        json.WriteNumber("PidsLimit", PidsLimit);
        json.WriteTexts("SecurityOpt", SecurityOpt);
        json.WriteTexts("ExtraHosts", ExtraHosts);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } known)
        {
            json.WriteNumber(name, known);
        }
    }
}

/// <summary>Answer to <c>POST /containers/create</c>.</summary>
internal sealed class CreatedContainer
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>What the engine has to say about the settings.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }

    /// <summary>Reads it; null when it is none.</summary>
    public static CreatedContainer? Read(JsonElement json) =>
        json.Text("Id") is { } id ? new CreatedContainer { Id = id, Warnings = json.Texts("Warnings") } : null;
}

/// <summary>Answer to <c>GET /containers/{id}/json</c>.</summary>
internal sealed class ContainerDetails
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its name, after a slash.</summary>
    public string? Name { get; init; }

    /// <summary>Id of the image it was made of.</summary>
    public string? Image { get; init; }

    /// <summary>Whether and how it runs.</summary>
    public ContainerState? State { get; init; }

    /// <summary>Image and labels.</summary>
    public ContainerIdentityDetails? Config { get; init; }

    /// <summary>Its ports.</summary>
    public ContainerPorts? NetworkSettings { get; init; }

    /// <summary>Reads it; null when it is none.</summary>
    public static ContainerDetails? Read(JsonElement json) =>
        json.Text("Id") is not { } id
            ? null
            : new ContainerDetails
            {
                Id = id,
                Name = json.Text("Name"),
                Image = json.Text("Image"),
                State = json.Part("State") is { } state ? ContainerState.Read(state) : null,
                Config = json.Part("Config") is { } config
                    ? new ContainerIdentityDetails { Image = config.Text("Image"), Labels = config.TextsByName("Labels") }
                    : null,
                NetworkSettings = json.Part("NetworkSettings") is { } settings ? ContainerPorts.Read(settings) : null,
            };
}

/// <summary>Whether and how a container runs, or ended.</summary>
internal sealed class ContainerState
{
    /// <summary><c>created</c>, <c>running</c>, <c>paused</c>, <c>restarting</c>, <c>removing</c>, <c>exited</c> or <c>dead</c>.</summary>
    public string? Status { get; init; }

    /// <summary>Exit status once it has ended.</summary>
    public int ExitCode { get; init; }

    /// <summary>Reads it.</summary>
    public static ContainerState Read(JsonElement json) => new() { Status = json.Text("Status"), ExitCode = (int)json.Whole("ExitCode") };
}

/// <summary>Image and labels of a container.</summary>
internal sealed class ContainerIdentityDetails
{
    /// <summary>The image it was made of.</summary>
    public string? Image { get; init; }

    /// <summary>Its labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>The ports and addresses of a running container.</summary>
internal sealed class ContainerPorts
{
    /// <summary>Ports of the machine in digits, by the container's port such as <c>80/tcp</c>.</summary>
    public required IReadOnlyDictionary<string, string> Ports { get; init; }

    /// <summary>Its addresses, one for each network that gave it one.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Reads it.</summary>
    public static ContainerPorts Read(JsonElement json)
    {
        var ports = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var port in json.Fields("Ports"))
        {
            if (
                port.Value.ValueKind == JsonValueKind.Array
                && port.Value.GetArrayLength() > 0
                && port.Value[0].Text("HostPort") is { } hostPort
            )
            {
                ports[port.Name] = hostPort;
            }
        }

        List<string> addresses = [];
        foreach (var network in json.Fields("Networks"))
        {
            if (network.Value.Text("IPAddress") is { } address)
            {
                addresses.Add(address);
            }
        }

        return new ContainerPorts { Ports = ports, Addresses = addresses };
    }
}

/// <summary>One element of the answer to <c>GET /containers/json</c>.</summary>
internal sealed class ContainerSummary
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Its names, each after a slash.</summary>
    public IReadOnlyList<string>? Names { get; init; }

    /// <summary>Id of the image it was made of.</summary>
    public string? ImageId { get; init; }

    /// <summary>As in <see cref="ContainerState.Status"/>.</summary>
    public string? State { get; init; }

    /// <summary>Its labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Reads a list of them; null when it is none.</summary>
    public static ContainerSummary[]? ReadAll(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        List<ContainerSummary> all = [];
        foreach (var each in json.EnumerateArray())
        {
            if (each.Text("Id") is { } id)
            {
                all.Add(
                    new ContainerSummary
                    {
                        Id = id,
                        Names = each.Texts("Names"),
                        ImageId = each.Text("ImageID"),
                        State = each.Text("State"),
                        Labels = each.TextsByName("Labels"),
                    }
                );
            }
        }

        return [.. all];
    }
}

/// <summary>Answer to <c>GET /images/{name}/json</c>.</summary>
internal sealed class ImageDetails
{
    /// <summary>Its labels, which every container of it inherits.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>Reads it; null when it is none.</summary>
    public static ImageDetails? Read(JsonElement json) =>
        json.Text("Id") is null
            ? null
            : new ImageDetails
            {
                Labels = json.Part("Config")?.TextsByName("Labels") ?? new Dictionary<string, string>(StringComparer.Ordinal),
            };
}

/// <summary>Answer to <c>GET /networks/{name}</c>.</summary>
internal sealed class NetworkDetails
{
    /// <summary>The addresses of the machine in it, one for each range that has one.</summary>
    public required IReadOnlyList<string> Gateways { get; init; }

    /// <summary>Reads it.</summary>
    public static NetworkDetails Read(JsonElement json)
    {
        List<string> gateways = [];
        if (json.Part("IPAM")?.Part("Config") is { ValueKind: JsonValueKind.Array } config)
        {
            foreach (var range in config.EnumerateArray())
            {
                gateways.Add(range.Text("Gateway") ?? "");
            }
        }

        return new NetworkDetails { Gateways = gateways };
    }
}

/// <summary>One event of <c>GET /events</c>.</summary>
internal sealed class EngineEvent
{
    /// <summary>What happened, such as <c>die</c>.</summary>
    public string? Action { get; init; }

    /// <summary>Id of the container that it happened to.</summary>
    public string? Id { get; init; }

    /// <summary>The container's exit status, in digits; null without one.</summary>
    public string? ExitCode { get; init; }

    /// <summary>Reads it.</summary>
    public static EngineEvent Read(JsonElement json)
    {
        var actor = json.Part("Actor");
        return new EngineEvent
        {
            Action = json.Text("Action"),
            Id = actor?.Text("ID"),
            ExitCode = actor?.Part("Attributes")?.Text("exitCode"),
        };
    }
}

/// <summary>One message of the stream that <c>POST /images/create</c> answers with.</summary>
internal sealed class PullMessage
{
    /// <summary>What is done, such as <c>Downloading</c>.</summary>
    public string? Status { get; init; }

    /// <summary>Which layer.</summary>
    public string? Id { get; init; }

    /// <summary>Bytes of it so far.</summary>
    public long Bytes { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>Reads it.</summary>
    public static PullMessage Read(JsonElement json) =>
        new()
        {
            Status = json.Text("status"),
            Id = json.Text("id"),
            Bytes = json.Part("progressDetail")?.Whole("current") ?? 0,
            Error = json.Text("error"),
        };
}
