using Spawngate.Commands;
using Spawngate.Platform;

namespace Spawngate;

/// <summary>The entry point: puts the command line together with what its subcommands do.</summary>
internal static class Program
{
    private static Task<int> Main(string[] args)
    {
        // Before anything is opened that could get one of these numbers.
        StandardDescriptors.Secure();

        // First of all: a guard lives beside its gateway, so nothing that the command line needs is made for it.
        if (args is [GuardPipe.Command, ..])
        {
            return GuardProgram.RunAsync(args[1..]);
        }

        var actions = new CommandActions
        {
            RunAsync = RunCommand.RunAsync,
            Check = RunCommand.Check,
            LocateAdmin = RunCommand.LocateAdmin,
        };
        var console = new CommandConsole(
            () => Console.Out,
            () => Console.Error,
            Environment.GetEnvironmentVariable,
            CancellationToken.None
        );
        return CommandLine.InvokeAsync(args, actions, console);
    }
}
