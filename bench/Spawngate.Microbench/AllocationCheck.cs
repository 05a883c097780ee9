using System.Globalization;

namespace Spawngate.Microbench;

/// <summary>Runs every step of a request many times and says which of them allocates: none may.</summary>
internal static class AllocationCheck
{
    private const int Rounds = 4;

    /// <summary>Runs the check. 0 when nothing allocates, else 1.</summary>
    public static async Task<int> RunAsync(TextWriter output)
    {
        bool clean = true;
        var codecs = new CodecBenchmarks();
        clean &= Check(output, "parse a request head", 100_000, () => codecs.ParseRequest());
        clean &= Check(output, "parse a response head", 100_000, () => codecs.ParseResponse());
        clean &= Check(output, "write a request head", 100_000, () => codecs.WriteRequest());
        foreach (int hosts in new[] { 10, 1_000, 100_000 })
        {
            using var lookup = new HostLookupBenchmarks { Hosts = hosts };
            await OffSocketThreadAsync(lookup.SetUpAsync()).ConfigureAwait(false);
            clean &= Check(output, string.Create(CultureInfo.InvariantCulture, $"find one of {hosts} hosts"), 100_000, () => lookup.Find());
        }

        using (var backend = new BackendBenchmarks())
        {
            await OffSocketThreadAsync(backend.SetUpAsync()).ConfigureAwait(false);
            clean &= Check(output, "enter and leave a backend", 100_000, backend.EnterAndLeave);
            clean &= Check(output, "rent and return a connection", 100_000, backend.RentAndReturn);
        }

        using var exchange = new ExchangeBenchmarks();
        await OffSocketThreadAsync(exchange.SetUpAsync()).ConfigureAwait(false);
        clean &= Check(output, "proxy a GET", 20_000, exchange.Get);
        clean &= Check(output, "proxy a GET with a chunked answer", 20_000, exchange.GetChunked);
        clean &= Check(output, "proxy a POST", 20_000, exchange.Post);
        return clean ? 0 : 1;
    }

    /// <summary>
    /// The whole process counts, since completions run on any thread. The best round decides: ticks of the clock and the runtime's own work allocate now
    /// and then, a step that allocates does so in every round.
    /// </summary>
    private static bool Check(TextWriter output, string name, int count, Action step)
    {
        double best = double.MaxValue;
        for (int round = 0; round < Rounds && best >= 1; round++)
        {
            // The first tenth warms up: code is compiled, buffers and caches fill.
            Repeat(count / 10, step);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            Repeat(count, step);
            best = Math.Min(best, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)count);
        }

        bool clean = best < 1;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(clean ? "ok  " : "FAIL")} {best,8:f3} bytes  {name}"));
        return clean;
    }

    /// <summary>With inline completions the set-up may end on a thread that waits for sockets, which must not be blocked.</summary>
    private static async Task OffSocketThreadAsync(Task setUp)
    {
        await setUp.ConfigureAwait(false);
        await Task.Yield();
    }

    private static void Repeat(int count, Action step)
    {
        for (int i = 0; i < count; i++)
        {
            step();
        }
    }
}
