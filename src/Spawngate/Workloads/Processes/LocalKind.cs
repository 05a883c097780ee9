using Spawngate.Config;
using Spawngate.Platform;
using static Spawngate.Config.ConfigLines;

namespace Spawngate.Workloads.Processes;

/// <summary>Backends that are processes of this machine: <c>type = "local"</c>.</summary>
internal sealed class LocalKind : BackendKind
{
    /// <summary>The kind.</summary>
    public static readonly LocalKind Shared = new();

    private const string StdinKey = "stdin";
    private const string StdinPipe = "pipe";
    private const string StdinNull = "null";

    private LocalKind() { }

    /// <inheritdoc/>
    public override string Name => "local";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Keys { get; } = ["command", "working_dir", StdinKey, .. UnitKeys.All];

    /// <inheritdoc/>
    public override string MainKey => "command";

    /// <inheritdoc/>
    public override KindSettings Read(ConfigTable table, string name, Func<string, bool> folderExists) =>
        new LocalSettings
        {
            Command = ReadCommand(table) ?? "",
            WorkingDir = ReadWorkingDir(table, folderExists),
            HasOpenStdin = table.Text(StdinKey, StdinPipe, IsStdin, $"\"{StdinPipe}\" or \"{StdinNull}\"") != StdinNull,
            Unit = UnitKeys.Read(table),
        };

    /// <summary>How <c>stdin</c> is written.</summary>
    internal static string StdinName(bool isOpen) => isOpen ? StdinPipe : StdinNull;

    private static bool IsStdin(string text) => text is StdinPipe or StdinNull;

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

    /// <summary>Whether its stdin is a pipe that stays open and empty, for programs that end with their input; else /dev/null.</summary>
    public bool HasOpenStdin { get; init; } = true;

    /// <summary>What of it is set as a service manager does it.</summary>
    public UnitSettings Unit { get; init; } = UnitSettings.None;

    /// <inheritdoc/>
    public override bool SharesOurRights => Unit.User is null;

    /// <inheritdoc/>
    public override BackendKind Kind => LocalKind.Shared;

    /// <inheritdoc/>
    public override bool UsesLoopbackPort => true;

    /// <inheritdoc/>
    public override IEnumerable<string> FindProblems(BackendConfig config, ChildEnvironment inherited)
    {
        if (Command != ProcessLauncher.Self)
        {
            var command = new ChildCommand(Command, config.Args, inherited.With(config.Env), WorkingDir);
            if (Executable.FindFault(command) is { } fault)
            {
                yield return $"command: cannot execute \"{Command}\": {fault}{SplitCommand.Suggest(command)}";
            }
        }

        foreach (string warning in UnitStart.WarningsHere(Unit))
        {
            yield return warning;
        }
    }

    /// <inheritdoc/>
    public override void Print(ConfigLines to, bool isTemplate)
    {
        to.Line("command", Quoted(Command));
        to.Line("working_dir", WorkingDir is null ? "# that of Spawngate" : Quoted(WorkingDir));
        to.Line("stdin", Quoted(LocalKind.StdinName(HasOpenStdin)));
        Unit.Print(to);
    }
}
