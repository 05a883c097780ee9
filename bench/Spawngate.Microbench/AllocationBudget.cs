using Spawngate.Backends;
using Spawngate.Protocols.Http1;

namespace Spawngate.Microbench;

/// <summary>
/// The rule that a request to a ready backend allocates nothing, as a check with an exit code. The codec steps are counted on their thread; the
/// whole request is counted over the process, with a client and a backend that allocate nothing themselves.
/// </summary>
internal static class AllocationBudget
{
    private const int Steps = 20_000;
    private const int Passes = 5;

    /// <summary>
    /// Bytes per whole request that are put down to the rest of the process: the coarse clock's ten ticks a second and the runtime's own
    /// bookkeeping. One object per request would be at least 24.
    /// </summary>
    private const double NoiseBytes = 1;

    /// <summary>Runs everything; 0 when nothing allocates, else 1.</summary>
    public static async Task<int> CheckAsync(TextWriter report)
    {
        bool clean = CheckCodecs(report);
        clean &= await CheckRequestAsync(report, "GET, Content-Length", Vectors.SmallRequest, Vectors.LengthResponse, "Hello, World!", "\r\n\r\n");
        clean &= await CheckRequestAsync(report, "GET, chunked", Vectors.SmallRequest, Vectors.ChunkedResponse, "0\r\n\r\n", "\r\n\r\n");
        clean &= await CheckRequestAsync(report, "browser GET", Vectors.BrowserRequest, Vectors.LengthResponse, "Hello, World!", "\r\n\r\n");
        clean &= await CheckRequestAsync(report, "POST 13 bytes", Vectors.SmallPost, Vectors.LengthResponse, "Hello, World!", "Hello, World!");
        await report.WriteLineAsync(clean ? "nothing allocates per request" : "the allocation budget is exceeded");
        return clean ? 0 : 1;
    }

    private static bool CheckCodecs(TextWriter report)
    {
        var codecs = new CodecBenchmarks();
        var table = new HostLookupBenchmarks { Hosts = 1_000 };
        table.Setup();
        return Step(report, "request head", () => codecs.ParseRequest())
            & Step(report, "response head", () => codecs.ParseResponse())
            & Step(report, "request head written", () => codecs.WriteRequest())
            & Step(report, "chunks", () => codecs.DecodeChunks())
            & Step(report, "host lookup", () => table.Find());
    }

    private static bool Step(TextWriter report, string name, Action step)
    {
        long least = long.MaxValue;
        for (int pass = 0; pass < Passes; pass++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Steps; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return Report(report, name, least / (double)Steps, 0);
    }

    private static async Task<bool> CheckRequestAsync(TextWriter report, string name, byte[] request, string response, string responseEnd, string requestEnd)
    {
        double least = double.MaxValue;
        byte[] end = System.Text.Encoding.ASCII.GetBytes(responseEnd);
        await using var stage = await ProxyStage.OpenAsync(response, requestEnd);
        for (int pass = 0; pass < Passes; pass++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Steps; i++)
            {
                stage.Exchange(request, end);
            }

            least = Math.Min(least, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Steps);
        }

        return Report(report, name, least, NoiseBytes);
    }

    private static bool Report(TextWriter report, string name, double bytes, double budget)
    {
        bool within = bytes <= budget;
        report.WriteLine(FormattableString.Invariant($"{(within ? "ok  " : "FAIL")} {name}: {bytes:0.###} bytes per operation"));
        return within;
    }
}
