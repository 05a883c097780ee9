using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Attributes;

namespace Spawngate.Microbench;

/// <summary>
/// Runs every benchmark many times and says which of them allocates: none may. One that is added has to be listed, and is checked from then
/// on.
/// </summary>
internal static class AllocationCheck
{
    private const int Rounds = 16;

    /// <summary>
    /// The smallest object takes 24 bytes: a step that makes one now and then is found as well, and the runtime's own on a slow machine is
    /// not.
    /// </summary>
    private const double BytesMax = 4;

    /// <summary>Operations of a round: of the slowest, a request over loopback, they take about a second.</summary>
    private const int Operations = 20_000;

    /// <summary>Runs the check. 0 when nothing allocates, else 1.</summary>
    public static int Run(TextWriter output)
    {
        bool clean = true;
        foreach (string missing in Unlisted())
        {
            output.WriteLine($"FAIL {missing} is not in the list of the report");
            clean = false;
        }

        foreach (var entry in MicroReport.Entries)
        {
            clean &= Check(output, entry);
        }

        return clean ? 0 : 1;
    }

    private static IEnumerable<string> Unlisted() =>
        from type in typeof(AllocationCheck).Assembly.GetTypes()
        from method in type.GetMethods()
        where
            method.GetCustomAttribute<BenchmarkAttribute>() is not null
            && !MicroReport.Entries.Any(entry => entry.Type == type && entry.Method == method.Name)
        select $"{type.Name}.{method.Name}";

    private static bool Check(TextWriter output, MicroEntry entry)
    {
        object benchmark = Activator.CreateInstance(entry.Type)!;
        try
        {
            if (entry.Hosts > 0)
            {
                ((HostLookupBenchmarks)benchmark).Hosts = entry.Hosts;
            }

            Attributed<GlobalSetupAttribute>(entry.Type)?.Invoke(benchmark, null);
            var method = entry.Type.GetMethod(entry.Method)!;
            int perCall = method.GetCustomAttribute<BenchmarkAttribute>()!.OperationsPerInvoke;
            double bytes = Measure(Step(method, benchmark), perCall);
            bool clean = bytes < BytesMax;
            output.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"{(clean ? "ok  " : "FAIL")} {bytes, 8:f3} bytes  {entry.Title}")
            );
            return clean;
        }
        finally
        {
            (benchmark as IDisposable)?.Dispose();
        }
    }

    /// <summary>
    /// Bytes for each operation. The whole process counts, since completions run on any thread. The best round decides: ticks of the clock
    /// and the runtime's own work allocate now and then, a step that allocates does so in every round.
    /// </summary>
    private static double Measure(Action step, int perCall)
    {
        int calls = Math.Max(1, Operations / perCall);
        double best = double.MaxValue;
        for (int round = 0; round < Rounds && best >= 1; round++)
        {
            // The first tenth warms up: code is compiled, buffers and caches fill.
            Repeat(1 + (calls / 10), step);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Repeat(calls, step);
            best = Math.Min(best, (GC.GetTotalAllocatedBytes(precise: true) - before) / ((double)calls * perCall));
        }

        return best;
    }

    /// <summary>A call of the benchmark that does not box what it returns, as reflection would.</summary>
    private static Action Step(MethodInfo method, object benchmark)
    {
        if (method.ReturnType == typeof(void))
        {
            return method.CreateDelegate<Action>(benchmark);
        }

        if (method.ReturnType == typeof(bool))
        {
            var check = method.CreateDelegate<Func<bool>>(benchmark);
            return () => Expect(check());
        }

        var count = method.CreateDelegate<Func<int>>(benchmark);
        return () => Expect(count() > 0);
    }

    private static void Expect(bool worked)
    {
        if (!worked)
        {
            throw new InvalidOperationException("A benchmark did not do its work.");
        }
    }

    private static MethodInfo? Attributed<TAttribute>(Type type)
        where TAttribute : Attribute =>
        type.GetMethods().FirstOrDefault(static method => method.GetCustomAttribute<TAttribute>() is not null);

    private static void Repeat(int count, Action step)
    {
        for (int i = 0; i < count; i++)
        {
            step();
        }
    }
}
