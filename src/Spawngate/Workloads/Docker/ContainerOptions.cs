using Spawngate.Config;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Workloads.Docker;

/// <summary>Which graphics cards a container gets.</summary>
/// <param name="Count">How many; <see cref="All"/> for all. 0 when <paramref name="Ids"/> names them.</param>
/// <param name="Ids">Their numbers or ids; empty when <paramref name="Count"/> says how many.</param>
internal sealed record ContainerGpus(int Count, ValueList<string> Ids)
{
    /// <summary>The count that stands for all.</summary>
    public const int All = -1;

    /// <summary>As the file has it.</summary>
    public override string ToString() =>
        Ids.Count > 0 ? List(Ids)
        : Count == All ? Quoted("all")
        : Number(Count);
}

/// <summary>What the file says of a container beside what it runs: what is mounted in it, and how it is run.</summary>
internal sealed record ContainerOptions
{
    /// <summary>What is kept when the container goes.</summary>
    public ValueList<ContainerVolume> Volumes { get; init; } = ValueList<ContainerVolume>.Empty;

    /// <summary>File systems in memory.</summary>
    public ValueList<ContainerTmpfs> Tmpfs { get; init; } = ValueList<ContainerTmpfs>.Empty;

    /// <summary>Whether its own file system cannot be written to.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether the engine's init is its PID 1; null when the image decides.</summary>
    public bool? Init { get; init; }

    /// <summary>As whom its programs run, <c>USER</c> or <c>USER:GROUP</c>; null when the image decides.</summary>
    public string? User { get; init; }

    /// <summary>Labels beside ours, in the order of the file.</summary>
    public ValueList<KeyValuePair<string, string>> Labels { get; init; } = ValueList<KeyValuePair<string, string>>.Empty;

    /// <summary>Names that it knows, each as <c>NAME:ADDRESS</c>.</summary>
    public ValueList<string> ExtraHosts { get; init; } = ValueList<string>.Empty;

    /// <summary>Whether the image's own HEALTHCHECK decides if it is ready and healthy.</summary>
    public bool HasImageHealth { get; init; }

    /// <summary>Its graphics cards; null for none.</summary>
    public ContainerGpus? Gpus { get; init; }

    /// <summary>Whether something is mounted at a path of the container.</summary>
    /// <param name="path">The path, see <see cref="ContainerPath.Normal"/>.</param>
    public bool IsMounted(string path) => Volumes.Any(volume => volume.Target == path) || Tmpfs.Any(tmpfs => tmpfs.Target == path);

    /// <summary>Writes its keys for <c>spawngate check</c>.</summary>
    public void Print(ConfigLines to)
    {
        to.Line(ContainerKeys.Volumes, OrNone(Volumes.Select(static volume => volume.ToString())));
        to.Line(ContainerKeys.Tmpfs, OrNone(Tmpfs.Select(static tmpfs => tmpfs.ToString())));
        to.Line(ContainerKeys.ReadOnly, Flag(IsReadOnly));
        to.Line(ContainerKeys.Init, Init is { } init ? Flag(init) : "# true, unless the image brings an init");
        to.Line(ContainerKeys.User, User is null ? "# that of the image" : Quoted(User));
        to.Line(ContainerKeys.Labels, Labels.Count == 0 ? "# none" : $"{{ {string.Join(", ", Labels.Select(Assignment))} }}");
        to.Line(ContainerKeys.ExtraHosts, OrNone(ExtraHosts));
        to.Line(ContainerKeys.Healthcheck, HasImageHealth ? Quoted(ContainerKeys.HealthOfImage) : "# health_path");
        to.Line(ContainerKeys.Gpus, Gpus is null ? "# none" : Gpus.ToString());
    }

    private static string OrNone(IEnumerable<string> items) => List(items) is var list && list == "[]" ? "# none" : list;

    private static string Flag(bool value) => value ? "true" : "false";

    private static string Assignment(KeyValuePair<string, string> label) => $"{Quoted(label.Key)} = {Quoted(label.Value)}";
}
