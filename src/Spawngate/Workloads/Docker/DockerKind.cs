using Spawngate.Config;
using Spawngate.Config.Toml;

namespace Spawngate.Workloads.Docker;

/// <summary>Backends that are Docker containers: <c>type = "docker"</c>.</summary>
internal sealed class DockerKind : BackendKind
{
    /// <summary>The kind.</summary>
    public static readonly DockerKind Shared = new();

    /// <summary>Field of a report: the whole id of the running container.</summary>
    public const string ContainerIdField = "container_id";

    /// <summary>Field of a report: its name.</summary>
    public const string ContainerNameField = "container_name";

    /// <summary>Field of a report: the configured image.</summary>
    public const string ImageField = "image";

    private const string NameAllowed = "a letter or digit, then at least one letter, digit, _, . or -";
    private const string HostAllowed = "\"unix:///path/of/docker.sock\" or \"tcp://host:port\"";

    /// <summary>What the container is called.</summary>
    public const string ContainerName = "container_name";

    /// <summary>The network that it is attached to.</summary>
    public const string Network = "network";

    /// <summary>Whether programs in the container may get more rights than they were started with.</summary>
    public const string NoNewPrivileges = "no_new_privileges";

    /// <summary>How many processes and threads the container may have.</summary>
    public const string PidsLimit = "pids_limit";

    /// <summary>The engine.</summary>
    public const string DockerHost = "docker_host";

    /// <summary>What proves the engine to us, and us to it.</summary>
    public const string TlsDir = "docker_tls_dir";

    private DockerKind() { }

    /// <inheritdoc/>
    public override string Name => "docker";

    /// <inheritdoc/>
    public override string Title => "Docker";

    /// <inheritdoc/>
    public override string OutputCategory => "container";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Keys { get; } =
    [
        "image",
        ContainerName,
        "pull_policy",
        ResourceKeys.Memory,
        ResourceKeys.Cpus,
        Network,
        DockerHost,
        TlsDir,
        NoNewPrivileges,
        PidsLimit,
        .. ContainerKeys.All,
    ];

    /// <inheritdoc/>
    public override string MainKey => "image";

    /// <inheritdoc/>
    public override bool RunsImages => true;

    /// <summary>Any: its container is nobody's.</summary>
    public override IReadOnlyList<string>? AllowEnvDefault => null;

    /// <inheritdoc/>
    public override IReadOnlyList<string> ReportFields => [ContainerIdField, ContainerNameField, ImageField];

    /// <inheritdoc/>
    public override string? Instead(string key) => key == "command" ? "the container's command line is args" : null;

    /// <inheritdoc/>
    public override string? WhyNotInTemplate(string key) =>
        key == ContainerName ? "each session's container is called after its session" : null;

    /// <summary>Reads the port that the container listens on, which is its own.</summary>
    public override int ReadPort(ConfigTable table)
    {
        if (table.Find("port") is null)
        {
            table.ReportMissing("port", "a docker backend needs the port its container listens on, such as port = 3000");
        }

        return table.Int("port", 0, 1, ConfigLimits.PortMax, " (the container's port)");
    }

    /// <inheritdoc/>
    public override KindSettings OfImage(string image) => new DockerSettings { Image = image, ContainerName = "" };

    /// <inheritdoc/>
    public override KindSettings Read(ConfigTable table, string name, Func<string, bool> folderExists)
    {
        if (table.Find("image") is null)
        {
            table.ReportMissing("image", "a docker backend needs the image to run, such as image = \"myapp:latest\"");
        }

        return new DockerSettings
        {
            Image = table.Text("image", "", ConfigText.IsVisibleAscii, "an image reference, such as \"myapp:latest\"")!,
            ContainerName = table.Text(ContainerName, null, IsContainerName, NameAllowed) ?? DefaultContainerName(name),
            PullPolicy = ReadPullPolicy(table),
            MemoryBytes = ResourceKeys.ReadMemory(table, DockerLimits.MemoryMegabytesMin),
            NanoCpus = ResourceKeys.ReadCpus(table),
            Network = table.Text(Network, null, ConfigText.IsVisibleAscii, "the name of a Docker network, such as \"bridge\""),
            DockerHost = table.Text(DockerHost, null, IsDockerHost, HostAllowed),
            TlsDir = ReadTlsDir(table),
            NoNewPrivileges = table.Flag(NoNewPrivileges, true),
            PidsLimit = table.Int(PidsLimit, DockerLimits.PidsUsual, 0, DockerLimits.PidsMax, " (0 = none)"),
            Options = ContainerKeys.Read(table),
        };
    }

    /// <summary><c>spawngate-{name}</c>, with what Docker refuses in names replaced by <c>-</c>.</summary>
    public static string DefaultContainerName(string name) =>
        string.Concat("spawngate-", string.Create(name.Length, name, static (target, name) =>
            {
                for (var i = 0; i < name.Length; i++)
                {
                    target[i] = IsNameCharacter(name[i]) ? name[i] : '-';
                }
            }));

    private static string? ReadTlsDir(ConfigTable table)
    {
        var folder = table.Text(TlsDir, null, IsTlsDir, "the absolute path of a folder with ca.pem, cert.pem and key.pem");
        if (folder is not null && table.Find(DockerHost) is not { Value: TomlString { Value: ['t', ..] } })
        {
            table.Report(
                table.PositionOf(TlsDir),
                TlsDir,
                $"found without {DockerHost} = \"tcp://HOST:PORT\", allowed only with one: a socket has no TLS"
            );
        }

        return folder;
    }

    private static bool IsTlsDir(string text) => Path.IsPathRooted(text) && !text.Any(char.IsControl);

    private static PullPolicy ReadPullPolicy(ConfigTable table)
    {
        var policy = table.Text("pull_policy", "if-not-present", IsPullPolicy, "\"always\", \"never\" or \"if-not-present\"");
        return policy switch
        {
            "always" => PullPolicy.Always,
            "never" => PullPolicy.Never,
            _ => PullPolicy.IfNotPresent,
        };
    }

    private static bool IsPullPolicy(string text) => text is "always" or "never" or "if-not-present";

    private static bool IsContainerName(string text) => text.Length >= 2 && char.IsAsciiLetterOrDigit(text[0]) && text.All(IsNameCharacter);

    private static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-';

    private static bool IsDockerHost(string text)
    {
        if (text.StartsWith("unix://", StringComparison.Ordinal))
        {
            return text.Length > "unix:///".Length && text["unix://".Length] == '/' && ConfigText.IsWithoutNul(text);
        }

        return text.StartsWith("tcp://", StringComparison.Ordinal)
            && Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && uri.Port is > 0 and <= ConfigLimits.PortMax
            && uri.Host.Length > 0
            && uri.PathAndQuery is "" or "/";
    }
}
