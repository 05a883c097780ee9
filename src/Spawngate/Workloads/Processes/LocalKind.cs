using Spawngate.Config;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Workloads.Processes;

/// <summary>Backends that are processes of this machine: <c>type = "local"</c>.</summary>
internal sealed class LocalKind : BackendKind
{
    /// <summary>The kind.</summary>
    public static readonly LocalKind Shared = new();

    private LocalKind() { }

    /// <inheritdoc/>
    public override string Name => "local";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Keys { get; } = ["command", "working_dir"];

    /// <inheritdoc/>
    public override string MainKey => "command";

    /// <inheritdoc/>
    public override bool SharesOurRights => true;

    /// <inheritdoc/>
    public override KindSettings Read(ConfigTable table, string name, Func<string, bool> folderExists) =>
        new LocalSettings { Command = ReadCommand(table) ?? "", WorkingDir = ReadWorkingDir(table, folderExists) };

    private static string? ReadCommand(ConfigTable table)
    {
        if (table.Find("command") is null)
        {
            table.ReportMissing(
                "command",
                "a local backend needs the program to run, such as command = \"node\" (its arguments go into args)"
            );
        }

        return table.Text("command", null, ConfigText.IsFilled, "the name or path of a program");
    }

    private static string? ReadWorkingDir(ConfigTable table, Func<string, bool> folderExists)
    {
        var folder = table.Text("working_dir", null, ConfigText.IsFilled, "the path of an existing folder");
        if (folder is null || folderExists(folder))
        {
            return folder;
        }

        var hint = folder.StartsWith('~') ? "; ~ is not expanded, write the home folder out" : "";
        table.ReportValue(table.Find("working_dir")!.Value, $"the path of an existing folder{hint}");
        return null;
    }
}

/// <summary>What the keys of a local backend say.</summary>
internal sealed record LocalSettings : KindSettings
{
    /// <summary>The program; <c>spawngate</c> alone means this very executable.</summary>
    public required string Command { get; init; }

    /// <summary>Working directory; null means that of Spawngate.</summary>
    public string? WorkingDir { get; init; }

    /// <inheritdoc/>
    public override BackendKind Kind => LocalKind.Shared;

    /// <inheritdoc/>
    public override bool UsesLoopbackPort => true;

    /// <inheritdoc/>
    public override void Print(ConfigLines to, bool isTemplate)
    {
        to.Line("command", Quoted(Command));
        to.Line("working_dir", WorkingDir is null ? "# that of Spawngate" : Quoted(WorkingDir));
    }
}
