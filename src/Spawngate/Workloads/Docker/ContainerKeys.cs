using System.Net;
using Spawngate.Config;
using Spawngate.Config.Toml;

namespace Spawngate.Workloads.Docker;

/// <summary>The keys of <see cref="ContainerOptions"/>.</summary>
internal static class ContainerKeys
{
    /// <summary>What is mounted.</summary>
    public const string Volumes = "volumes";

    /// <summary>File systems in memory.</summary>
    public const string Tmpfs = "tmpfs";

    /// <summary>Whether the container's own file system cannot be written to.</summary>
    public const string ReadOnly = "read_only";

    /// <summary>Whether the engine's init is PID 1.</summary>
    public const string Init = "init";

    /// <summary>As whom the container runs.</summary>
    public const string User = "container_user";

    /// <summary>Labels of the container.</summary>
    public const string Labels = "labels";

    /// <summary>Names that it knows.</summary>
    public const string ExtraHosts = "extra_hosts";

    /// <summary>Who says whether it is healthy.</summary>
    public const string Healthcheck = "healthcheck";

    /// <summary>The value of it that means the image.</summary>
    public const string HealthOfImage = "docker";

    /// <summary>Its graphics cards.</summary>
    public const string Gpus = "gpus";

    /// <summary>All of them.</summary>
    public static readonly string[] All = [Volumes, Tmpfs, ReadOnly, Init, User, Labels, ExtraHosts, Healthcheck, Gpus];

    private const string HostGateway = "host-gateway";
    private const string UserAllowed = "a user of the image or a number, and a group behind a colon, such as \"1000:1000\"";
    private const string HostsAllowed = "\"NAME:ADDRESS\", such as \"db:10.0.0.5\" or \"host.docker.internal:host-gateway\"";
    private const string GpusAllowed = "\"all\", a number of them from 1, or a list of their ids, such as [\"0\", \"GPU-3faa8ed4\"]";

    /// <summary>Takes them out of a table.</summary>
    public static ContainerOptions Read(ConfigTable table)
    {
        var volumes = Parsed(table, Volumes, ContainerVolume.Parse, ContainerVolume.Allowed);
        var tmpfs = Parsed(table, Tmpfs, ContainerTmpfs.Parse, ContainerTmpfs.Allowed);
        ReportTwice(table, volumes, tmpfs);
        return new ContainerOptions
        {
            Volumes = volumes,
            Tmpfs = tmpfs,
            IsReadOnly = table.Flag(ReadOnly, false),
            Init = table.Find(Init) is null ? null : table.Flag(Init, true),
            User = table.Text(User, null, IsUser, UserAllowed),
            Labels = ReadLabels(table),
            ExtraHosts = new ValueList<string>([.. table.TextList(ExtraHosts, IsExtraHost, HostsAllowed)]),
            HasImageHealth = ReadHealthcheck(table),
            Gpus = ReadGpus(table),
        };
    }

    private static ValueList<T> Parsed<T>(ConfigTable table, string key, Func<string, T?> parse, string allowed)
        where T : class
    {
        var texts = table.TextList(key, text => parse(text) is not null, allowed);
        return new ValueList<T>([.. texts.Select(parse).OfType<T>()]);
    }

    /// <summary>The engine would say it too, but only at a start.</summary>
    private static void ReportTwice(ConfigTable table, ValueList<ContainerVolume> volumes, ValueList<ContainerTmpfs> tmpfs)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (
            var (key, target) in volumes
                .Select(static each => (Volumes, each.Target))
                .Concat(tmpfs.Select(static each => (Tmpfs, each.Target)))
        )
        {
            if (!seen.Add(target))
            {
                table.Report(
                    table.PositionOf(key),
                    key,
                    $"found {ConfigText.Quote(target)} twice, allowed is one mount at a path of the container"
                );
            }
        }
    }

    private static bool IsUser(string text) =>
        ConfigText.IsVisibleAscii(text) && text.Split(':') is [{ Length: > 0 }] or [{ Length: > 0 }, { Length: > 0 }];

    private static ValueList<KeyValuePair<string, string>> ReadLabels(ConfigTable table)
    {
        if (table.Table(Labels) is not { } labels)
        {
            return ValueList<KeyValuePair<string, string>>.Empty;
        }

        var read = new List<KeyValuePair<string, string>>(labels.Toml.Entries.Length);
        foreach (var entry in labels.Toml.Entries)
        {
            if (entry.Name.Length == 0 || entry.Name.Any(char.IsControl))
            {
                labels.Report(entry.Position, entry.Name, "found a name that no label can have, allowed is any visible text");
            }
            else if (entry.Name.StartsWith(ContainerLabels.Prefix, StringComparison.Ordinal))
            {
                labels.Report(
                    entry.Position,
                    entry.Name,
                    "found a label by which Spawngate knows its own containers, allowed is any name that does not begin with "
                        + ContainerLabels.Prefix
                );
            }
            else if (entry.Value is TomlString text && ConfigText.IsWithoutNul(text.Value))
            {
                read.Add(new KeyValuePair<string, string>(entry.Name, text.Value));
            }
            else
            {
                labels.ReportValue(entry, "a string (in quotes, numbers and booleans too; a name that has dots is in quotes)");
            }
        }

        return new ValueList<KeyValuePair<string, string>>([.. read]);
    }

    private static bool IsExtraHost(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0
            && ConfigText.IsVisibleAscii(text[..colon])
            && (text[(colon + 1)..] == HostGateway || IPAddress.TryParse(text[(colon + 1)..], out _));
    }

    private static bool ReadHealthcheck(ConfigTable table) =>
        table.Text(
            Healthcheck,
            null,
            static text => text == HealthOfImage,
            "\"docker\" (the HEALTHCHECK of the image decides), or no such key"
        )
            is not null;

    private static ContainerGpus? ReadGpus(ConfigTable table)
    {
        switch (table.Find(Gpus))
        {
            case null:
                return null;
            case { Value: TomlString { Value: "all" } }:
                return new ContainerGpus(ContainerGpus.All, ValueList<string>.Empty);
            case { Value: TomlInteger { Value: > 0 and <= DockerLimits.GpusMax } count }:
                return new ContainerGpus((int)count.Value, ValueList<string>.Empty);
            case { Value: TomlArray { Items.Count: > 0 } }:
                return new ContainerGpus(
                    0,
                    new ValueList<string>([.. table.TextList(Gpus, ConfigText.IsVisibleAscii, "the number or id of one")])
                );
            case { } entry:
                table.ReportValue(entry, GpusAllowed);
                return null;
        }
    }
}
