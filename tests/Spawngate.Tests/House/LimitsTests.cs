using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Backends.Probing;
using Spawngate.Clients.Http2;
using Spawngate.Clients.Shared;
using Spawngate.Commands;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Config.Toml;
using Spawngate.Forwarding;
using Spawngate.Hello;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Protocols;
using Spawngate.Runtime;
using Spawngate.Sessions;
using Spawngate.Supervision;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;
using Spawngate.Transport;
using Spawngate.Workloads;
using Spawngate.Workloads.Docker;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

/// <summary>
/// What the comments of the tables of bounds calculate and no compiler checks: each bound against what it bounds. One bound is often right
/// only as long as another one is, which stands in a different table.
/// </summary>
[TestFixture]
#pragma warning disable NUnit2007 // That constants keep to each other is what is tested.
[Category("House")]
internal sealed class LimitsTests
{
    private const int Kilo = 1024;
    private const int Mega = Kilo * Kilo;
    private const int TenThousand = 10_000;

    private static readonly ServerConfig Server = new();
    private static readonly BackendTimings Timings = new();

    [Test]
    public void Every_bound_is_used()
    {
        var files = Directory
            .EnumerateFiles(Repository.PathOf("src"), "*.cs", SearchOption.AllDirectories)
            .Where(static path => !Regex.IsMatch(path, "/(bin|obj)/"))
            .ToDictionary(static path => path, static path => CSharpText.Mask(File.ReadAllText(path)));
        var bounds =
            from file in files
            where Path.GetFileName(file.Key) == "Limits.cs"
            let table = Regex.Match(file.Value, @"\bclass (\w+)").Groups[1].Value
            from Match bound in Regex.Matches(file.Value, @"\b(?:const|static(?: readonly)?) \w+ (\w+)(?= =|\()")
            select (File: file.Key, Table: table, Name: bound.Groups[1].Value);
        var all = bounds.ToList();

        Assert.That(all, Has.Count.GreaterThan(250), "bounds are found");
        Assert.That(
            all.Where(bound =>
                    Regex.Count(files[bound.File], $@"(?<![.\w]){bound.Name}\b") == 1
                    && !files.Values.Any(text => Regex.IsMatch(text, $@"\b{bound.Table}\.{bound.Name}\b"))
                )
                .Select(static bound => $"{bound.Table}.{bound.Name}"),
            Is.Empty
        );
    }

    [Test]
    public void Toml_is_read_in_small_objects() =>
        Assert.Multiple(() =>
        {
            Assert.That(sizeof(char) * TomlLimits.PieceBytes, Is.EqualTo(64 * Kilo).And.LessThan(85_000), "as text");
            Assert.That(TomlLimits.PooledTexts * nint.Size, Is.EqualTo(2048));
            Assert.That(Unsafe.SizeOf<TomlEntry>(), Is.EqualTo(24), nameof(TomlLimits.TableEntriesFirst));
        });

    [TestCase("zzzzzzzz = 1", "the top level", "server")]
    [TestCase("[server]\nzzzzzzzz = 1", "[server]", "otlp_endpoint")]
    [TestCase("[defaults]\nzzzzzzzz = 1", "[defaults]", "waiting_page")]
    [TestCase("[sessions]\ndomain = \"s.localhost\"\nzzzzzzzz = 1", "[sessions]", "allow_images")]
    public void An_unknown_key_lists_what_is_allowed_where_that_is_short(string text, string where, string one) =>
        Assert.That(
            ConfigSource.Errors(text).Where(static error => error.Contains("zzzzzzzz")),
            Has.One.Contains($"unknown in {where}, allowed are ").And.One.Contains(one)
        );

    [TestCase("[backends.a]\ncommand = \"x\"\nzzzzzzzz = 1", "a backend")]
    [TestCase("[sessions]\ndomain = \"s.localhost\"\n[sessions.templates.a]\ncommand = \"x\"\nzzzzzzzz = 1", "a template")]
    public void It_lists_nothing_where_that_is_long(string text, string where) =>
        Assert.That(
            ConfigSource.Errors(text).Where(static error => error.Contains("zzzzzzzz")),
            Has.One.EndsWith($"found a key that is unknown in {where}")
        );

    [Test]
    public void Keys_and_values_of_the_configuration()
    {
        string[] keys = [.. ServerKeys.All, .. RegisteredKinds.All.BackendKeys, .. SessionKeys.All, .. SessionKeys.OfTemplates];
        Assert.Multiple(() =>
        {
            Assert.That(string.Join(", ", ServerKeys.All), Has.Length.LessThanOrEqualTo(450));
            Assert.That(RegisteredKinds.All.BackendKeys, Has.Length.GreaterThan(ConfigLimits.ListedKeysMax));
            Assert.That(2 * keys.Max(static key => key.Length), Is.EqualTo(ConfigLimits.SuggestionCharsMax));
            Assert.That(100_000L * 600, Is.LessThan(ConfigLimits.FileBytesMax));
            Assert.That("sessions.templates.NAME.args.N".Split('.'), Has.Length.LessThan(ConfigLimits.DepthMax));
            Assert.That(ConfigLimits.HeadersMax * "a:\r\n".Length, Is.EqualTo(64 * Kilo));
            Assert.That(1000L * ConfigLimits.HeaderBytesMax, Is.InRange(0.9 * Kilo * Mega, 1.1 * Kilo * Mega));
            Assert.That(ConfigLimits.UnhealthyThresholdMax * (long)Timings.ReadyHealthCheckIntervalMs / 86_400_000, Is.InRange(57, 62));
            Assert.That(8 * DockerLimits.PidsUsual, Is.EqualTo(32_768));
            Assert.That(ConfigLimits.NoWakeEntriesMax * ConfigLimits.NoWakeAgentBytes, Is.EqualTo(65_536));
            Assert.That(8 * ConfigLimits.SessionIdBytes % 5, Is.Zero, "an id has no rest");
            Assert.That(ConfigLimits.PerAddressMax, Is.LessThan(int.MaxValue / 2));
            Assert.That(ConfigLimits.SessionsUsual * 20, Is.InRange(5_000, 5_200), "MB");
        });
    }

    [Test]
    public void What_is_allowed_contains_what_is_usual() =>
        Assert.Multiple(() =>
        {
            Assert.That(Server.MaxHeaderBytes, Is.InRange(ConfigLimits.HeaderBytesMin, ConfigLimits.HeaderBytesMax));
            Assert.That(Server.MaxHeaders, Is.InRange(1, ConfigLimits.HeadersMax));
            Assert.That(Server.MaxConnections, Is.InRange(1, PlatformLimits.ConnectionsMax));
            Assert.That(Server.PoolMaxIdlePerHost, Is.InRange(0, ConfigLimits.PoolIdlePerHostMax));
            Assert.That(Timings.MaxQueuedRequests, Is.InRange(1, ConfigLimits.QueuedRequestsMax));
            Assert.That(Timings.UnhealthyThreshold, Is.InRange(1, ConfigLimits.UnhealthyThresholdMax));
            Assert.That(ConfigLimits.SessionsUsual, Is.LessThan(ConfigLimits.SessionsMax));
            Assert.That(DockerLimits.PidsUsual, Is.LessThan(DockerLimits.PidsMax));
        });

    [Test]
    public void Heads_and_what_follows_from_their_default() =>
        Assert.Multiple(() =>
        {
            Assert.That(ForwardingLimits.ResponseHeadBytesMax, Is.EqualTo(2 * Server.MaxHeaderBytes));
            Assert.That(ConnectionLimits.HeadBytesPerTurn, Is.EqualTo(Server.MaxHeaderBytes));
            Assert.That(CodecLimits.TrailerBytesMax, Is.LessThan(Server.MaxHeaderBytes));
            Assert.That(HelloLimits.HeadBytesMax, Is.EqualTo(2 * Server.MaxHeaderBytes));
            Assert.That(HelloLimits.HeadersMax, Is.EqualTo(2 * Server.MaxHeaders));
            Assert.That(HelloLimits.ConnectionsMax, Is.EqualTo(4 * Timings.MaxQueuedRequests));
            Assert.That(CodecLimits.HeaderBlockFactor * Server.MaxHeaderBytes, Is.EqualTo(64 * Kilo));
            Assert.That(TelemetryLimits.NoteTargetBytes, Is.EqualTo(ConfigLimits.RequestLineBytesMax / 2));
            Assert.That(ForwardingLimits.InterimBytesMax / 30 * 2, Is.GreaterThan(3600), "seconds of a 102 every other second");
            Assert.That(30 * 2 * Kilo, Is.LessThan(ForwardingLimits.InterimBytesMax), "thirty 103");
            Assert.That((2 * 36) + 1, Is.LessThan(ForwardingLimits.RequestIdBytesMax), "two UUIDs and a prefix");
            Assert.That("X-HTTP-Method-Override".Length, Is.LessThan(CodecLimits.LowerNameBytes));
        });

    [Test]
    public void Buffers_and_their_pools() =>
        Assert.Multiple(() =>
        {
            Assert.That(TransportLimits.LargeBufferBytes, Is.LessThan(85_000), "the large-object heap");
            Assert.That(TenThousand * TransportLimits.WaitBufferBytes / (double)Mega, Is.EqualTo(7.3).Within(0.05));
            Assert.That(TransportLimits.SmallBuffersPerThread * TransportLimits.SmallBufferBytes, Is.EqualTo(256 * Kilo));
            Assert.That(TransportLimits.LargeBuffersPerThread * TransportLimits.LargeBufferBytes, Is.EqualTo(Mega));
            Assert.That(TransportLimits.SmallBuffersShared, Is.EqualTo(8 * TransportLimits.SmallBuffersPerThread));
            Assert.That(TransportLimits.LargeBuffersShared, Is.EqualTo(4 * TransportLimits.LargeBuffersPerThread));
            Assert.That(TransportLimits.BufferBytesMax, Is.EqualTo(8 * 2 * ConfigLimits.HeaderBytesMax));
            Assert.That("FFFFFFFF\r\n".Length, Is.LessThanOrEqualTo(TransportLimits.BufferReserveBytes));
            Assert.That("\r\n0\r\n\r\n".Length, Is.LessThanOrEqualTo(TransportLimits.BufferReserveBytes));
            Assert.That((long)TransportLimits.SplicePipesMax * TransportLimits.SplicePipeBytes, Is.LessThanOrEqualTo(64 * Mega));
            Assert.That(TransportLimits.SplicePipesIdleMax, Is.LessThan(TransportLimits.SplicePipesMax));
            Assert.That(15 * TransportLimits.JustLookedMax, Is.LessThan(500), "microseconds");
            Assert.That(TransportLimits.LoopTurnsMs, Is.LessThan(TransportLimits.LoopTurnsMsMax));
            Assert.That(ForwardingLimits.GatherBytesMax, Is.LessThan(TransportLimits.LargeBufferBytes));
            Assert.That(ForwardingLimits.SpliceChunkBytesMin, Is.LessThan(ForwardingLimits.SpliceFramedBytesMax));
            Assert.That(
                ForwardingLimits.SpliceFramedBytesMax + ForwardingLimits.SpliceFrameBytes + (2 * TransportLimits.BufferReserveBytes),
                Is.LessThan(TransportLimits.LargeBufferBytes)
            );
            Assert.That("\r\n".Length + 16 + "\r\n".Length, Is.LessThan(ForwardingLimits.SpliceFrameBytes));
            Assert.That(ForwardingLimits.PumpTurnBytes, Is.EqualTo(16 * TransportLimits.LargeBufferBytes));
        });

    [Test]
    public void Objects_have_the_sizes_that_are_calculated_with()
    {
        const int DictionaryNode = 56;
        Assert.Multiple(() =>
        {
            Assert.That(BytesOf(static () => new ClientAddress(1)) + DictionaryNode, Is.LessThanOrEqualTo(120));
            Assert.That((long)OverloadLimits.ClientAddressesMax * 120, Is.EqualTo(30 * Mega));
            Assert.That(OverloadLimits.ClientAddressesMax, Is.EqualTo(4 * Server.MaxConnections));
            Assert.That(BytesOf(static () => Activator.CreateInstance(typeof(MessageHeads), nonPublic: true)!), Is.EqualTo(1.5 * Kilo));
            Assert.That(new BackendTraffic().Bytes / Stripes.RowsFor(Environment.ProcessorCount), Is.EqualTo(384));
        });
    }

    [Test]
    public void Connections_of_clients() =>
        Assert.Multiple(() =>
        {
            Assert.That(
                ConnectionLimits.TcpKeepAliveSecs + (ConnectionLimits.TcpKeepAliveProbes * ConnectionLimits.TcpKeepAliveIntervalSecs),
                Is.EqualTo(120)
            );
            Assert.That(ConnectionLimits.HalfCloseMs + (2 * RuntimeLimits.ClockTickMs), Is.LessThanOrEqualTo(1000));
            Assert.That(ConnectionLimits.HalfCloseMs << (ConnectionLimits.HalfCloseProbesMax - 1), Is.InRange(102_000, 103_000));
            Assert.That(ConnectionLimits.HalfCloseProbesMax + $"{TransportLimits.LargeBufferBytes:X}".Length, Is.LessThanOrEqualTo(14));
            Assert.That(ConnectionLimits.KernelMemoryLookMs, Is.EqualTo(5 * RuntimeLimits.ClockTickMs));
            Assert.That(ConnectionLimits.UnsentBytesMax / 125_000, Is.EqualTo(2), "milliseconds at 1 Gbit/s");
            Assert.That(ForwardingLimits.SendStallMs, Is.EqualTo(1000 * Timings.RequestTimeoutSecs));
            Assert.That(ForwardingLimits.RateWindowMs, Is.EqualTo(2 * ForwardingLimits.SendStallMs));
            Assert.That(ForwardingLimits.RateBytesMin * 1000L / ForwardingLimits.RateWindowMs, Is.EqualTo(100));
            Assert.That(OverloadLimits.HeapTrimAfterMs, Is.EqualTo(10 * RuntimeLimits.ClockTickMs));
            Assert.That(UpstreamPoolTicks, Is.EqualTo(10));
            Assert.That(
                ConfigLimits.MemoryLimitBytesMin,
                Is.GreaterThan(
                    64L
                        * (
                            (2 * TransportLimits.LargeBufferBytes)
                            + OverloadLimits.ClientRequestBytes
                            + ConnectionLimits.ClientConnectionBytes
                        )
                )
            );
        });

    private static int UpstreamPoolTicks => Upstreams.UpstreamLimits.PoolTrimPeriodMs / RuntimeLimits.ClockTickMs;

    [Test]
    public void Connections_of_http2() =>
        Assert.Multiple(() =>
        {
            Assert.That(Http2Limits.OutputBytes, Is.EqualTo(4 * CodecLimits.FrameBytes));
            Assert.That(Http2Limits.OutputBytes + (200 * 300), Is.LessThan(Http2Limits.HeadRoomBytes));
            Assert.That(Http2Limits.HeadRoomBytes + (2 * ForwardingLimits.ResponseHeadBytesMax), Is.LessThanOrEqualTo(256 * Kilo));
            Assert.That(Http2Limits.ControlRoomBytes / 13, Is.GreaterThan(36), "a few dozen window updates");
            Assert.That(Http2Limits.WideConnectionBytes, Is.GreaterThanOrEqualTo(CodecLimits.ConnectionWindowBytes));
            Assert.That(Http2Limits.WideStreamBytes, Is.GreaterThan(CodecLimits.StreamWindowBytes));
            Assert.That(Http2Limits.StreamsKept, Is.LessThan(CodecLimits.ConcurrentStreamsMax));
        });

    [Test]
    public void Descriptors_and_events() =>
        Assert.Multiple(() =>
        {
            Assert.That(PlatformLimits.EventsPerWait * 5, Is.InRange(1000, 1500), "microseconds of a batch");
            Assert.That(PlatformLimits.EventsPerBatch, Is.GreaterThanOrEqualTo(4 * CodecLimits.ConcurrentStreamsMax));
            Assert.That(PlatformLimits.DescriptorsMax / 1024 * nint.Size, Is.EqualTo(32 * Kilo));
            Assert.That(PlatformLimits.ConnectionsMax * 2, Is.LessThanOrEqualTo(PlatformLimits.DescriptorsMax));
            Assert.That(
                PlatformLimits.DescriptorsAdminMax - (PlatformLimits.DescriptorsAdminMax / AdminLimits.ShortShare),
                Is.EqualTo(3072)
            );
            Assert.That(3072 / 3, Is.GreaterThanOrEqualTo(1000), "windows of a browser");
            Assert.That(PlatformLimits.DescriptorsAdminMin, Is.EqualTo(AdminLimits.ShortMin));
            Assert.That(PlatformLimits.DescriptorsChildMin, Is.EqualTo(8 * 2));
            Assert.That(PlatformLimits.DescriptorsChildMax, Is.EqualTo(4096 * 2));
            Assert.That(AdminLimits.LogFollowersMax, Is.LessThan(3072));
            Assert.That(HistoryLimits.ReadersMax, Is.LessThan(3072));
            Assert.That(PlatformLimits.OutputPipesPerRound * PlatformLimits.OutputReadBytes, Is.EqualTo(4 * Mega));
        });

    [Test]
    public void What_is_read_of_processes() =>
        Assert.Multiple(() =>
        {
            Assert.That((52 * (20 + 1)) + 64, Is.LessThan(PlatformLimits.ProcessStatBytes));
            Assert.That(
                InstanceToken.Variable.Length + 1 + 60 + (3 * ConfigLimits.HostNameBytesMax) + "&token=".Length + (2 * InstanceToken.Bytes),
                Is.LessThan(PlatformLimits.EnvironEntryBytes)
            );
            Assert.That(2 * Mega / PlatformLimits.EnvironReadBytes, Is.EqualTo(128));
            Assert.That(PlatformLimits.EnvironEntryBytes, Is.LessThan(PlatformLimits.EnvironReadBytes));
            Assert.That(BackendLimits.ReadyTokenBytes, Is.EqualTo(InstanceToken.Bytes));
            Assert.That(64 * Kilo / GuardRecord.Bytes, Is.EqualTo(1638), "records in a pipe");
            Assert.That(ProcessLimits.GuardUnwrittenMax * GuardRecord.Bytes, Is.EqualTo(8_000_000));
            Assert.That(CommandLimits.GuardReadBytes / GuardRecord.Bytes, Is.EqualTo(102));
            Assert.That(
                (2 * DockerLimits.ContainerIdBytes) + 1 + ConfigLimits.HostNameCharsMax,
                Is.LessThan(ProcessLimits.GuardLineBytesMax)
            );
            Assert.That(1000 / ProcessLimits.ScanPauseMs, Is.EqualTo(40));
            Assert.That(2 * CommandLimits.GuardLookMs, Is.EqualTo(RuntimeLimits.ClockTickMs), "a tenth of a second, halved");
            Assert.That(WorkloadLimits.StderrTailBytes + WorkloadLimits.StdoutTailBytes, Is.LessThan(60 * Kilo));
        });

    [Test]
    public void Retries_and_their_pauses() =>
        Assert.Multiple(() =>
        {
            Assert.That(DockerLimits.EngineRetryMs << DockerLimits.EngineDoublingsMax, Is.GreaterThanOrEqualTo(DockerLimits.EnginePauseMs));
            Assert.That(
                DockerLimits.EngineRetryMs << (DockerLimits.EngineDoublingsMax - 1),
                Is.LessThan(DockerLimits.EnginePauseMs),
                "no doubling is for nothing"
            );
            Assert.That(
                Enumerable
                    .Range(1, ForwardingLimits.ReconnectsMax)
                    .Sum(static number => ForwardingLimits.ReconnectPause(number).TotalMilliseconds),
                Is.EqualTo(340)
            );
            Assert.That(StartBackoff.WaitSecs(int.MaxValue), Is.EqualTo(RuntimeLimits.RetryWaitSecsMax));
            Assert.That(StartBackoff.WaitSecs(6), Is.LessThan(RuntimeLimits.RetryWaitSecsMax));
            Assert.That(StartBackoff.WaitSecs(7), Is.EqualTo(RuntimeLimits.RetryWaitSecsMax));
            Assert.That(ProbeLimits.EagerPhaseMs, Is.LessThan(ProbeLimits.FastPhaseMs));
            Assert.That(ProbeLimits.FastPhaseMs, Is.LessThan(1000 * Timings.StartupTimeoutSecs));
            Assert.That(BackendLimits.ProbeTimeoutMsMin, Is.LessThan(ProbeLimits.TimeoutMs));
            Assert.That(1.0 / ProbeLimits.FastRetryMs * 1000, Is.EqualTo(200), "refused connections a second");
            Assert.That(10L * 8 * 1_000_000_000 / 25_000_000 * 1000, Is.LessThan(DockerLimits.PullMs), "10 GB at 25 Mbit/s");
            Assert.That(DockerLimits.PullLayersMax, Is.GreaterThan(127));
            Assert.That(DockerLimits.EngineAnswerBytesMax, Is.GreaterThanOrEqualTo(2 * 1000 * 4000));
            Assert.That(DockerLimits.OrphanLookMs * DockerLimits.OrphanQuietLooks, Is.EqualTo(2000));
        });

    [Test]
    public void Ports_of_backends()
    {
        const int OutgoingMin = 32_768;
        const int OutgoingMax = 60_999;
        const int Below = OutgoingMin - BackendLimits.QuietPortMin;
        const int Above = ConfigLimits.PortMax - OutgoingMax;
        const double Hit = (double)(Below + Above) / (ConfigLimits.PortMax + 1 - BackendLimits.QuietPortMin);
        Assert.Multiple(() =>
        {
            Assert.That(Below, Is.EqualTo(12_768));
            Assert.That(Above, Is.EqualTo(4_536));
            Assert.That(Math.Pow(1 - Hit, BackendLimits.QuietPortAttemptsMax), Is.LessThan(1e-13));
        });
    }

    [Test]
    public void The_state_word_of_backends() =>
        Assert.Multiple(() =>
        {
            // Four bits of phase, and 23 of instance number.
            Assert.That(BackendLimits.UsersBits + BackendLimits.PassiveRequestsBits, Is.EqualTo(64 - 4 - 23));
            Assert.That(BackendLimits.PassiveRequestsMax, Is.EqualTo(65_535), "sockets to one address and port");
            Assert.That(BackendLimits.UsersMax, Is.GreaterThan(ConfigLimits.QueuedRequestsMax + 65_536));
        });

    [Test]
    public void Histories_of_backends()
    {
        var longest = new HistoryEvent
        {
            Event = HistoryEventKind.KeptAwake,
            Time = DateTime.MaxValue,
            Start = int.MaxValue,
            Reason = new string('r', HistoryLimits.TextBytes + 1),
            Requests = int.MaxValue,
            By = new HistoryCaller(
                new string('m', HistoryLimits.ShortTextBytes + 1),
                new string('p', HistoryLimits.PathBytes + 1),
                new string('c', HistoryLimits.ShortTextBytes + 1),
                new string('u', HistoryLimits.TextBytes + 1)
            ),
            SpawnMs = int.MaxValue,
            ListenMs = int.MaxValue,
            ReadyMs = int.MaxValue,
            AfterMs = long.MaxValue,
            Exit = new HistoryExit(int.MaxValue - 1, int.MaxValue - 1),
            ActiveRequests = new string('a', HistoryLimits.ActiveRequestBytes + 1),
            Times = int.MaxValue,
        };
        Assert.Multiple(() =>
        {
            Assert.That(HistoryCodec.Write(new byte[HistoryLimits.EventBytesMax], longest), Is.InRange(1000, HistoryLimits.EventBytesMax));
            Assert.That(HistoryLimits.OutputTails * HistoryLimits.OutputLines * HistoryLimits.OutputLineChars * 2, Is.LessThan(10_000));
            Assert.That(HistoryLimits.ReaderEventsMax, Is.GreaterThanOrEqualTo(500 * 2));
            Assert.That(BackendLimits.HistoryTotalBytes / 6000, Is.InRange(16_000, 17_000));
            Assert.That(BackendLimits.HistoryTotalBytes / 48_000, Is.InRange(2_000, 2_100));
            Assert.That(TenThousand * BackendLimits.HistoryRestBytes, Is.LessThan(BackendLimits.HistoryTotalBytes), "all can be shortened");
            Assert.That(BackendLimits.HistoryRestBytes, Is.GreaterThan(HistoryLimits.EventBytesMax), "the latest event is kept");
            Assert.That(AdminLimits.ExplainedEvents, Is.EqualTo(5 * 4));
        });
    }

    [Test]
    public void Logs_and_the_output_of_backends()
    {
        const int LineHead = 12;
        const int Full = LoggingLimits.OutputLogBytes + (LoggingLimits.OutputLogLines * LineHead);
        Assert.Multiple(() =>
        {
            Assert.That(LoggingLimits.OutputLogLines * 256, Is.LessThanOrEqualTo(LoggingLimits.OutputLogBytes));
            Assert.That(LoggingLimits.OutputLineBytes, Is.LessThan(LoggingLimits.OutputLogBytes));
            Assert.That(LoggingLimits.OutputLogTotalBytes / Full, Is.EqualTo(244));
            Assert.That((long)TenThousand * Full / 1e9, Is.EqualTo(2.7).Within(0.05), "GB");
            Assert.That(
                TenThousand * LoggingLimits.OutputLogRestBytes,
                Is.LessThan(LoggingLimits.OutputLogTotalBytes),
                "all can be shortened"
            );
            Assert.That(LoggingLimits.LogQueueBytes / 150, Is.InRange(6_900, 7_000));
            Assert.That(LoggingLimits.LogLineBytes, Is.LessThan(LoggingLimits.LogQueueBytes - LoggingLimits.LogQueueOutputBytes));
            Assert.That(LoggingLimits.JsonLogTailBytes, Is.LessThan(LoggingLimits.JsonLogLineBytes));
            Assert.That(LoggingLimits.NoticesPerPeriod * 1000 / LoggingLimits.NoticePeriodMs, Is.EqualTo(2), "a second");
        });
    }

    [Test]
    public void The_access_log_and_spans() =>
        Assert.Multiple(() =>
        {
            Assert.That(6 * TelemetryLimits.NoteTargetBytes, Is.EqualTo(24 * Kilo));
            Assert.That(3 * 6 * TelemetryLimits.NoteFieldBytes, Is.EqualTo(18 * Kilo));
            Assert.That(ConfigLimits.HostNameCharsMax + ".:65535".Length, Is.LessThanOrEqualTo(TelemetryLimits.NoteHostBytes));
            Assert.That("UPDATEREDIRECTREF".Length, Is.EqualTo(17).And.LessThan(TelemetryLimits.NoteMethodBytes));
            Assert.That(20_000 * 250 / 10, Is.LessThan(TelemetryLimits.RecordBufferBytesMax));
            Assert.That((TelemetryLimits.RecordPlacesMax + 1) * TelemetryLimits.RecordBufferBytesMax, Is.EqualTo(8.5 * Mega));
            Assert.That(
                6 * (TelemetryLimits.NoteTargetBytes + (4 * TelemetryLimits.NoteFieldBytes)),
                Is.LessThan(TelemetryLimits.RecordBufferBytesMax),
                "the longest line"
            );
            Assert.That(TelemetryLimits.RecordWakeBytes, Is.LessThan(TelemetryLimits.RecordBufferBytesMax));
            Assert.That(TelemetryLimits.OtlpTextBytes, Is.GreaterThan(4 * Encoding.UTF8.GetByteCount(SpawngateVersion.Text)));
        });

    [Test]
    public void Server_timing_fits_with_the_longest_times()
    {
        string longest = string.Join(
            ", ",
            new[] { "queue", "spawn", "connect", "upstream" }.Select(static name => $"{name};dur={long.MaxValue}.123")
        );
        Assert.That(longest, Has.Length.LessThanOrEqualTo(ForwardingLimits.ServerTimingBytes));
    }

    [Test]
    public void Sessions_and_the_admin_api() =>
        Assert.Multiple(() =>
        {
            Assert.That(255 + ":".Length + 128 + "@".Length + 71, Is.LessThan(SessionLimits.ImageCharsMax));
            Assert.That(SessionLimits.RememberedMax * 700, Is.EqualTo(7_000_000));
            Assert.That(AdminLimits.KeepAliveSecs, Is.EqualTo(Server.KeepAliveTimeoutSecs));
            Assert.That(AdminLimits.HeaderTimeoutSecs, Is.EqualTo(Server.HeaderTimeoutSecs));
            Assert.That(AdminLimits.MetricHostsMax * 60, Is.EqualTo(60_000));
            Assert.That(SupervisionLimits.WatchdogUsecMax / 1000 / 2, Is.LessThan(uint.MaxValue), "milliseconds of a timer");
        });

    private static long BytesOf(Func<object> make) => Allocations.Least(() => GC.KeepAlive(make()));
}
