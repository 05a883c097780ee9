using System.Diagnostics;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>A test with a real program behind a gateway whose file has nothing but how the program is started.</summary>
internal abstract class ProgramTest : GatewayTest
{
    /// <summary>The idle timeout of the tests, in seconds: the one setting that is not the default.</summary>
    protected const int IdleSecs = 1;

    /// <summary>For the first start of programs that compile first.</summary>
    private static readonly TimeSpan ColdStartLimit = TimeSpan.FromSeconds(60);

    private RealProgram? _program;
    private GatewayProcess? _gateway;

    /// <summary>The program of this test, once it is behind a gateway.</summary>
    protected RealProgram Program => _program!;

    /// <summary>The gateway before it.</summary>
    protected GatewayProcess Gateway => _gateway!;

    /// <summary>One case for each program.</summary>
    protected static IEnumerable<TestCaseData> Cases(IEnumerable<RealProgram> programs) =>
        programs.Select(program => new TestCaseData(program).SetArgDisplayNames(program.Name));

    /// <summary>Starts a gateway with the program behind it; skips the test where the program is not installed.</summary>
    /// <param name="program">The program.</param>
    /// <param name="defaults">Lines of <c>[defaults]</c>.</param>
    protected async Task PutBehindGatewayAsync(RealProgram program, params string[] defaults)
    {
        Requirements.Check(program);
        string folder = await ProgramFolder.MakeAsync(Scene, program);
        ConfigFile config = new ConfigFile()
            .Defaults(defaults)
            .Backend(
                program.Host,
                $"command = {ConfigFile.Quote(program.Command)}",
                $"args = [{string.Join(", ", program.Args.Select(ConfigFile.Quote))}]",
                $"working_dir = {ConfigFile.Quote(folder)}"
            );
        _program = program;
        _gateway = await Scene.GatewayAsync(config, ("PATH", Requirements.SearchPath), ("NEXT_TELEMETRY_DISABLED", "1"));
    }

    /// <summary>One request to the program.</summary>
    protected Task<RawResponse> RequestAsync(string target, string method = "GET", string headers = "", string body = "") =>
        RawClient.RequestAsync(Gateway.Port, Program.Host, target, method, headers, body);

    /// <summary>Asks for the page, starting the program where it does not run; returns how long it took.</summary>
    protected async Task<TimeSpan> PageAsync()
    {
        long began = Stopwatch.GetTimestamp();
        RawResponse page = await RequestAsync("/").InTimeAsync("the page", ColdStartLimit);
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        Assert.That(page.Status, Is.EqualTo(200), page.Text);
        Assert.That(page.Text, Does.Contain(Program.Says));
        return took;
    }

    /// <summary>Downloads 100 rows, one each so many milliseconds.</summary>
    protected async Task RowsAsync(int pauseMs)
    {
        RawResponse rows = await RequestAsync($"/rows?ms={pauseMs}");
        Assert.That(rows.Status, Is.EqualTo(200), rows.Text);
        Assert.That(rows.Text, Is.EqualTo(string.Concat(Enumerable.Range(1, 100).Select(row => $"row {row}\n"))));
    }

    /// <summary>What the admin API says of the program.</summary>
    protected async Task<ProgramRun> RunAsync() => new(await Gateway.Admin.BackendAsync(Program.Host));
}

/// <summary>One run of a program, as the admin API tells it.</summary>
internal sealed class ProgramRun(JsonElement backend)
{
    /// <summary>Number of the start.</summary>
    public long Generation { get; } = backend.GetProperty("generation").GetInt64();

    /// <summary>Its leading process; null when it does not run.</summary>
    public int? Pid { get; } = backend.GetProperty("pid") is { ValueKind: JsonValueKind.Number } number ? number.GetInt32() : null;

    /// <summary>Whether it is ready and somebody uses it.</summary>
    public bool IsInUse { get; } = backend.GetProperty("state").GetString() == "ready" && backend.GetProperty("in_flight").GetInt32() > 0;
}
