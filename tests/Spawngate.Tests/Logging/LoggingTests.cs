using System.Text;
using Microsoft.Extensions.Logging;
using Spawngate.Logging;

namespace Spawngate.Tests;

internal sealed class LoggingTests
{
    private static readonly string[] Outputs = ["backend", "container"];

    [TestCase(null, "spawngate.lifecycle", LogLevel.Information)]
    [TestCase("", "spawngate.lifecycle", LogLevel.Information)]
    [TestCase("debug", "spawngate.lifecycle", LogLevel.Debug)]
    [TestCase("DeBuG", "backend", LogLevel.Debug)]
    [TestCase("off", "backend", LogLevel.None)]
    [TestCase("warn,backend=off", "backend", LogLevel.None)]
    [TestCase("error", "spawngate.admin", LogLevel.Error)]
    [TestCase("info,spawngate.forwarding=debug", "spawngate.forwarding", LogLevel.Debug)]
    [TestCase("info,spawngate.forwarding=debug", "spawngate.forwarding.tunnel", LogLevel.Debug)]
    [TestCase("info,spawngate.forwarding=debug", "spawngate.forwardingx", LogLevel.Information)]
    [TestCase("info,spawngate.forwarding=debug", "spawngate.lifecycle", LogLevel.Information)]
    [TestCase("info,spawngate::forwarding=TRACE", "spawngate.forwarding", LogLevel.Trace)]
    [TestCase("spawngate=warn,spawngate.forwarding=debug", "spawngate.forwarding", LogLevel.Debug)]
    [TestCase("spawngate.forwarding=debug,spawngate=warn", "spawngate.forwarding", LogLevel.Debug)]
    [TestCase("spawngate.forwarding=debug,spawngate=warn", "spawngate.admin", LogLevel.Warning)]
    [TestCase("spawngate=debug,spawngate=error", "spawngate.admin", LogLevel.Error)]
    [TestCase("SPAWNGATE=debug", "spawngate.admin", LogLevel.Debug)]
    [TestCase(" info , spawngate = debug ,, ", "spawngate.admin", LogLevel.Debug)]
    [TestCase("spawngate", "spawngate.admin", LogLevel.Trace)]
    [TestCase("backend", "backend", LogLevel.Trace)]
    [TestCase("container", "container", LogLevel.Trace)]
    [TestCase("info", "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Warning)]
    [TestCase("debug", "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Warning)]
    [TestCase("error", "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Error)]
    [TestCase("off", "Microsoft.AspNetCore.Server.Kestrel", LogLevel.None)]
    [TestCase("info,Microsoft=debug", "Microsoft.AspNetCore.Server.Kestrel", LogLevel.Debug)]
    [TestCase("debug", "MicrosoftWare", LogLevel.Debug)]
    public void Filter(string? text, string category, LogLevel expected)
    {
        var filter = LogFilter.Parse(text, Outputs);
        Assert.That(filter.Warnings, Is.Empty);
        Assert.That(filter.LevelOf(category), Is.EqualTo(expected));
    }

    [TestCase(
        "debgu",
        "SPAWNGATE_LOG: directive \"debgu\" is ignored: \"debgu\" is neither a level (off, error, warn, info, debug, "
            + "trace) nor a known category"
    )]
    [TestCase(
        "spawngate=loud",
        "SPAWNGATE_LOG: directive \"spawngate=loud\" is ignored: \"loud\" is not a level (off, error, warn, info, debug, trace)"
    )]
    [TestCase("=debug", "SPAWNGATE_LOG: directive \"=debug\" is ignored: \"\" is not a category")]
    [TestCase(
        "spawngate[span]=debug",
        "SPAWNGATE_LOG: directive \"spawngate[span]=debug\" is ignored: \"spawngate[span]\" is not a category"
    )]
    public void A_directive_that_is_not_understood_is_reported_and_skipped(string text, string warning)
    {
        var filter = LogFilter.Parse(text + ",backend=error", Outputs);
        Assert.That(filter.Warnings, Is.EqualTo([warning]));
        Assert.That(filter.LevelOf("spawngate.admin"), Is.EqualTo(LogLevel.Information));
        Assert.That(filter.LevelOf("backend"), Is.EqualTo(LogLevel.Error));
    }

    [Test]
    public void RUST_LOG_counts_only_when_our_own_variable_is_unset()
    {
        var both = new Dictionary<string, string?> { ["SPAWNGATE_LOG"] = "error", ["RUST_LOG"] = "debug" };
        Assert.That(LogFilter.FromEnvironment(both.GetValueOrDefault, Outputs).LevelOf("backend"), Is.EqualTo(LogLevel.Error));
        both.Remove("SPAWNGATE_LOG");
        Assert.That(LogFilter.FromEnvironment(both.GetValueOrDefault, Outputs).LevelOf("backend"), Is.EqualTo(LogLevel.Debug));
        Assert.That(LogFilter.FromEnvironment(static _ => null, Outputs).LevelOf("backend"), Is.EqualTo(LogLevel.Information));
    }

    [Test]
    public void Lines_have_the_documented_format()
    {
        using var stream = new MemoryStream();
        using (var writer = new LogWriter(stream, new FixedTime()))
        {
            var provider = new LineLoggerProvider(LogFilter.Parse("trace", []), writer);
            using ILoggerFactory factory = provider.CreateFactory();
            ILogger lifecycle = factory.CreateLogger("spawngate.lifecycle");
            var output = new LoggedOutput(factory.CreateLogger("backend"), new OutputLog(new FixedTime()));
            output.OnLine("app.example.com", OutputStream.Stdout, "Listening on 3000"u8.ToArray());
            output.OnLine("app.example.com", OutputStream.Stderr, "warning: ü"u8.ToArray());
            foreach (LogLevel level in Enum.GetValues<LogLevel>())
            {
                lifecycle.Log(level, "reason=\"{Reason}\" Stopped", "idle");
            }

            lifecycle.LogInformation("forged\n2026-01-31T12:00:00.123Z ERROR x: \u001b[2J");
            lifecycle.LogError(new InvalidOperationException("first\nsecond"), "It failed");
        }

        string[] expected =
        [
            "2026-01-31T12:00:00.123Z INFO backend: hostname=\"app.example.com\" stream=\"stdout\" Listening on 3000",
            "2026-01-31T12:00:00.123Z WARN backend: hostname=\"app.example.com\" stream=\"stderr\" warning: ü",
            "2026-01-31T12:00:00.123Z TRACE spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z DEBUG spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z INFO spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z WARN spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z ERROR spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z ERROR spawngate.lifecycle: reason=\"idle\" Stopped",
            "2026-01-31T12:00:00.123Z INFO spawngate.lifecycle: forged\\x0A2026-01-31T12:00:00.123Z ERROR x: \\x1B[2J",
            "2026-01-31T12:00:00.123Z ERROR spawngate.lifecycle: It failed: System.InvalidOperationException: first | second",
            "",
        ];
        Assert.That(Encoding.UTF8.GetString(stream.ToArray()).Split('\n'), Is.EqualTo(expected));
    }

    [Test]
    public void A_logger_that_is_not_ours_gets_output_as_text() =>
        Assert.That(
            OutputState.Format(new OutputState("a", OutputStream.Stderr, "text"u8.ToArray()), null),
            Is.EqualTo("hostname=\"a\" stream=\"stderr\" text")
        );

    [Test]
    public void Levels_below_the_filter_cost_nothing_and_write_nothing()
    {
        using var stream = new MemoryStream();
        using (var writer = new LogWriter(stream, TimeProvider.System))
        {
            ILogger logger = new LineLoggerProvider(LogFilter.Parse("warn", []), writer).CreateLogger("spawngate.forwarding");
            Assert.That(logger.IsEnabled(LogLevel.Information), Is.False);
            Assert.That(logger.IsEnabled(LogLevel.Warning), Is.True);
            Assert.That(logger.IsEnabled(LogLevel.None), Is.False);
            logger.LogInformation("no");
        }

        Assert.That(stream.Length, Is.Zero);
    }

    [Test]
    public async Task When_the_log_cannot_be_written_output_is_dropped_first_nobody_waits_and_the_loss_is_reported()
    {
        var stream = new StuckStream();
        var writer = new LogWriter(stream, new FixedTime());
        var provider = new LineLoggerProvider(LogFilter.Parse("info", []), writer);
        var output = new LoggedOutput(provider.CreateLogger("backend"), new OutputLog(TimeProvider.System));
        ILogger lifecycle = provider.CreateLogger("spawngate.lifecycle");
        lifecycle.LogInformation("first");
        await stream.Entered.WaitAsync(PlatformScene.Patience);

        byte[] line = new byte[1000];
        line.AsSpan().Fill((byte)'x');
        const int Offered = 5000;
        for (int i = 0; i < Offered; i++)
        {
            output.OnLine("a", OutputStream.Stdout, line);
        }

        lifecycle.LogInformation("still heard");
        stream.Release();
        writer.Dispose();
        string[] lines = stream.Text.Split('\n');
        int kept = lines.Count(static text => text.EndsWith("xxx", StringComparison.Ordinal));
        Assert.That(kept, Is.InRange(LoggingLimits.LogQueueOutputBytes / 1100, LoggingLimits.LogQueueOutputBytes / 1000));
        Assert.That(lines, Has.Some.EndsWith("spawngate.lifecycle: still heard"));
        Assert.That(
            lines[^2],
            Is.EqualTo(
                $"2026-01-31T12:00:00.123Z WARN spawngate.log: dropped=\"{Offered - kept}\" dropped_output=\"{Offered - kept}\" "
                    + "Log lines were dropped because the log could not be written fast enough"
            )
        );
    }

    [Test]
    public void A_stream_that_fails_stops_nobody()
    {
        var stream = new MemoryStream();
        stream.Dispose();
        using var writer = new LogWriter(stream, TimeProvider.System);
        ILogger logger = new LineLoggerProvider(LogFilter.Parse("info", []), writer).CreateLogger("a");
        Assert.That(() => logger.LogInformation("x"), Throws.Nothing);
    }

    [Test]
    public void A_line_of_output_is_logged_without_allocation()
    {
        using var writer = new LogWriter(Stream.Null, TimeProvider.System);
        using ILoggerFactory factory = new LineLoggerProvider(LogFilter.Parse("info", []), writer).CreateFactory();
        var output = new LoggedOutput(factory.CreateLogger("backend"), new OutputLog(TimeProvider.System));
        byte[] line = "GET /index.html 200"u8.ToArray();
        for (int i = 0; i < 5000; i++)
        {
            output.OnLine("app", OutputStream.Stdout, line);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5000; i++)
        {
            output.OnLine("app", OutputStream.Stdout, line);
        }

        // The queue may still double its buffer a few times, but nothing is allocated per line.
        Assert.That(
            GC.GetAllocatedBytesForCurrentThread() - before,
            Is.LessThan(4 * LoggingLimits.LogQueueBytes).And.LessThan(5000L * 1000)
        );
    }

    private sealed class FixedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 31, 12, 0, 0, 123, TimeSpan.Zero);
    }

    private sealed class StuckStream : Stream
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _released = new();
        private readonly MemoryStream _written = new();

        public Task Entered => _entered.Task;

        public string Text => Encoding.UTF8.GetString(_written.ToArray());

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void Release() => _released.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _entered.TrySetResult();
            _released.Wait(PlatformScene.Patience);
            _written.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
