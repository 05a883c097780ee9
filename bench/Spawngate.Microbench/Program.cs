using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Spawngate.Commands;
using Spawngate.Microbench;

// As the program does: completions run on the threads that wait for the sockets.
InlineCompletions.Enable();
if (args.Contains("--check-allocations"))
{
    return await AllocationCheck.RunAsync(Console.Out).ConfigureAwait(false);
}

// In this process, since the socket engine was just set up in it.
var config = ManualConfig.CreateEmpty()
    .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumnProvider(DefaultColumnProviders.Instance)
    .AddExporter(MarkdownExporter.GitHub)
    .AddLogger(ConsoleLogger.Default);
BenchmarkSwitcher.FromAssembly(typeof(AllocationCheck).Assembly).Run(args, config);
return 0;
