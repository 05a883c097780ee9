using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Spawngate.Logging;

namespace Spawngate.Tests;

/// <summary>The log in JSON and on a terminal.</summary>
internal sealed partial class LogStyleTests
{
    [Test]
    public void A_line_of_json_has_the_documented_parts()
    {
        string[] lines = Write(LogStyle.Json, static (factory, output) =>
        {
            output.OnLine("app.example.com", OutputStream.Stdout, "Listening on 3000"u8.ToArray());
            output.OnLine("app.example.com", OutputStream.Stderr, "\"quoted\" ü \\ \t"u8.ToArray());
            Stopped(factory.CreateLogger("spawngate.lifecycle"), "idle \"odd\" one", 3, 1.5);
        });
        Assert.That(
            lines,
            Is.EqualTo(
                new[]
                {
                    """{"time":"2026-01-31T12:00:00.123Z","level":"info","category":"backend","message":"Listening on 3000","properties":{"hostname":"app.example.com","stream":"stdout"}}""",
                    """{"time":"2026-01-31T12:00:00.123Z","level":"warn","category":"backend","message":"\"quoted\" ü \\ \t","properties":{"hostname":"app.example.com","stream":"stderr"}}""",
                    """{"time":"2026-01-31T12:00:00.123Z","level":"error","category":"spawngate.lifecycle","message":"Stopped after 1.5 ms","properties":{"reason":"idle \"odd\" one","stream":"fixed","in_flight":3,"duration_ms":1.5}}""",
                }
            )
        );
    }

    [Test]
    public void A_quote_in_a_value_ends_no_field_of_a_line_of_text()
    {
        string[] lines = Write(LogStyle.Plain, static (factory, _) =>
        {
            Stopped(factory.CreateLogger("spawngate.lifecycle"), "GET /a\" admin=\"yes\\", 3, 1.5);
            factory.CreateLogger("a").LogInformation("path=\"{Path}\" Said {Word}", null, "a \"word\"");
        });
        Assert.That(lines[0], Does.Contain("""reason="GET /a\" admin=\"yes\\" stream="fixed" """));
        Assert.That(lines[1], Does.EndWith("path=\"(null)\" Said a \"word\""));
    }

    [Test]
    public void Messages_without_fields_exceptions_and_other_levels_are_whole_objects()
    {
        string[] lines = Write(LogStyle.Json, static (factory, _) =>
        {
            ILogger log = factory.CreateLogger("a");
            log.LogInformation("forged\n\"x\": \u001b[2J");
            log.LogError(new InvalidOperationException("first\nsecond"), "It {How}", "failed");
            foreach (LogLevel level in Enum.GetValues<LogLevel>())
            {
                log.Log(level, "x");
            }
        });
        JsonElement[] objects = [.. lines.Select(static line => JsonDocument.Parse(line).RootElement)];
        Assert.That(objects[0].GetProperty("message").GetString(), Is.EqualTo("forged\n\"x\": \u001b[2J"));
        Assert.That(objects[1].GetProperty("message").GetString(), Is.EqualTo("It failed"));
        Assert.That(objects[1].GetProperty("properties").GetProperty("how").GetString(), Is.EqualTo("failed"));
        Assert.That(objects[1].GetProperty("properties").GetProperty("exception").GetString(), Does.Contain("first\nsecond"));
        Assert.That(
            objects[2..].Select(static each => each.GetProperty("level").GetString()),
            Is.EqualTo(["trace", "debug", "info", "warn", "error", "error"])
        );
    }

    [Test]
    public void A_text_that_is_too_long_is_cut_and_the_object_whole()
    {
        string[] lines = Write(LogStyle.Json, static (factory, output) =>
        {
            output.OnLine("a", OutputStream.Stdout, Encoding.ASCII.GetBytes(new string('"', 100_000)));
            factory.CreateLogger("a").LogInformation("{One} {Two}", new string('\\', 100_000), new string('ü', 100_000));
        });
        foreach (string line in lines)
        {
            Assert.That(Encoding.UTF8.GetByteCount(line), Is.LessThanOrEqualTo(LoggingLimits.JsonLogLineBytes));
            Assert.That(JsonDocument.Parse(line).RootElement.GetProperty("message").GetString(), Has.Length.GreaterThan(20_000));
        }

        Assert.That(
            JsonDocument.Parse(lines[0]).RootElement.GetProperty("properties").GetProperty("stream").GetString(),
            Is.EqualTo("stdout")
        );
    }

    [Test]
    public void A_terminal_gets_columns_and_colours()
    {
        static void Some(ILoggerFactory factory, LoggedOutput output)
        {
            output.OnLine("a", OutputStream.Stdout, "text"u8.ToArray());
            factory.CreateLogger("spawngate.forwarding").LogError("text");
        }

        Assert.That(
            Write(LogStyle.Aligned, Some),
            Is.EqualTo(
                new[]
                {
                    "2026-01-31T12:00:00.123Z INFO  backend:              hostname=\"a\" stream=\"stdout\" text",
                    "2026-01-31T12:00:00.123Z ERROR spawngate.forwarding: text",
                }
            )
        );
        string[] coloured = Write(LogStyle.Coloured, Some);
        Assert.That(coloured.Select(static line => ColourCodes().Replace(line, "")), Is.EqualTo(Write(LogStyle.Aligned, Some)));
        Assert.That(coloured[0], Does.Contain("\e[32m INFO \e[0m"));
        Assert.That(coloured[1], Does.Contain("\e[1;31m ERROR \e[0m"));
    }

    [TestCase(LogFormat.Json, true, null, "xterm", LogStyle.Json)]
    [TestCase(LogFormat.Text, false, null, "xterm", LogStyle.Plain)]
    [TestCase(LogFormat.Text, true, null, "xterm", LogStyle.Coloured)]
    [TestCase(LogFormat.Text, true, "", "xterm", LogStyle.Coloured)]
    [TestCase(LogFormat.Text, true, "1", "xterm", LogStyle.Aligned)]
    [TestCase(LogFormat.Text, true, null, "dumb", LogStyle.Aligned)]
    [TestCase(LogFormat.Text, true, null, null, LogStyle.Aligned)]
    public void The_style_follows_from_where_the_log_goes(
        LogFormat format,
        bool isTerminal,
        string? noColor,
        string? term,
        LogStyle expected
    )
    {
        var variables = new Dictionary<string, string?> { ["NO_COLOR"] = noColor, ["TERM"] = term };
        Assert.That(LogStyles.Choose(format, isTerminal, variables.GetValueOrDefault), Is.EqualTo(expected));
    }

    private static string[] Write(LogStyle style, Action<ILoggerFactory, LoggedOutput> log)
    {
        using var stream = new MemoryStream();
        using (var writer = new LogWriter(stream, new FixedTime(), style))
        {
            using ILoggerFactory factory = new LineLoggerProvider(LogFilter.Parse("trace", []), writer).CreateFactory();
            log(factory, new LoggedOutput(factory.CreateLogger("backend"), new OutputLog(new FixedTime())));
        }

        return Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "reason=\"{Reason}\" stream=\"fixed\" in_flight=\"{InFlight}\" Stopped after {DurationMs} ms"
    )]
    private static partial void Stopped(ILogger log, string reason, int inFlight, double durationMs);

    [System.Text.RegularExpressions.GeneratedRegex("\e\\[[0-9;]*m")]
    private static partial System.Text.RegularExpressions.Regex ColourCodes();

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 31, 12, 0, 0, 123, TimeSpan.Zero);
    }
}
