namespace Spawngate.Config;

/// <summary>
/// A kind of backend, as <c>type = "…"</c> names it: which keys only it has, how they are read, and which fields it adds to reports. What
/// one table says is its <see cref="KindSettings"/>; what starts it is a launcher. The rest of the program asks these three and never
/// which kind it has before it.
/// <code>
///   BackendKind ──Read──▶ KindSettings of a table ──launch request──▶ launcher of the kind ──▶ instance
///    keys, words           checks, prints, reports                     (registered in Composition)
/// </code>
/// </summary>
internal abstract class BackendKind
{
    /// <summary>The value of <c>type</c>; also how messages and reports name it.</summary>
    public abstract string Name { get; }

    /// <summary>Its name as a proper noun, for messages to callers.</summary>
    public virtual string Title => Name;

    /// <summary>The log category of the lines that its instances write.</summary>
    public virtual string OutputCategory => "backend";

    /// <summary>The names of the keys that not every kind has. Another kind may have some of them, too.</summary>
    public abstract IReadOnlyList<string> Keys { get; }

    /// <summary>The key of <see cref="Keys"/> that each of its tables needs: what it runs.</summary>
    public abstract string MainKey { get; }

    /// <summary>Whether it runs images, so that a session call may name one: see <see cref="OfImage"/>.</summary>
    public virtual bool RunsImages => false;

    /// <summary>What <c>allow_env</c> of a template is unless the file says otherwise; null for any variable.</summary>
    public virtual IReadOnlyList<string>? AllowEnvDefault => CallerVariables.OfLocal;

    /// <summary>
    /// The fields that it adds to the reports of the admin API. Reports of other kinds have them, too, as null. Their values come from
    /// <see cref="KindSettings.ReportField"/> and from the running instance.
    /// </summary>
    public virtual IReadOnlyList<string> ReportFields => [];

    /// <summary>What stands in the place of a key of another kind, for the message about such a key; null for nothing.</summary>
    public virtual string? Instead(string key) => null;

    /// <summary>Why one of its keys cannot stand in a template, of which there are many sessions; null when it can.</summary>
    public virtual string? WhyNotInTemplate(string key) => null;

    /// <summary>Reads <c>port</c>; unless overridden it is one of this machine, and 0 to have a free one chosen.</summary>
    public virtual int ReadPort(ConfigTable table) =>
        table.Int("port", 0, 0, ConfigLimits.PortMax, " (0 = a free port is chosen at each start)");

    /// <summary>Takes its keys out of a backend's table, and notes what is wrong with them.</summary>
    /// <param name="table">The table.</param>
    /// <param name="name">Name of the backend; empty for a template, and when its host is wrong.</param>
    /// <param name="folderExists">Says whether a folder exists.</param>
    public abstract KindSettings Read(ConfigTable table, string name, Func<string, bool> folderExists);

    /// <summary>The settings of a session whose call names an image and no template.</summary>
    /// <exception cref="NotSupportedException">It does not run images.</exception>
    public virtual KindSettings OfImage(string image) => throw new NotSupportedException($"A {Name} backend runs no images.");
}

/// <summary>Stands for the kind of a table that does not tell it, which is an error: it has no keys and claims nothing.</summary>
internal sealed class UnknownKind : BackendKind
{
    private static readonly UnknownKind Shared = new();
    private static readonly KindSettings NoSettings = new Nothing();

    private UnknownKind() { }

    /// <summary>The settings of such a table.</summary>
    public static KindSettings Settings => NoSettings;

    /// <inheritdoc/>
    public override string Name => "unknown";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Keys => [];

    /// <inheritdoc/>
    public override string MainKey => "type";

    /// <inheritdoc/>
    public override KindSettings Read(ConfigTable table, string name, Func<string, bool> folderExists) => NoSettings;

    private sealed record Nothing : KindSettings
    {
        public override BackendKind Kind => Shared;

        public override void Print(ConfigLines to, bool isTemplate) { }
    }
}
