using System.Globalization;
using Spawngate.Config;
using Spawngate.Platform;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Workloads.Docker;

/// <summary>When an image is pulled before a start.</summary>
internal enum PullPolicy
{
    /// <summary>Only when the engine has no such image.</summary>
    IfNotPresent,

    /// <summary>At every start.</summary>
    Always,

    /// <summary>Never; a missing image is an error.</summary>
    Never,
}

/// <summary>What the keys of a Docker backend say.</summary>
internal sealed record DockerSettings : KindSettings
{
    /// <summary>The network whose containers use the machine's own addresses and ports.</summary>
    public const string HostNetwork = "host";

    /// <summary>Image reference.</summary>
    public required string Image { get; init; }

    /// <summary>Container name.</summary>
    public required string ContainerName { get; init; }

    /// <summary>When to pull.</summary>
    public PullPolicy PullPolicy { get; init; }

    /// <summary>Memory limit in bytes; null for none.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>CPU limit in billionths of a core; null for none.</summary>
    public long? NanoCpus { get; init; }

    /// <summary>Network to attach to; null for the engine's default.</summary>
    public string? Network { get; init; }

    /// <summary>Whether its programs cannot get more rights than they were started with, as by setuid files.</summary>
    public bool NoNewPrivileges { get; init; } = true;

    /// <summary>Processes and threads it may have; 0 for as many as the engine allows.</summary>
    public int PidsLimit { get; init; } = DockerLimits.PidsUsual;

    /// <summary>Engine address (<c>unix://…</c> or <c>tcp://…</c>); null for the usual search.</summary>
    public string? DockerHost { get; init; }

    /// <summary>Folder with what TLS to that engine needs; null for no TLS.</summary>
    public string? TlsDir { get; init; }

    /// <summary>What is mounted in the container, and how it is run.</summary>
    public ContainerOptions Options { get; init; } = new();

    /// <inheritdoc/>
    public override BackendKind Kind => DockerKind.Shared;

    /// <summary>Whether the container shares the machine's network; otherwise the engine chooses a port for it.</summary>
    public override bool UsesLoopbackPort => Network == HostNetwork && !IsElsewhere;

    /// <summary>Whether the file says that the engine is one of another machine.</summary>
    private bool IsElsewhere => DockerHost is not null && EngineAddress.Parse(DockerHost) is { IsElsewhere: true };

    /// <inheritdoc/>
    public override string PortAdvice => "allowed is a port of its own, as its container uses the machine's network";

    /// <summary>Two backends with one container would remove each other's at every start. Different engines may use a name twice.</summary>
    public override ExclusiveName? ExclusiveName => new ExclusiveName(DockerKind.ContainerName, ContainerName, DockerHost, "the container");

    /// <inheritdoc/>
    public override string? ImageReference => Image;

    /// <inheritdoc/>
    public override KindSettings WithImage(string image) => this with { Image = image };

    /// <inheritdoc/>
    public override KindSettings ForSession(string name) => this with { ContainerName = DockerKind.DefaultContainerName(name) };

    /// <inheritdoc/>
    public override void CheckTemplate(ConfigTable table, int port)
    {
        if (Network == HostNetwork)
        {
            table.ReportValue(table.Find(DockerKind.Network)!.Value, "a network on which each container has its ports to itself");
        }
    }

    /// <summary>Paths of this machine that are not there: of those of another one nothing is known.</summary>
    public override IEnumerable<string> FindProblems(BackendConfig config, ChildEnvironment inherited)
    {
        foreach (var volume in Options.Volumes.Where(volume => !IsElsewhere && volume.IsHostPath && !Path.Exists(volume.Source)))
        {
            yield return $"{ContainerKeys.Volumes}: no such file or folder: {volume.Source}";
        }

        foreach (var file in TlsDir is null ? [] : EngineTls.Files.Where(file => !File.Exists(Path.Combine(TlsDir, file))))
        {
            yield return $"{DockerKind.TlsDir}: no such file: {Path.Combine(TlsDir!, file)}";
        }
    }

    /// <inheritdoc/>
    public override string? ReportField(string name) => name == DockerKind.ImageField ? Image : null;

    /// <inheritdoc/>
    public override void Print(ConfigLines to, bool isTemplate)
    {
        var policy = PullPolicy switch
        {
            PullPolicy.Always => "always",
            PullPolicy.Never => "never",
            _ => "if-not-present",
        };
        to.Line("image", Quoted(Image));
        to.Line(DockerKind.ContainerName, isTemplate ? "# called after each session" : Quoted(ContainerName));
        to.Line("pull_policy", Quoted(policy));
        to.Line("memory", MemoryBytes is { } bytes ? $"\"{Number(bytes)}b\"" : "# no limit");
        to.Line("cpus", NanoCpus is { } nano ? Quoted((nano / 1e9m).ToString("0.0########", CultureInfo.InvariantCulture)) : "# no limit");
        to.Line(DockerKind.Network, Network is null ? "# the engine's default" : Quoted(Network));
        to.Line(DockerKind.DockerHost, DockerHost is null ? "# DOCKER_HOST, else the usual sockets" : Quoted(DockerHost));
        to.Line(DockerKind.TlsDir, TlsDir is null ? "# no TLS" : Quoted(TlsDir));
        to.Line(DockerKind.NoNewPrivileges, NoNewPrivileges ? "true" : "false");
        to.Line(DockerKind.PidsLimit, PidsLimit == 0 ? "0  # none" : Number(PidsLimit));
        Options.Print(to);
    }
}
