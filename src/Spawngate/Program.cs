using Spawngate.Commands;

namespace Spawngate;

/// <summary>The entry point: puts the command line together with what its subcommands do.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args)
    {
        var actions = new CommandActions
        {
            RunAsync = RunAsync,
            Check = Check,
            LocateAdmin = LocateAdmin,
        };
        var console = new CommandConsole(() => Console.Out, () => Console.Error, Environment.GetEnvironmentVariable, CancellationToken.None);
        return CommandLine.InvokeAsync(args, actions, console);
    }

    private static Task<int> RunAsync(string configPath, CommandConsole console)
    {
        InlineCompletions.Enable();
        throw new CannotRunException($"this build has no gateway to run {configPath} with");
    }

    private static int Check(string configPath, CommandConsole console) =>
        throw new CannotRunException($"this build has no loader to check {configPath} with");

    private static AdminLocation? LocateAdmin(string configPath, CommandConsole console) =>
        throw new CannotRunException($"this build has no loader to read {configPath} with; use --admin");
}
