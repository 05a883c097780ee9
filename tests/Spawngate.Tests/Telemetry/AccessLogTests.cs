using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging;
using Spawngate.Forwarding;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Telemetry;
using Spawngate.Tests.Fakes;

namespace Spawngate.Tests;

/// <summary>
/// The writer of the access log with real files, pipes and devices: what is written and what is dropped adds up, and nobody waits.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AccessLogTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly RecordingLog _log = new();
    private readonly RecordCounts _counts = new();
    private readonly FakeTime _time = new();
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spawngate-access-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Threads_that_add_at_once_lose_nothing_and_mix_nothing()
    {
        const int threads = 6;
        const int lines = 20_000;
        string path = Path.Combine(_folder, "access.log");
        using var clock = new CoarseClock(TimeProvider.System);
        var log = new AccessLog(AppendFile.At(path), AccessLogFormat.Combined, _counts, clock, TimeProvider.System, _log);
        Parallel(threads, thread => AddLines(log, $"t{thread}", lines));
        log.Dispose();
        string[] written = File.ReadAllLines(path);
        Assert.That(_counts.Written, Is.EqualTo(written.Length));
        Assert.That(_counts.Written + _counts.Dropped, Is.EqualTo(threads * lines));
        foreach (var group in written.GroupBy(static line => line.Split('"')[1]))
        {
            Assert.That(group.Select(static line => long.Parse(line.Split(" in=")[1].Split(' ')[0])), Is.Unique, $"lines of {group.Key}");
        }
    }

    [Test]
    [Platform("Linux")]
    public void A_pipe_that_nobody_empties_blocks_nobody_and_every_line_is_counted()
    {
        const int lines = 60_000;
        string path = Fifo();
        using var reader = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        using var clock = new CoarseClock(TimeProvider.System);
        var log = new AccessLog(AppendFile.At(path), AccessLogFormat.Json, _counts, clock, TimeProvider.System, _log);
        long started = Stopwatch.GetTimestamp();
        AddLines(log, "x", lines);
        Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(10)), "nobody waits for the reader");
        started = Stopwatch.GetTimestamp();
        log.Dispose();
        Assert.That(Stopwatch.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(10)), "nor does the end");
        Assert.That(_counts.Written + _counts.Dropped, Is.EqualTo(lines));
        Assert.That(_counts.Dropped, Is.GreaterThan(0).And.LessThan(lines));
        Assert.That(_log.Records.Select(static record => record.Text), Has.Some.Contains($"total=\"{_counts.Dropped}\""));
        byte[] piped = new byte[1 << 20];
        int length = reader.Read(piped);
        Assert.That(
            Encoding.ASCII.GetString(piped, 0, length).Count(static c => c == '\n'),
            Is.EqualTo(_counts.Written),
            "lines in the pipe"
        );
    }

    [Test]
    [Platform("Linux")]
    public void A_full_disk_is_said_once_and_costs_the_lines_only()
    {
        using var clock = new CoarseClock(_time);
        var log = new AccessLog(AppendFile.At("/dev/full"), AccessLogFormat.Combined, _counts, clock, _time, _log);
        AddLines(log, "x", 10);
        Until(() => Says("No space left on device") == 1, () => _time.AdvanceMs(RuntimeLimits.ClockTickMs));
        for (int i = 0; i < 50; i++)
        {
            _time.AdvanceMs(RuntimeLimits.ClockTickMs);
        }

        log.Dispose();
        Assert.That(Says("No space left on device"), Is.EqualTo(1));
        Assert.That((_counts.Written, _counts.Dropped), Is.EqualTo((0, 10)));
        Assert.That(_log.Records[^1].Text, Does.Contain("dropped=\"10\""));
    }

    [Test]
    [Platform("Linux")]
    public void A_pipe_without_a_reader_is_written_as_soon_as_there_is_one()
    {
        string path = Fifo();
        using var clock = new CoarseClock(_time);
        var log = new AccessLog(AppendFile.At(path), AccessLogFormat.Combined, _counts, clock, _time, _log);
        AddLines(log, "x", 3);
        Until(() => Says("nobody reads the pipe") == 1, () => _time.AdvanceMs(RuntimeLimits.ClockTickMs));
        using (var reader = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            Until(() => _counts.Written == 3, () => _time.AdvanceMs(TelemetryLimits.AccessLogRetryMs));
            byte[] bytes = new byte[4096];
            Assert.That(bytes.AsSpan(0, reader.Read(bytes)).Count((byte)'\n'), Is.EqualTo(3));
        }

        // The reader has gone: the lines wait for the next one.
        AddLines(log, "x", 2);
        Until(() => Says("Broken pipe") == 1, () => _time.AdvanceMs(TelemetryLimits.AccessLogRetryMs));
        using (var reader = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            Until(() => _counts.Written == 5, () => _time.AdvanceMs(TelemetryLimits.AccessLogRetryMs));
        }

        log.Dispose();
        Assert.That(_counts.Dropped, Is.Zero);
        Assert.That(Says("is written again"), Is.EqualTo(2));
    }

    [Test]
    public void A_file_that_was_moved_away_gets_what_came_before_and_a_new_one_the_rest()
    {
        string path = Path.Combine(_folder, "access.log");
        using var clock = new CoarseClock(_time);
        var log = new AccessLog(AppendFile.At(path), AccessLogFormat.Combined, _counts, clock, _time, _log);
        AddLines(log, "before", 5);
        File.Move(path, path + ".1");
        log.Reopen();
        Until(() => File.Exists(path), static () => { });
        AddLines(log, "after", 7);
        log.Dispose();
        Assert.That(File.ReadAllLines(path + ".1"), Has.Length.EqualTo(5).And.All.Contains("before"));
        Assert.That(File.ReadAllLines(path), Has.Length.EqualTo(7).And.All.Contains("after"));
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite), Is.EqualTo(UnixFileMode.None));
        }
    }

    [Test]
    public void A_file_that_cannot_be_opened_again_is_written_on()
    {
        string path = Path.Combine(_folder, "sub", "access.log");
        Directory.CreateDirectory(Path.Combine(_folder, "sub"));
        using var clock = new CoarseClock(_time);
        var log = new AccessLog(AppendFile.At(path), AccessLogFormat.Combined, _counts, clock, _time, _log);
        Directory.Move(Path.Combine(_folder, "sub"), Path.Combine(_folder, "gone"));
        log.Reopen();
        Until(() => Says("cannot be opened again") == 1, static () => { });
        AddLines(log, "x", 2);
        log.Dispose();
        Assert.That(File.ReadAllLines(Path.Combine(_folder, "gone", "access.log")), Has.Length.EqualTo(2));
    }

    [Test]
    public void Lines_after_the_end_are_counted_as_dropped()
    {
        using var clock = new CoarseClock(_time);
        var log = new AccessLog(AppendFile.At(Path.Combine(_folder, "a")), AccessLogFormat.Combined, _counts, clock, _time, _log);
        log.Dispose();
        AddLines(log, "x", 4);
        Assert.That((_counts.Written, _counts.Dropped), Is.EqualTo((0, 4)));
    }

    [Test]
    public void What_is_wrong_with_a_path_is_found_without_touching_it()
    {
        string file = Path.Combine(_folder, "file");
        Assert.That(AppendFile.FindProblem(file), Is.Null);
        Assert.That(File.Exists(file), Is.False);
        Assert.That(AppendFile.FindProblem(_folder), Is.EqualTo("which is a folder"));
        Assert.That(AppendFile.FindProblem(Path.Combine(_folder, "no", "such")), Is.EqualTo("which is in a folder that does not exist"));
    }

    [Test]
    public void Records_are_bounded_in_memory()
    {
        var buffers = new RecordBuffers(static () => { });
        long kept = 0;
        for (int i = 0; i < 4 * TelemetryLimits.RecordBufferBytesMax / 1000; i++)
        {
            var buffer = buffers.TryTake()!;
            if (buffer.Reserve(1000).IsEmpty)
            {
                buffers.Drop(1);
            }
            else
            {
                buffer.Commit(1000);
                kept += 1000;
            }

            buffers.Return(buffer);
        }

        Assert.That(kept, Is.InRange(TelemetryLimits.RecordBufferBytesMax - 1000, TelemetryLimits.RecordBufferBytesMax));
        Assert.That(buffers.Dropped, Is.EqualTo((4 * TelemetryLimits.RecordBufferBytesMax / 1000) - (kept / 1000)));
    }

    private static void AddLines(AccessLog log, string line, int count)
    {
        var note = new RequestNote();
        var client = new ClientIdentity("192.0.2.1", isTrusted: false, new ClientAddress(1));
        byte[] text = Encoding.ASCII.GetBytes(line);
        for (int i = 0; i < count; i++)
        {
            note.TakeRefused(text, client, 1);
            log.Add(
                new FinishedRequest
                {
                    Note = note,
                    Status = 400,
                    BytesIn = i,
                    BytesOut = 0,
                    TotalUs = 0,
                    UpstreamUs = -1,
                }
            );
        }
    }

    private static void Parallel(int threads, Action<int> body)
    {
        Thread[] all = [.. Enumerable.Range(0, threads).Select(thread => new Thread(() => body(thread)))];
        Array.ForEach(all, static thread => thread.Start());
        Array.ForEach(all, static thread => thread.Join());
    }

    private int Says(string words) =>
        _log.Records.Count(record => record.Text.Contains(words, StringComparison.Ordinal) && record.Level != LogLevel.Debug);

    /// <summary>Waits for the log's thread.</summary>
    private static void Until(Func<bool> holds, Action between) =>
        Assert.That(
            SpinWait.SpinUntil(
                () =>
                {
                    between();
                    return holds();
                },
                Patience
            )
        );

    private string Fifo()
    {
        string path = Path.Combine(_folder, "fifo");
        using var made = Process.Start("mkfifo", path);
        made.WaitForExit();
        return path;
    }
}
