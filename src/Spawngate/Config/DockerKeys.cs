using System.Globalization;
using Spawngate.Protocols.Toml;

namespace Spawngate.Config;

/// <summary>The keys that only Docker backends have.</summary>
internal static class DockerKeys
{
    private const long NanoPerCpu = 1_000_000_000;
    private const string MemoryAllowed = "a size of at least 6m in b, k, m or g, such as \"512m\", \"1.5g\" or \"2gb\"";
    private const string CpusAllowed = "a number of cores from 0.01 to 8192, such as \"1.0\" or 0.5";
    private const string NameAllowed = "a letter or digit, then at least one letter, digit, _, . or -";
    private const string HostAllowed = "\"unix:///path/of/docker.sock\" or \"tcp://host:port\"";

    /// <summary>Whether programs in the container may get more rights than they were started with.</summary>
    public const string NoNewPrivileges = "no_new_privileges";

    /// <summary>How many processes and threads the container may have.</summary>
    public const string PidsLimit = "pids_limit";

    /// <summary>Their names.</summary>
    public static readonly string[] All =
    [
        "image",
        "container_name",
        "pull_policy",
        "memory",
        "cpus",
        "network",
        "docker_host",
        NoNewPrivileges,
        PidsLimit,
    ];

    /// <summary>Takes them out of a backend's table.</summary>
    public static DockerConfig Read(ConfigTable table, string hostname)
    {
        if (table.Find("image") is null)
        {
            table.ReportMissing("image", "a docker backend needs the image to run, such as image = \"myapp:latest\"");
        }

        return new DockerConfig
        {
            Image = table.Text("image", "", ConfigText.IsVisibleAscii, "an image reference, such as \"myapp:latest\"")!,
            ContainerName = table.Text("container_name", null, IsContainerName, NameAllowed) ?? DefaultContainerName(hostname),
            PullPolicy = ReadPullPolicy(table),
            MemoryBytes = ReadMemory(table),
            NanoCpus = ReadCpus(table),
            Network = table.Text("network", null, ConfigText.IsVisibleAscii, "the name of a Docker network, such as \"bridge\""),
            DockerHost = table.Text("docker_host", null, IsDockerHost, HostAllowed),
            NoNewPrivileges = table.Flag(NoNewPrivileges, true),
            PidsLimit = table.Int(PidsLimit, ConfigLimits.DockerPidsUsual, 0, ConfigLimits.DockerPidsMax, " (0 = none)"),
        };
    }

    /// <summary><c>spawngate-{hostname}</c>, with what Docker refuses in names replaced by <c>-</c>.</summary>
    public static string DefaultContainerName(string hostname) =>
        string.Concat("spawngate-", string.Create(hostname.Length, hostname, static (name, host) =>
            {
                for (var i = 0; i < host.Length; i++)
                {
                    name[i] = IsNameCharacter(host[i]) ? host[i] : '-';
                }
            }));

    /// <summary>Reads <c>512m</c>, <c>1.5g</c>, <c>2gb</c>, <c>256M</c> or a plain number of bytes.</summary>
    public static bool TryParseMemory(string text, out long bytes)
    {
        bytes = 0;
        var number = text.AsSpan();
        if (number.Length > 1 && char.ToLowerInvariant(number[^1]) == 'b' && char.IsAsciiLetter(number[^2]))
        {
            number = number[..^1];
        }

        var unit = number.IsEmpty ? '\0' : char.ToLowerInvariant(number[^1]);
        long factor = unit switch
        {
            'k' => 1L << 10,
            'm' => 1L << 20,
            'g' => 1L << 30,
            _ => 1,
        };
        if (unit is 'b' or 'k' or 'm' or 'g')
        {
            number = number[..^1];
        }

        if (!TryParseAmount(number, out var amount) || amount > long.MaxValue / factor)
        {
            return false;
        }

        bytes = (long)(amount * factor);
        return true;
    }

    private static bool TryParseAmount(ReadOnlySpan<char> text, out decimal amount)
    {
        amount = 0;
        return !text.IsEmpty
            && char.IsAsciiDigit(text[0])
            && char.IsAsciiDigit(text[^1])
            && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out amount);
    }

    private static long? ReadMemory(ConfigTable table)
    {
        if (table.Find("memory") is not { } entry)
        {
            return null;
        }

        if (entry.Value is TomlString text && TryParseMemory(text.Value, out var bytes) && bytes >= ConfigLimits.DockerMemoryBytesMin)
        {
            return bytes;
        }

        table.ReportValue(entry, MemoryAllowed);
        return null;
    }

    private static long? ReadCpus(ConfigTable table)
    {
        if (table.Find("cpus") is not { } entry)
        {
            return null;
        }

        var amount = entry.Value switch
        {
            TomlString text when TryParseAmount(text.Value, out var parsed) => parsed,
            TomlInteger integer => integer.Value,
            TomlFloat { Value: > 0 and <= int.MaxValue } number => (decimal)number.Value,
            _ => 0,
        };
        var isBelowMax = amount <= ConfigLimits.DockerNanoCpusMax / NanoPerCpu;
        var nanoCpus = isBelowMax ? (long)(amount * NanoPerCpu) : 0;
        if (nanoCpus >= ConfigLimits.DockerNanoCpusMin)
        {
            return nanoCpus;
        }

        table.ReportValue(entry, CpusAllowed);
        return null;
    }

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
