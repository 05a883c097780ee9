using System.Globalization;
using System.Text;
using BenchmarkDotNet.Reports;
using Spawngate.Backends;
using Spawngate.Forwarding;

namespace Spawngate.Microbench;

/// <summary>What is measured, in the order of the report, and the report itself.</summary>
internal static class MicroReport
{
    private const string Nothing = "–";

    /// <summary>Every benchmark.</summary>
    public static readonly IReadOnlyList<MicroEntry> Entries =
    [
        Codec(
            "parse a request head of ten fields",
            nameof(CodecBenchmarks.ParseRequest),
            Samples.Request,
            nameof(CodecBenchmarks.CopyRequest)
        ),
        Codec("copy it", nameof(CodecBenchmarks.CopyRequest), Samples.Request),
        Codec(
            "parse a response head of seven fields",
            nameof(CodecBenchmarks.ParseResponse),
            Samples.Response,
            nameof(CodecBenchmarks.CopyResponse)
        ),
        Codec("copy it", nameof(CodecBenchmarks.CopyResponse), Samples.Response),
        Codec(
            "write the request head for the backend",
            nameof(CodecBenchmarks.WriteRequest),
            Samples.Request,
            nameof(CodecBenchmarks.CopyRequest)
        ),
        Codec(
            "read a body of 40 chunks of 100 bytes",
            nameof(CodecBenchmarks.ReadChunks),
            Samples.Chunked,
            nameof(CodecBenchmarks.CopyChunks)
        ),
        Codec("copy it", nameof(CodecBenchmarks.CopyChunks), Samples.Chunked),
        Hpack(
            "HPACK: decode 12 fields that the table holds",
            nameof(HpackBenchmarks.DecodeRepeated),
            Samples.BytesOf(Samples.RequestFields)
        ),
        Hpack("HPACK: decode them as literals", nameof(HpackBenchmarks.DecodeLiteral), Samples.BytesOf(Samples.RequestFields)),
        Hpack(
            "HPACK: encode 7 fields that the table holds, as far as it may",
            nameof(HpackBenchmarks.EncodeRepeated),
            Samples.BytesOf(Samples.ResponseFields)
        ),
        Hpack("HPACK: encode them as literals", nameof(HpackBenchmarks.EncodeLiteral), Samples.BytesOf(Samples.ResponseFields)),
        Hpack("Huffman: decode 101 characters", nameof(HpackBenchmarks.DecodeHuffman), 101),
        Hpack("Huffman: encode 101 characters", nameof(HpackBenchmarks.EncodeHuffman), 101),
        new("HTTP/2: a request in, its answer out, without sockets", typeof(Http2Benchmarks), nameof(Http2Benchmarks.Exchange)),
        Lookup(10),
        Lookup(1_000),
        Lookup(100_000),
        Backend("enter and leave a backend", nameof(BackendBenchmarks.EnterAndLeave)),
        Backend("the same on two threads at once, each", nameof(BackendBenchmarks.EnterAndLeaveOnTwoThreads)),
        Backend("rent and return a connection", nameof(BackendBenchmarks.RentAndReturn)),
        new("count an exchange, its four looks at the clock included", typeof(MetricsBenchmarks), nameof(MetricsBenchmarks.CountExchange)),
        Exchange("proxy a GET over loopback", nameof(ExchangeBenchmarks.Get)),
        Exchange("proxy a GET with a chunked answer", nameof(ExchangeBenchmarks.GetChunked)),
        Exchange("proxy a POST", nameof(ExchangeBenchmarks.Post)),
        Exchange("proxy a GET with an access log", nameof(ExchangeBenchmarks.GetLogged)),
    ];

    /// <summary>The report as Markdown; null when a benchmark has no figures.</summary>
    public static string? Of(IReadOnlyList<Summary> summaries, string date)
    {
        var reports = summaries.SelectMany(static summary => summary.Reports).ToList();
        var lines = new StringBuilder();
        foreach (var entry in Entries)
        {
            if (Statistics(reports, entry) is not { } found)
            {
                return null;
            }

            lines.Append(Line(reports, entry, found));
        }

        var machine = summaries[0].HostEnvironmentInfo;
        return $"""
            # Microbenchmarks, {date}

            `dotnet run -c Release --project bench/Spawngate.Microbench -- --save`: median of the iterations (lowest–highest). {machine.CpuInfo.Value?.ProcessorName
                ?? "An unknown processor"}, {Environment.ProcessorCount} processors,
            {System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription}, compiled as the program runs, not ahead of it. What the columns mean is in [bench/README.md](../README.md).

            | step | ns | bytes/ns | of a copy | allocated |
            |---|---|---|---|---|
            {lines.ToString().TrimEnd()}

            """;
    }

    private static string Line(List<BenchmarkReport> reports, MicroEntry entry, BenchmarkDotNet.Mathematics.Statistics found)
    {
        string copy =
            entry.Copy is { } name && Statistics(reports, entry with { Method = name }) is { } copied
                ? $"×{Number(found.Median / copied.Median)}"
                : Nothing;
        string pace = entry.Bytes > 0 ? Number(entry.Bytes / found.Median) : Nothing;
        long? allocated = Report(reports, entry)!.GcStats.GetBytesAllocatedPerOperation(Report(reports, entry)!.BenchmarkCase);
        return $"| {entry.Title} | {Number(found.Median)} ({Number(found.Min)}–{Number(found.Max)}) | {pace} | {copy} | "
            + $"{allocated?.ToString(CultureInfo.InvariantCulture) ?? Nothing} |\n";
    }

    private static BenchmarkReport? Report(List<BenchmarkReport> reports, MicroEntry entry) =>
        reports.Find(report =>
            report.BenchmarkCase.Descriptor.Type == entry.Type
            && report.BenchmarkCase.Descriptor.WorkloadMethod.Name == entry.Method
            && (entry.Hosts == 0 || report.BenchmarkCase.Parameters[nameof(HostLookupBenchmarks.Hosts)].Equals(entry.Hosts))
        );

    private static BenchmarkDotNet.Mathematics.Statistics? Statistics(List<BenchmarkReport> reports, MicroEntry entry) =>
        Report(reports, entry)?.ResultStatistics;

    private static string Number(double value) =>
        value.ToString(
            value >= 100 ? "N0"
                : value >= 10 ? "F1"
                : "F2",
            CultureInfo.InvariantCulture
        );

    private static MicroEntry Codec(string title, string method, byte[] bytes, string? copy = null) =>
        new(title, typeof(CodecBenchmarks), method, bytes.Length, copy);

    private static MicroEntry Hpack(string title, string method, int bytes) => new(title, typeof(HpackBenchmarks), method, bytes);

    private static MicroEntry Backend(string title, string method) => new(title, typeof(BackendBenchmarks), method);

    private static MicroEntry Exchange(string title, string method) => new(title, typeof(ExchangeBenchmarks), method);

    private static MicroEntry Lookup(int hosts) =>
        new(
            string.Create(CultureInfo.InvariantCulture, $"find one of {hosts:N0} hosts"),
            typeof(HostLookupBenchmarks),
            nameof(HostLookupBenchmarks.Find)
        )
        {
            Hosts = hosts,
        };
}
