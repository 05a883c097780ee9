using System.Text;
using Spawngate.Tests.Fakes;
using Spawngate.Workloads.Docker;

namespace Spawngate.Tests;

/// <summary>
/// What is added to the library where it meets the engine: bounds, deadlines, errors as values, and what it cannot ask for.
/// </summary>
[CancelAfter(60_000)]
internal sealed class EngineClientTests
{
    private const int TooLong = DockerLimits.EngineAnswerBytesMax + 1;

    private FakeEngine _engine = null!;
    private EngineClient _client = null!;

    [SetUp]
    public void Begin()
    {
        _engine = new FakeEngine();
        _client = new EngineClient(EngineAddress.Parse(_engine.Host)!, TimeProvider.System);
    }

    [TearDown]
    public void End()
    {
        _client.Dispose();
        _engine.Dispose();
    }

    [TestCase("1.41", "/v1.41/")]
    [TestCase("1.99", "/v1.47/")]
    [TestCase("1.25", "/v1.25/")]
    public async Task Both_sides_speak_the_lower_version(string theirs, string prefix, CancellationToken cancel)
    {
        _engine.Answer("GET /_ping", () => $"HTTP/1.1 200 OK\r\nApi-Version: {theirs}\r\nContent-Length: 2\r\n\r\nOK");
        Assert.That(await _client.ConnectAsync(cancel), Is.Null);
        await _client.InspectNetworkAsync("bridge", cancel);
        Assert.That(_engine.Targets, Is.EqualTo(["/_ping", $"{prefix}networks/bridge"]));
    }

    [Test]
    public async Task An_engine_that_tells_its_version_only_when_asked_is_asked(CancellationToken cancel)
    {
        _engine.Answer("GET /_ping", static () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        _engine.Answer("GET /version", static () => "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"ApiVersion\":\"1.30\"}");
        Assert.That(await _client.ConnectAsync(cancel), Is.Null);
        Assert.That(_client.ApiVersion, Is.EqualTo(new Version(1, 30)));
    }

    [TestCase(0, "?t=0")]
    [TestCase(7, "?t=7")]
    [TestCase(long.MaxValue, "?t=2147468")]
    public async Task A_stop_is_asked_for_with_its_patience(long graceSecs, string query, CancellationToken cancel)
    {
        Assert.That((await _client.StopAsync("none", graceSecs))!.IsNotFound);
        Assert.That(_engine.Targets, Is.EqualTo(["/containers/none/stop" + query]));
    }

    [Test]
    public async Task A_removal_is_forced_takes_volumes_along_and_is_waited_for()
    {
        await _client.RemoveAsync("none");
        await _client.AwaitRemovalAsync("none");
        Assert.That(_engine.Targets, Is.EqualTo(["/containers/none?v=1&force=1", "/containers/none/wait?condition=removed"]));
    }

    [Test]
    public async Task An_attach_takes_one_round_trip(CancellationToken cancel)
    {
        var container = _engine.Add("app", "created");
        using var stream = (await _client.AttachAsync(container.Id, cancel)).Value!;
        Assert.That(_engine.Targets, Is.EqualTo([$"/containers/{container.Id}/attach?stream=1&stdout=1&stderr=1"]));
    }

    [TestCase("200 OK")]
    [TestCase("404 Not Found")]
    [TestCase("500 Oh")]
    public async Task An_answer_without_an_end_is_given_up(string status, CancellationToken cancel)
    {
        _engine.Answer("GET /networks/*", () => $"HTTP/1.1 {status}\r\nContent-Length: {int.MaxValue}\r\n\r\n{new string('x', TooLong)}");
        var error = (await _client.InspectNetworkAsync("bridge", cancel)).Error!;
        Assert.That((error.Fault, error.Call), Is.EqualTo((EngineFault.Garbage, "GET /networks/bridge")));
        Assert.That(error.Message, Does.StartWith("the answer is longer than "));
    }

    [TestCase("GET /networks/*")]
    [TestCase("POST /images/create")]
    public async Task A_refusal_that_does_not_end_ends_in_time(string call, CancellationToken cancel)
    {
        var time = new FakeTime();
        using var client = new EngineClient(EngineAddress.Parse(_engine.Host)!, time);
        _engine.Answer(call, static () => "HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\n{");
        var reached = _engine.ReachedAsync(call);
        var asked =
            call == "GET /networks/*"
                ? FaultAsync(client.InspectNetworkAsync("bridge", cancel))
                : client.PullAsync(ImageName.Parse("app:1"), null, static _ => { }, cancel);
        await reached.WaitAsync(cancel);
        time.AdvanceMs(DockerLimits.PullMs);
        Assert.That((await asked.WaitAsync(cancel))!.Message, Is.EqualTo("no answer in time"));
    }

    [Test]
    public async Task A_head_without_an_end_is_given_up(CancellationToken cancel)
    {
        _engine.Answer("GET /networks/*", static () => "HTTP/1.1 200 OK\r\nX: " + new string('x', 1024 * 1024));
        Assert.That((await _client.InspectNetworkAsync("bridge", cancel)).Error, Is.Not.Null);
    }

    [TestCase("null")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{\"Id\":null}")]
    [TestCase("{\"Id\":7}")]
    [TestCase("{\"Id\":\"x\",\"Created\":[]}")]
    public async Task An_answer_that_is_something_else_is_shown(string json, CancellationToken cancel)
    {
        _engine.Add("app", "running");
        _engine.Answer("GET /containers/*/json", () => $"HTTP/1.1 200 OK\r\nContent-Length: {json.Length}\r\n\r\n{json}");
        var error = (await _client.InspectAsync("app", cancel)).Error!;
        Assert.That((error.Fault, error.Call), Is.EqualTo((EngineFault.Garbage, "GET /containers/app/json")));
        Assert.That(error.Message, Is.EqualTo($"the answer is not what the Engine API describes: {json}"));
    }

    [TestCase("null")]
    [TestCase("[null,{},{\"Id\":\"\"}]")]
    public async Task What_does_not_say_which_it_is_is_no_container(string json, CancellationToken cancel)
    {
        _engine.Answer("GET /containers/json", () => $"HTTP/1.1 200 OK\r\nContent-Length: {json.Length}\r\n\r\n{json}");
        Assert.That((await _client.ListAsync("a", "b", cancel)).Value, Is.Empty);
    }

    [TestCase("{\"status\":\"Downl", EngineFault.Broken)]
    [TestCase("{\"status\":\n", EngineFault.Garbage)]
    [TestCase("<html>", EngineFault.Garbage)]
    [TestCase("", null)]
    [TestCase("null\n{\"status\":\"done\"}", null)]
    public async Task A_pull_that_ends_too_early_is_no_success(string body, EngineFault? fault, CancellationToken cancel)
    {
        _engine.Answer("POST /images/create", () => $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        var error = await _client.PullAsync(ImageName.Parse("app:1"), null, static _ => { }, cancel);
        Assert.That(error?.Fault, Is.EqualTo(fault));
    }

    [TestCase("{\"status\":\"")]
    [TestCase("\n")]
    [TestCase("1")]
    public async Task A_message_without_an_end_is_given_up(string beginning, CancellationToken cancel)
    {
        _engine.Answer("POST /images/create", () =>
            $"HTTP/1.1 200 OK\r\nContent-Length: {int.MaxValue}\r\n\r\n{beginning}"
            + new string(beginning[^1] == '"' ? 'x' : beginning[^1], DockerLimits.EngineLineBytesMax)
        );
        var error = await _client.PullAsync(ImageName.Parse("app:1"), null, static _ => { }, cancel);
        Assert.That(error!.Message, Does.StartWith("a message of the stream is longer than "));
    }

    [Test]
    public async Task Output_is_taken_apart_in_pieces_of_any_size(CancellationToken cancel)
    {
        await using var stage = new DockerStage(_engine);
        var workload = (await stage.LaunchAsync(cancel)).Workload!;
        var container = _engine.Containers.Single();
        foreach (var each in Frame(1, "out one\nout ").Concat(Frame(2, "err\n")).Concat(Frame(2, "")).Concat(Frame(1, "two\n")))
        {
            _engine.Send($"POST /containers/{container.Id}/attach", [each]);
        }

        _engine.End(container, 0);
        await workload.Exited.WaitAsync(cancel);
        Assert.That(stage.Lines, Is.EquivalentTo(["Stdout: out one", "Stderr: err", "Stdout: out two"]));
    }

    [TestCase(72, 84, 0)]
    [TestCase(1, 0, 0x7fffffff)]
    [TestCase(1, 0, 0xffffffff)]
    public async Task Output_that_is_none_costs_the_output_and_nothing_else(int stream, int zero, long length, CancellationToken cancel)
    {
        await using var stage = new DockerStage(_engine);
        var workload = (await stage.LaunchAsync(cancel)).Workload!;
        var container = _engine.Containers.Single();
        byte[] head = [(byte)stream, (byte)zero, 0, 0, (byte)(length >> 24), (byte)(length >> 16), (byte)(length >> 8), (byte)length];
        _engine.Send($"POST /containers/{container.Id}/attach", [.. head, .. "line\n"u8]);
        _engine.End(container, 3);
        Assert.That((await workload.Exited.WaitAsync(cancel)).Code, Is.EqualTo(3));
    }

    [Test]
    public void Messages_are_one_a_line_at_every_split()
    {
        var text = Encoding.UTF8.GetBytes("{\"a\":\"}\\\"{\\\\\"}\n\n  \r\n[{\"b\":[]}]\r\n1\n");
        for (var split = 0; split <= text.Length; split++)
        {
            var lines = new MessageLines();
            Assert.That(lines.Take(text.AsSpan(0, split)) ?? lines.Take(text.AsSpan(split)), Is.Null, $"split at {split}");
            Assert.That(lines.IsBetween);
        }
    }

    [TestCase("{\"a\":\n")]
    [TestCase("{\"a\"}\n[\n")]
    [TestCase("\"a\n")]
    [TestCase("{\"a\\\":1}\n")]
    public void A_line_that_is_no_message_is_found(string text) =>
        Assert.That(new MessageLines().Take(Encoding.UTF8.GetBytes(text)), Is.Not.Null);

    private static async Task<EngineError?> FaultAsync<T>(Task<EngineReply<T>> reply)
        where T : class => (await reply).Error;

    private static byte[] Frame(byte stream, string text) => [stream, 0, 0, 0, 0, 0, 0, (byte)text.Length, .. Encoding.UTF8.GetBytes(text)];
}
