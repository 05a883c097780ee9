using Spawngate.Commands;

namespace Spawngate;

/// <summary>The entry point: puts the command line together with what its subcommands do.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args)
    {
        var actions = new CommandActions
        {
            RunAsync = RunCommand.RunAsync,
            Check = RunCommand.Check,
            LocateAdmin = RunCommand.LocateAdmin,
        };
        var console = new CommandConsole(() => Console.Out, () => Console.Error, Environment.GetEnvironmentVariable, CancellationToken.None);
        return CommandLine.InvokeAsync(args, actions, console);
    }
}
