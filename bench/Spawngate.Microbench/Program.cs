using BenchmarkDotNet.Running;
using Spawngate.Commands;
using Spawngate.Microbench;

// Socket completions run as in the product.
InlineCompletions.Enable();

// `--check-allocations` runs every step many times and fails if one allocates; anything else goes to BenchmarkDotNet.
return args is ["--check-allocations"] ? await AllocationBudget.CheckAsync(Console.Out) : Benchmarks(args);

static int Benchmarks(string[] args)
{
    BenchmarkSwitcher.FromAssembly(typeof(AllocationBudget).Assembly).Run(args);
    return 0;
}
