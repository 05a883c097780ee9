using Spawngate.Platform;

namespace Spawngate.Config;

/// <summary>
/// A name that only one backend may have at a time, such as that of a container.
/// </summary>
/// <param name="Key">The key that sets it.</param>
/// <param name="Name">The name.</param>
/// <param name="Scope">Where it is unique; null for the usual place, which may be the same as a named one.</param>
/// <param name="Noun">What has the name, with its article, for messages: <c>the container</c>.</param>
internal readonly record struct ExclusiveName(string Key, string Name, string? Scope, string Noun);

/// <summary>
/// What the keys of one kind say in one table. Two of them are equal when they mean the same: a reload compares them, so a list among
/// them needs an <c>Equals</c> of its own.
/// </summary>
internal abstract record KindSettings
{
    /// <summary>The kind whose keys these are.</summary>
    public abstract BackendKind Kind { get; }

    /// <summary>
    /// Whether the backend's port is one of this machine's loopback address, on which it listens itself; otherwise its launcher says where
    /// it is reached.
    /// </summary>
    public virtual bool UsesLoopbackPort => false;

    /// <summary>Whether what it starts runs on this machine with the rights of Spawngate.</summary>
    public virtual bool SharesOurRights => false;

    /// <summary>What is allowed in the place of a port that another backend has, for messages.</summary>
    public virtual string PortAdvice => "allowed is a port of its own, or 0 to have a free one chosen at each start";

    /// <summary>The name that no other backend of its kind may have; null for none.</summary>
    public virtual ExclusiveName? ExclusiveName => null;

    /// <summary>The image that it runs; null for none.</summary>
    public virtual string? ImageReference => null;

    /// <summary>The same with another image, which a session call has named. Asked only of a kind that runs images.</summary>
    public virtual KindSettings WithImage(string image) => this;

    /// <summary>The settings of one session of a template.</summary>
    /// <param name="name">Its name.</param>
    public virtual KindSettings ForSession(string name) => this;

    /// <summary>Notes what cannot be in a template, of which many sessions run at once.</summary>
    /// <param name="table">The template's table.</param>
    /// <param name="port">The port that it sets.</param>
    public virtual void CheckTemplate(ConfigTable table, int port)
    {
        if (UsesLoopbackPort && port != 0)
        {
            table.ReportValue(table.Find("port")!.Value, "0, or no such key: each session listens on a free port of its own, $PORT");
        }
    }

    /// <summary>Writes its keys for <c>spawngate check</c>, all of them, in a fixed order.</summary>
    /// <param name="to">Where to.</param>
    /// <param name="isTemplate">Whether it is that of a template, whose sessions decide some of it.</param>
    public abstract void Print(ConfigLines to, bool isTemplate);

    /// <summary>
    /// What would fail a start on this machine as it is now, for <c>spawngate check</c>: it may be right tomorrow, so it is no mistake of
    /// the file.
    /// </summary>
    /// <param name="config">The backend or template.</param>
    /// <param name="inherited">What children inherit.</param>
    public virtual IEnumerable<string> FindProblems(BackendConfig config, ChildEnvironment inherited) => [];

    /// <summary>The value of a field of <see cref="BackendKind.ReportFields"/>; null when it has none, or only while it runs.</summary>
    public virtual string? ReportField(string name) => null;
}
