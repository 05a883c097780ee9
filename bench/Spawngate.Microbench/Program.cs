using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Spawngate.Commands;
using Spawngate.Microbench;

const string Save = "--save";

// As the program does: completions run on the threads that wait for the sockets.
InlineCompletions.Enable();
if (args.Contains("--check-allocations"))
{
    return AllocationCheck.Run(Console.Out);
}

// In this process, since the socket engine was just set up in it.
var config = ManualConfig
    .CreateEmpty()
    .AddJob(Job.ShortRun.WithIterationCount(9).WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumnProvider(DefaultColumnProviders.Instance)
    .AddLogger(ConsoleLogger.Default)
    .WithOptions(ConfigOptions.JoinSummary);
bool save = args.Contains(Save);
var summaries = BenchmarkSwitcher.FromAssembly(typeof(AllocationCheck).Assembly).Run(save ? ["--filter", "*"] : [.. args], config).ToList();
if (!save)
{
    return 0;
}

string date = TimeProvider.System.GetLocalNow().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
if (MicroReport.Of(summaries, date) is not { } report)
{
    await Console.Error.WriteLineAsync("A benchmark has no figures: nothing was saved.").ConfigureAwait(false);
    return 1;
}

string folder = Assembly
    .GetExecutingAssembly()
    .GetCustomAttributes<AssemblyMetadataAttribute>()
    .First(static each => each.Key == "Results")
    .Value!;
await File.WriteAllTextAsync(Path.Combine(folder, $"{date}-micro.md"), report).ConfigureAwait(false);
Console.WriteLine(report);
return 0;
