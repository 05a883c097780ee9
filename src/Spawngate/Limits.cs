using Spawngate.Forwarding;

namespace Spawngate;

/// <summary>Every bound of the program in one place, each with the reasoning behind its value.</summary>
internal static partial class Limits
{
    /// <summary>
    /// Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.
    /// </summary>
    public const int ClockTickMs = 100;

    // Transport

    /// <summary>Small buffer: a request head of a browser with its cookies fits; an idle connection holds one.</summary>
    public const int SmallBufferBytes = 4096;

    /// <summary>
    /// Large buffer for bodies: big enough that system calls vanish beside copying, below the large-object heap (85,000).
    /// </summary>
    public const int LargeBufferBytes = 65536;

    /// <summary>
    /// Bytes of the buffer in which a client connection waits for a request: most heads fit, and ten thousand that wait hold 7.5 MiB. A
    /// longer head gets a small buffer.
    /// </summary>
    public const int WaitBufferBytes = 768;

    /// <summary>Wait buffers a thread keeps: 64 × 768 bytes.</summary>
    public const int WaitBuffersPerThread = 64;

    /// <summary>Wait buffers kept for all threads: 1024 × 768 bytes.</summary>
    public const int WaitBuffersShared = 1024;

    /// <summary>Pairs of parsed heads a thread keeps: 64 × 1 KiB.</summary>
    public const int MessageHeadsPerThread = 64;

    /// <summary>Pairs of parsed heads kept for all threads: 512 × 1 KiB = 512 KiB.</summary>
    public const int MessageHeadsShared = 512;

    /// <summary>Small buffers a thread keeps: 64 × 4 KiB = 256 KiB, a burst of 64 exchanges.</summary>
    public const int SmallBuffersPerThread = 64;

    /// <summary>Large buffers a thread keeps: 16 × 64 KiB = 1 MiB.</summary>
    public const int LargeBuffersPerThread = 16;

    /// <summary>
    /// Room at both ends of a receive buffer for a chunk frame: 8 hex digits and CRLF before; CRLF and the last chunk (7 bytes) behind.
    /// </summary>
    public const int BufferReserveBytes = 16;

    /// <summary>
    /// Largest buffer that is rented, 16 MiB: eight times what the largest head that may be configured grows to, 1 MiB and what is added to
    /// it, in powers of two. Whoever asks for more has lost count.
    /// </summary>
    public const int BufferBytesMax = 16 * 1024 * 1024;

    /// <summary>Small buffers kept for all threads: 512 × 4 KiB = 2 MiB, what eight threads keep of their own.</summary>
    public const int SmallBuffersShared = 512;

    /// <summary>Large buffers kept for all threads: 64 × 64 KiB = 4 MiB, what four threads keep of their own.</summary>
    public const int LargeBuffersShared = 64;

    /// <summary>Milliseconds between trims of a pool, and how long a surplus idle connection is spared: ten ticks.</summary>
    public const int PoolTrimPeriodMs = 1000;

    /// <summary>Milliseconds of a batch for those who gave up their turn, at least: as long as a batch of events lasts.</summary>
    public const int LoopTurnsMs = 1;

    /// <summary>Milliseconds of a batch for them at most, however long its events took: what is new waits for it.</summary>
    public const int LoopTurnsMsMax = 8;

    // Forwarding

    /// <summary>Longest X-Request-ID taken over from a client: room for two UUIDs and a prefix.</summary>
    public const int RequestIdBytesMax = 128;

    /// <summary>
    /// Times that a request may pass through the gateway on one chain: backends that call each other are few, so more is a loop (508).
    /// </summary>
    public const int PassesMax = 8;

    /// <summary>Longest Via value of ours: version, name, and two marks of eight digits are 31 bytes.</summary>
    public const int ViaBytesMax = 64;

    /// <summary>
    /// Lines about failures of one backend in <see cref="NoticePeriodMs"/>: enough to see what fails and for whom, 2 a second in the long
    /// run.
    /// </summary>
    public const int NoticesPerPeriod = 20;

    /// <summary>Period of <see cref="NoticesPerPeriod"/>.</summary>
    public const int NoticePeriodMs = 10_000;

    /// <summary>Longest request line: 8 KiB as in nginx and Apache (414).</summary>
    public const int RequestLineBytesMax = 8192;

    /// <summary>Longest response head: twice what is allowed to clients, for backends that set many cookies.</summary>
    public const int ResponseHeadBytesMax = 65536;

    /// <summary>
    /// Bytes of interim heads (1xx) that a backend may send for one request: a 102 or 104 of 30 bytes every two seconds for more than an
    /// hour, or thirty 103 with 2 KiB of hints. More is answered with 502.
    /// </summary>
    public const int InterimBytesMax = 64 * 1024;

    /// <summary>
    /// Milliseconds a send to a client may wait without the client taking one byte, where no backend's <c>request_timeout_secs</c> says:
    /// its default, 30 s. Then the connection is cut.
    /// </summary>
    public const int SendStallMs = 30_000;

    /// <summary>Most response fields: a page with a hundred cookies and as many hints still passes.</summary>
    public const int ResponseFieldsMax = 512;

    /// <summary>
    /// How often a refused connect to a ready backend is taken for its death being noticed: pauses of 4, 16, 64 and 256 ms, 340 ms in
    /// all, where the exit of a process is seen within a few.
    /// </summary>
    public const int ReconnectsMax = 4;

    /// <summary>The pause before the reconnect of that number, see <see cref="ReconnectsMax"/>.</summary>
    public static TimeSpan ReconnectPause(int number) => TimeSpan.FromMilliseconds(1 << (2 * number));

    /// <summary>Bytes a pump moves without giving the completion thread to others: 16 large buffers, about a millisecond.</summary>
    public const int PumpTurnBytes = 16 * LargeBufferBytes;

    /// <summary>
    /// Bytes of a body that must be left, and the least that one move through a pipe must bring, for it to go from kernel to kernel: below
    /// that the system calls cost more than the copy they save.
    /// </summary>
    public const int SpliceBytesMin = 16 * 1024;

    /// <summary>
    /// Bytes of a chunk from which its data goes from kernel to kernel: below that the calls for each cost more than the copies they save.
    /// </summary>
    public const int SpliceChunkBytesMin = 32 * 1024;

    /// <summary>
    /// Bytes that go into a pipe at once where there are frames between: what turns out not to be moved through it fits a large buffer.
    /// </summary>
    public const int SpliceFramedBytesMax = LargeBufferBytes - 1024;

    /// <summary>
    /// Bytes that are read for a frame: the end of the chunk before, 16 digits, the end of the line, and some for an extension. What of it
    /// is data is copied.
    /// </summary>
    public const int SpliceFrameBytes = 40;

    /// <summary>
    /// Moves through a pipe in a row that bring less than <see cref="SpliceBytesMin"/> before bytes are copied again: a long message ends
    /// with a short move, and another may follow.
    /// </summary>
    public const int SpliceSmallInARow = 8;

    /// <summary>
    /// Receives in a row that bring less than half of <see cref="SmallBufferBytes"/> before a stream without known length goes back from a
    /// large buffer to a small one.
    /// </summary>
    public const int LittleReceivesInARow = 8;

    /// <summary>Room of a pipe between two connections. The kernel lets one unprivileged user have 64 MiB of them.</summary>
    public const int SplicePipeBytes = 256 * 1024;

    /// <summary>Pipes open at once, two descriptors each; further bodies are copied.</summary>
    public const int SplicePipesMax = 128;

    /// <summary>Empty pipes kept for the next body.</summary>
    public const int SplicePipesIdleMax = 8;

    /// <summary>Room for any socket address: <c>sockaddr_storage</c> has 128 bytes.</summary>
    public const int SocketAddressBytes = 128;

    /// <summary>Events an event loop takes from the kernel at once: at 5 us each a batch lasts little more than a millisecond.</summary>
    public const int EventsPerWait = 256;

    /// <summary>
    /// Events that a batch may have in the end, when the loop looks again within it: one for each stream of four connections.
    /// </summary>
    public const int EventsPerBatch = 1024;

    /// <summary>
    /// How many more clients than another an event loop may have before the other takes the next one: to wake it costs more than to serve a
    /// short request. And one more for so many, see <see cref="ClientsAheadShare"/>.
    /// </summary>
    public const int ClientsAheadMin = 2;

    /// <summary>See <see cref="ClientsAheadMin"/>: of a thousand clients 64 make no difference.</summary>
    public const int ClientsAheadShare = 16;

    /// <summary>
    /// A loop that has this many events to work off comes to its next event so late that it looks for further clients in the kernel's queue
    /// when it accepts one.
    /// </summary>
    public const int AcceptMoreFromEvents = 16;

    /// <summary>How many further clients it takes then at most: the others of the batch wait meanwhile.</summary>
    public const int AcceptMoreMax = 16;

    /// <summary>
    /// Highest descriptor number an event loop can watch: four times the kernel's default of <c>fs.nr_open</c>; the table of 4096 chunks
    /// takes 32 KiB.
    /// </summary>
    public const int DescriptorsMax = 4 * 1024 * 1024;

    // Descriptors: how the limit of the process is shared out; see DescriptorBudget.

    /// <summary>
    /// Descriptors that a gateway opens while it starts: 14 were counted, of listeners, guard, output and the runtime's sockets; some more
    /// for an access log and a PID file.
    /// </summary>
    public const int DescriptorsAtStart = 20;

    /// <summary>Descriptors of assemblies that a build which is not native loads later: two each of some twenty.</summary>
    public const int DescriptorsOfAssemblies = 48;

    /// <summary>Descriptors of an event loop: its epoll and the two ends of a pipe.</summary>
    public const int DescriptorsPerLoop = 3;

    /// <summary>
    /// Part of the free descriptors that the admin API may have, one in so many, up to <see cref="AdminConnectionsMax"/>.
    /// </summary>
    public const int DescriptorsAdminShare = 8;

    /// <summary>
    /// Connections to the admin API that there is always room for: a health check, a scraper, a few people and callbacks.
    /// </summary>
    public const int DescriptorsAdminMin = 8;

    /// <summary>Part of the free descriptors that is kept for the output of backends, one in so many.</summary>
    public const int DescriptorsChildShare = 8;

    /// <summary>Descriptors kept for the output of backends at least: eight of them.</summary>
    public const int DescriptorsChildMin = 16;

    /// <summary>Descriptors kept for the output of backends at most: four thousand of them; more come out of the part of clients.</summary>
    public const int DescriptorsChildMax = 8192;

    /// <summary>Descriptors that a start needs at once: two pipes with two ends each.</summary>
    public const int DescriptorsPerStart = 4;

    /// <summary>Part of the free descriptors that is kept for what is not counted, one in so many.</summary>
    public const int DescriptorsSpareShare = 16;

    /// <summary>
    /// Descriptors kept for what is not counted: a start in progress, its port and its check, an engine's two streams, a file.
    /// </summary>
    public const int DescriptorsSpareMin = 12;

    /// <summary>Descriptors kept for what is not counted at most: the health checks of a thousand backends at once.</summary>
    public const int DescriptorsSpareMax = 1024;

    /// <summary>Descriptors for clients at least, whatever the limit is: two clients with their connections.</summary>
    public const int DescriptorsSharedMin = 4;

    /// <summary>
    /// Clients at once below which a warning is due even if nobody asked for more: what one page with many visitors needs.
    /// </summary>
    public const int ClientsFew = 1000;

    /// <summary>Part of what clients may have from which on descriptors are low, when one in so many is left.</summary>
    public const int DescriptorsLowShare = 8;

    /// <summary>Part of what clients may have that pipes leave to connections, one in so many.</summary>
    public const int DescriptorsSpliceShare = 4;

    /// <summary>
    /// Shorter chunks than this are joined to the one before them: to move their bytes costs nothing, and so do those of the frame that
    /// they lose.
    /// </summary>
    public const int ChunkJoinBytesMax = 1024;

    /// <summary>Bytes of a body that are copied behind their head for one send: 16 KiB take half a microsecond, a send several.</summary>
    public const int GatherBytesMax = 16 * 1024;

    /// <summary>
    /// Requests that a connection begins in a row before others of its thread get a turn: at some 10 µs each, below half a millisecond.
    /// Errors that were asked for ahead could keep it for ever.
    /// </summary>
    public const int RequestsPerTurn = 32;

    /// <summary>
    /// Bytes of their heads after which it gives up its turn, too: one of the longest, or four of 8 KiB, are a tenth of a millisecond, and
    /// some hundred connections may come in one batch.
    /// </summary>
    public const int HeadBytesPerTurn = 32 * 1024;

    /// <summary>
    /// Milliseconds for which what a client still sends after its final answer is read and thrown away, so that no reset destroys the
    /// answer.
    /// </summary>
    public const int LingerMs = 2000;

    /// <summary>
    /// Requests sent over idle connections of a loop on the word of its last wait for events, which was less than half a millisecond before
    /// each (32 requests of 15 µs): then it looks again, once for as many, since to ask the kernel about each connection would take a
    /// system call for each.
    /// </summary>
    public const int JustLookedMax = 32;

    /// <summary>
    /// Milliseconds between two looks whether a client has acknowledged its earlier answers, before the connection is reset within one.
    /// </summary>
    public const int AcknowledgedLookMs = 10;

    /// <summary>
    /// Milliseconds a request body whose last bytes are being sent may take to end after the response has: a send over loopback takes less
    /// than one.
    /// </summary>
    public const int UploadEndMs = 100;

    /// <summary>
    /// Milliseconds after which a client that has ended its side, and waits, is asked whether it is still there: long enough that most
    /// answers come first, short enough that a client which left frees its backend within a second, two ticks of the clock included.
    /// </summary>
    public const int HalfCloseMs = 800;

    /// <summary>
    /// How often such a client is asked while its answer pauses, each time after twice as long: the last after 102 seconds. Each may put a
    /// zero in front of the size of the next chunk: with the six digits of the longest one that is sent these are fourteen, and common
    /// clients read sixteen.
    /// </summary>
    public const int HalfCloseProbesMax = 8;

    /// <summary>
    /// Seconds between the kernel's own questions to such a client. Linux forgets a connection that its program has closed after a minute,
    /// and then answers them by a reset.
    /// </summary>
    public const int HalfCloseKeepAliveSecs = 15;

    /// <summary>Milliseconds an idle connection may still send a request once the gateway drains.</summary>
    public const int DrainIdleMs = 250;

    // Clients

    /// <summary>
    /// Connections the kernel queues for us: its usual ceiling (net.core.somaxconn), so that a thousand simultaneous clients all fit.
    /// </summary>
    public const int AcceptBacklog = 4096;

    /// <summary>
    /// Seconds of silence after which the kernel asks whether a client is still there: below the 5 minutes after which NAT tables forget a
    /// connection.
    /// </summary>
    public const int TcpKeepAliveSecs = 60;

    /// <summary>Seconds between unanswered questions.</summary>
    public const int TcpKeepAliveIntervalSecs = 10;

    /// <summary>Unanswered questions after which the client is gone: 60 + 6 × 10 s, two minutes in all.</summary>
    public const int TcpKeepAliveProbes = 6;

    /// <summary>Milliseconds without accepting after a failure such as running out of descriptors.</summary>
    public const int AcceptPauseMs = 100;

    /// <summary>
    /// Milliseconds between two looks whether something that fails again and again is over: a line about it may come a second late.
    /// </summary>
    public const int FailureLookMs = 1000;

    /// <summary>
    /// Milliseconds without a failure after which it is over: at the edge of a limit it fails and succeeds in turn, and that is to be one
    /// episode.
    /// </summary>
    public const int FailureQuietMs = 5000;

    /// <summary>Milliseconds between two lines about something that goes on failing: once a minute.</summary>
    public const int FailureSayMs = 60_000;

    /// <summary>Seconds after which a client that found no room may try again: idle connections are closed within a tick.</summary>
    public const int OverloadedRetrySecs = 1;

    // Backend lifecycle

    /// <summary>
    /// Milliseconds to wait for an exit after SIGKILL: the kernel needs a few; 10 s also covers a Docker engine under load.
    /// </summary>
    public const int KillWaitMs = 10_000;

    /// <summary>
    /// Milliseconds a backend must have been ready for its failures to be forgotten: longer than any crash at the first request takes to
    /// show.
    /// </summary>
    public const int StableReadyMs = 10_000;

    /// <summary>
    /// Longest wait between failing starts in seconds: 1, 2, 4, 8, 16, 30; half a minute keeps a crash loop under 3 starts a minute.
    /// </summary>
    public const int RetryWaitSecsMax = 30;

    /// <summary>
    /// Attempts to find a free port that no other start was given: each misses with a chance of backends / 28,000, so 16 never do.
    /// </summary>
    public const int PortAttemptsMax = 16;

    /// <summary>
    /// Lowest port chosen for a backend: below it most well-known servers live, between it and the range of outgoing connections (32768 on
    /// Linux) are 12,768 ports, and 4,536 more above that range.
    /// </summary>
    public const int QuietPortMin = 20_000;

    /// <summary>
    /// Random tries to meet a free port outside of the range of outgoing connections: a third of them hit, so 64 miss with a chance of
    /// 10^-13.
    /// </summary>
    public const int QuietPortAttemptsMax = 64;

    /// <summary>
    /// Milliseconds a start waits for a fixed port that is taken: killed children of the run before need some to let go of it, under load
    /// some hundred.
    /// </summary>
    public const int PortWaitMs = 2_000;

    /// <summary>Random bytes of a ready token: 192 bits, above the 128 that make guessing hopeless.</summary>
    public const int ReadyTokenBytes = 24;

    /// <summary>
    /// Milliseconds during which a refused connection is retried quickly: a start that takes longer does not notice 100 ms more.
    /// </summary>
    public const int ProbeFastPhaseMs = 5_000;

    /// <summary>
    /// Milliseconds during which a refused connection is retried after 1 ms; after it 5 ms, so that a fast start loses about 1 ms and a
    /// slow one 2 %.
    /// </summary>
    public const int ProbeEagerPhaseMs = 250;

    /// <summary>
    /// Milliseconds between quick retries after the eager phase: 200 refused connections a second cost about 0.5 % of a core.
    /// </summary>
    public const int ProbeFastRetryMs = 5;

    /// <summary>
    /// Milliseconds one health check may take at most, as users of other checkers expect (HAProxy, Kubernetes: 1 to 5 s).
    /// </summary>
    public const int ProbeTimeoutMs = 5_000;

    /// <summary>Shortest limit of one check in milliseconds: below it, checks in short intervals would fail on a busy machine.</summary>
    public const int ProbeTimeoutMsMin = 1_000;

    /// <summary>Bytes of a health response's head: the usual 8 KiB of servers and proxies; past it the check fails.</summary>
    public const int ProbeHeadBytesMax = 8_192;

    /// <summary>Bytes of a health response's body that are read to keep the connection; past it, closing is cheaper than reading.</summary>
    public const int ProbeBodyBytesMax = 65_536;

    /// <summary>Interim (1xx) responses read before a health answer: one 100 and a few 103 are sane, more are not.</summary>
    public const int ProbeInterimResponsesMax = 8;

    /// <summary>Bytes of a host name: 253 in DNS, 255 with length bytes; longer ones cannot be configured and are not looked up.</summary>
    public const int HostNameBytesMax = 255;

    /// <summary>Lines of stderr repeated in the log when a start fails: enough for a stack trace's essence.</summary>
    public const int FailureStderrLinesMax = 20;

    // ---- Platform, output of backends, logging ----

    /// <summary>
    /// Milliseconds after which PID 1 without children looks for adopted ones: a zombie lives at most this long, one system call a second
    /// is free.
    /// </summary>
    public const int ReaperIdlePollMs = 1000;

    /// <summary>
    /// Milliseconds a killed group may take to vanish before its run counts as ended anyway: SIGKILL takes microseconds unless a process
    /// hangs in the kernel.
    /// </summary>
    public const int KillSettleMs = 1000;

    /// <summary>Bytes read from one output pipe per round: what a pipe holds by default on Linux, so one read empties it.</summary>
    public const int OutputReadBytes = 64 * 1024;

    /// <summary>
    /// Output pipes served per wait; more wait for the next round, in turn. 64 x 64 KiB = 4 MiB are read at most before requests to the
    /// drain are seen.
    /// </summary>
    public const int OutputPipesPerRound = 64;

    /// <summary>
    /// Bytes read from a pipe after its run has ended: the most a pipe may hold without privilege (fs.pipe-max-size), 16 reads.
    /// </summary>
    public const int OutputFinalDrainBytes = 1024 * 1024;

    /// <summary>Bytes of one line of output; longer ones are cut (16 KiB, as the contract says).</summary>
    public const int OutputLineBytes = 16 * 1024;

    /// <summary>Lines of stderr kept of a run for the report of its end: a stack trace's worth.</summary>
    public const int StderrTailLines = 20;

    /// <summary>Bytes of these: two lines of the greatest length, so the memory per run stays below 40 KiB.</summary>
    public const int StderrTailBytes = 2 * OutputLineBytes;

    /// <summary>Lines of output kept per backend (1,000, as the contract says).</summary>
    public const int OutputLogLines = 1000;

    /// <summary>Bytes of these: 1,000 lines of 256 bytes fit. Each line has 12 more.</summary>
    public const int OutputLogBytes = 256 * 1024;

    /// <summary>First size of the memory for them: a few lines, as most programs write at their start.</summary>
    public const int OutputLogFirstBytes = 1024;

    /// <summary>
    /// Bytes that the lines of all backends may take together: the full ones of 244 backends. 10,000 full ones would take 2.6 GB; then
    /// those that have written nothing for longest are shortened.
    /// </summary>
    public const int OutputLogTotalBytes = 64 * 1024 * 1024;

    /// <summary>What a shortened backend keeps of its lines: some 40 usual ones. 10,000 times that is 40 MiB, so all of them can.</summary>
    public const int OutputLogRestBytes = 4096;

    /// <summary>Lines a follower may lag behind before it misses some: as many as are kept.</summary>
    public const int OutputFollowLines = OutputLogLines;

    /// <summary>Followers per backend, each of which costs a copy of every line: a few people with a few windows.</summary>
    public const int OutputFollowers = 16;

    /// <summary>
    /// Bytes of log waiting to be written, held twice (one part filling, one being written): at 150 bytes a line 7,000 lines.
    /// </summary>
    public const int LogQueueBytes = 1024 * 1024;

    /// <summary>Part of the queue that output of backends may fill; the last quarter is for what Spawngate itself has to say.</summary>
    public const int LogQueueOutputBytes = LogQueueBytes / 4 * 3;

    /// <summary>Bytes of one log line: a line of output of which every byte had to be escaped (4 for 1), and its fields.</summary>
    public const int LogLineBytes = (4 * OutputLineBytes) + 4096;

    /// <summary>
    /// Milliseconds the end of the program waits for the log to be written: a terminal or pipe that takes longer is stuck.
    /// </summary>
    public const int LogFlushMs = 2000;

    /// <summary>Longest line of the log in JSON: one of output, of which every byte became six, is cut; all others fit.</summary>
    public const int JsonLogLineBytes = LogLineBytes;

    /// <summary>What a message in JSON leaves free for its properties: paths and host names of the longest kind, and ten numbers.</summary>
    public const int JsonLogTailBytes = 8192;

    /// <summary>What a property needs beside its name: quotes, a number of 24 digits, and the end of the line.</summary>
    public const int JsonLogPropertyBytes = 64;

    /// <summary>
    /// Milliseconds between two notices of dropped log lines, so that a flood does not fill the log with its own notices.
    /// </summary>
    public const int LogDropNoticeMs = 1000;

    // Admin API, command line and hello backend.

    /// <summary>
    /// Connections to the admin API at once: 3,072 streams, which are three for each of a thousand browser windows, and a third of that
    /// again, for a ready callback of each of some hundred backends starting together, people and scrapers. At some 20 KB each, 80 MB when
    /// all are in use.
    /// </summary>
    public const int AdminConnectionsMax = 4096;

    /// <summary>Part of the connections to the admin API, one in so many, that streams and waits may not have.</summary>
    public const int AdminShortShare = 4;

    /// <summary>Connections that streams and waits may not have at least: a health check, a scraper, a few people and callbacks.</summary>
    public const int AdminShortMin = 8;

    /// <summary>Connections that wait to be accepted: as many as the runtime's own server has.</summary>
    public const int AdminBacklog = 512;

    /// <summary>
    /// Connections beyond the bound that are being closed for others: each takes some microseconds, and who comes meanwhile waits.
    /// </summary>
    public const int AdminClosingMax = 64;

    /// <summary>
    /// Seconds an idle connection to the admin API is kept: that of the proxy; scrapers that come once a minute keep theirs.
    /// </summary>
    public const int AdminKeepAliveSecs = 75;

    /// <summary>Part of the connections, one in so many, from which on idle ones are closed early.</summary>
    public const int AdminCrowdedShare = 4;

    /// <summary>Milliseconds for which a connection may be idle then: a page that asks every second keeps its own.</summary>
    public const int AdminCrowdedIdleMs = 5000;

    /// <summary>Bytes of a request body the admin API accepts: no request has more than a small JSON object.</summary>
    public const int AdminRequestBodyBytesMax = 64 * 1024;

    /// <summary>Seconds a client of the admin API may take to send a head.</summary>
    public const int AdminHeaderTimeoutSecs = 10;

    /// <summary>
    /// Clients that follow logs at once: a quarter of the admin connections would still leave callbacks room, people need a handful.
    /// </summary>
    public const int AdminLogFollowersMax = 64;

    /// <summary>Bytes of log written before the client must have taken them: four of the longest lines (16 KiB).</summary>
    public const int AdminLogFlushBytes = 64 * 1024;

    /// <summary>Seconds the admin API waits at a stop for answers in progress; all of them are short.</summary>
    public const int AdminStopSecs = 2;

    /// <summary>Seconds <c>explain</c> and <c>check --live</c> wait for the admin API, which answers from memory.</summary>
    public const int AdminCallTimeoutSecs = 30;

    /// <summary>Bytes that they read of an answer: one report is about 1 KiB, its longest part a few lines of stderr.</summary>
    public const int AdminCallAnswerBytesMax = 1024 * 1024;

    /// <summary>
    /// Connections of the hello backend at once: four times the default of max_queued_requests; each holds one 4 KiB buffer.
    /// </summary>
    public const int HelloConnectionsMax = 4096;

    /// <summary>First size of a connection's buffer in the hello backend: fits the head of a browser's request.</summary>
    public const int HelloBufferBytes = 4096;

    /// <summary>
    /// Longest head the hello backend reads: the default of max_header_bytes twice, as the proxy adds headers to what it accepted.
    /// </summary>
    public const int HelloHeadBytesMax = 64 * 1024;

    /// <summary>
    /// Longest line between two chunks the hello backend reads: sixteen size digits, extensions and trailers of a sane length.
    /// </summary>
    public const int HelloChunkLineBytesMax = 4096;

    /// <summary>Milliseconds the hello backend reads on after an error, so that the client gets to see the answer.</summary>
    public const int HelloLingerMs = 1000;

    // Configuration.

    /// <summary>
    /// Milliseconds that a reload which is under way gets at the end of the process: it reads a file, and says what came of it.
    /// </summary>
    public const int ReloadEndMs = 1000;

    /// <summary>Bytes read from a configuration file at a time: 64 KiB, most files in one go.</summary>
    public const int ConfigReadChunkBytes = 64 * 1024;

    /// <summary>
    /// Backends of a first configuration from which on the heap is put in order before the proxy listens: 1,000 take 2 ms and fewer are not
    /// worth it.
    /// </summary>
    public const int SettledBackendsMin = 1000;

    /// <summary>
    /// What a reload allocates before its garbage is collected at once: some 700 backends, a tenth of the youngest instance number on
    /// common processors.
    /// </summary>
    public const long SettledReloadBytesMin = 1024 * 1024;

    /// <summary>Size of a configuration file in bytes, 64 MiB: 100,000 backends with every key set (600 bytes each) fit.</summary>
    public const int ConfigFileBytesMax = 64 * 1024 * 1024;

    /// <summary>
    /// Depth of tables and arrays in a configuration file: the deepest key, <c>backends.HOST.args[N]</c>, needs 4, and 64 recursions need
    /// little stack.
    /// </summary>
    public const int ConfigDepthMax = 64;

    /// <summary>
    /// Syntax errors after which a configuration file is not read further: more than anyone fixes in one go, few enough to print.
    /// </summary>
    public const int ConfigSyntaxErrorsMax = 1000;

    /// <summary>
    /// Characters of a found value that an error message shows: with position and path the message still fits in a few lines.
    /// </summary>
    public const int ConfigShownCharsMax = 60;

    /// <summary>
    /// Length of an unknown key up to which similar keys are looked for: twice the longest key (30), so that the comparison (length²) stays
    /// trivial.
    /// </summary>
    public const int ConfigSuggestionCharsMax = 60;

    /// <summary>Allowed keys that an unknown-key message lists: all of [server] fit in four lines, those of a backend do not.</summary>
    public const int ConfigListedKeysMax = 24;

    /// <summary>Highest TCP port: the field in the segment has 16 bits.</summary>
    public const int PortMax = 65535;

    /// <summary>Longest configurable time in seconds, 68 years; in milliseconds it needs 64 bits.</summary>
    public const int ConfigSecsMax = int.MaxValue;

    /// <summary>Longest configurable interval in milliseconds, 24 days.</summary>
    public const int ConfigMillisecsMax = int.MaxValue;

    /// <summary>Idle connections kept per backend at most: a loopback address has no more ports (2^16) to connect from.</summary>
    public const int PoolIdlePerHostMax = 65535;

    /// <summary>
    /// Client connections at most: twice the largest default of Linux for open files of a process (fs.nr_open, 2^20), as each may need one
    /// to the backend.
    /// </summary>
    public const int ConnectionsMax = 2 * 1024 * 1024;

    /// <summary>Smallest bound of a request head in bytes: a request line, Host and a few short headers.</summary>
    public const int HeaderBytesMin = 1024;

    /// <summary>Largest bound of a request head in bytes, 1 MiB: with 1,000 connections sending heads at once, 1 GiB.</summary>
    public const int HeaderBytesMax = 1024 * 1024;

    /// <summary>
    /// Largest bound of the number of header fields: at the least 4 bytes each (<c>a:</c> CR LF), 16,384 take 64 KiB of the head.
    /// </summary>
    public const int HeadersMax = 16384;

    /// <summary>
    /// Largest configurable queue of held requests per backend: one per possible connection would be <see cref="ConnectionsMax"/>, half of
    /// it is a million.
    /// </summary>
    public const int QueuedRequestsMax = 1024 * 1024;

    /// <summary>
    /// Largest configurable number of requests in flight at one process: one per port of an address, so more than there can be connections.
    /// </summary>
    public const int ConcurrencyMax = 64 * 1024;

    /// <summary>Largest count of failed health checks in a row: at the default interval (5 s) a million take two months.</summary>
    public const int UnhealthyThresholdMax = 1_000_000;

    /// <summary>Smallest memory limit the Docker engine accepts, 6 MiB.</summary>
    public const long DockerMemoryBytesMin = 6L * 1024 * 1024;

    /// <summary>Smallest CPU limit the Docker engine accepts: a hundredth of a core, in billionths of a core.</summary>
    public const long DockerNanoCpusMin = 10_000_000;

    /// <summary>Largest CPU limit: 8,192 cores, the most that Linux is built for, in billionths of a core.</summary>
    public const long DockerNanoCpusMax = 8192L * 1_000_000_000;

    /// <summary>
    /// Processes and threads of a container unless the file says otherwise: what service managers give a user's services or more, and an
    /// eighth of the kernel's usual 32,768.
    /// </summary>
    public const int DockerPidsUsual = 4096;

    /// <summary>Largest limit of processes and threads: what Linux itself has numbers for.</summary>
    public const int DockerPidsMax = 4 * 1024 * 1024;

    /// <summary>Length of a host name (RFC 1035 section 2.3.4: 255 octets on the wire, of which two are not text).</summary>
    public const int HostNameCharsMax = 253;

    /// <summary>Length of one label of a host name (RFC 1035 section 2.3.4).</summary>
    public const int HostLabelCharsMax = 63;

    /// <summary>
    /// Attempts to lock a PID file that vanishes between opening and locking; each failure means another instance ended in that instant.
    /// </summary>
    public const int PidFileAttempts = 16;

    /// <summary>Bytes read of a file that could not be executed, to say why: what the kernel reads of it (BINPRM_BUF_SIZE).</summary>
    public const int ExecutableHeadBytes = 256;

    // Log buffers

    /// <summary>First size of the buffer of one log line: most lines fit; it grows for longer ones up to their own bound.</summary>
    public const int LogLineFirstBytes = 1024;

    /// <summary>First size of the log writer's two batches: a page, some 40 lines; they grow under load up to their own bound.</summary>
    public const int LogBatchBytes = 4096;

    // Guard and process trees

    /// <summary>Bytes read of <c>/proc/PID/stat</c>: 52 numbers of at most 20 digits and a name of at most 64 bytes make 1.2 KB.</summary>
    public const int ProcessStatBytes = 2048;

    /// <summary>
    /// Bytes of an environment read at a time: 16 KiB on the stack, most environments in one go, the largest (2 MiB) in 150.
    /// </summary>
    public const int EnvironReadBytes = 16 * 1024;

    /// <summary>
    /// Bytes of the entry that carries the token: its name (27), the address (60), a host name of 255 bytes escaped (765), and the token
    /// (55).
    /// </summary>
    public const int EnvironEntryBytes = 1024;

    /// <summary>
    /// Looks at an environment that was empty: executing a program takes a fraction of a millisecond, some more on a busy machine.
    /// </summary>
    public const int EnvironRetriesMax = 3;

    /// <summary>Milliseconds between these looks, 3 in all for an adopted process whose environment is really empty.</summary>
    public const int EnvironRetryMs = 1;

    /// <summary>
    /// Milliseconds between two readings of the process table for runs that end: 500 of them within a second cause at most 40 readings.
    /// </summary>
    public const int ProcessScanPauseMs = 25;

    /// <summary>
    /// Bytes read at a time of what the kernel says of listening sockets: it never sends more than 8 KiB before it was asked for more, and
    /// a line of its text has 150.
    /// </summary>
    public const int ListenerReadBytes = 16 * 1024;

    /// <summary>
    /// Processes below a leader that are looked at one by one for who listens, 0.1 ms each; beyond them reading the table of processes is
    /// no dearer.
    /// </summary>
    public const int RunTreeLooks = 32;

    /// <summary>Links that are followed on the way to a file, as many as the kernel follows (path_resolution(7)).</summary>
    public const int LinksMax = 40;

    /// <summary>Bytes of the target of a link, at most a path (PATH_MAX of Linux).</summary>
    public const int PathBytes = 4096;

    /// <summary>Bytes the guard reads of its pipe at a time: what a pipe writes in one piece on Linux, 102 records.</summary>
    public const int GuardReadBytes = 4096;

    /// <summary>
    /// Milliseconds between two looks of the guard at what it ends: a tenth of the shortest grace period that can end by itself (1 s),
    /// halved.
    /// </summary>
    public const int GuardLookMs = 50;

    /// <summary>
    /// Looks in a row at which nothing of a dead gateway's runs was found: 10 × 50 ms, in which a process that was being spawned when the
    /// gateway died has executed its program and can be recognised.
    /// </summary>
    public const int GuardQuietLooks = 10;

    /// <summary>
    /// Milliseconds the gateway waits at its end for its guard, which then has only to exit: 1 ms, or its whole start of some hundred when
    /// that is still under way.
    /// </summary>
    public const int GuardStopMs = 1000;

    /// <summary>
    /// Milliseconds between attempts to write to a guard whose pipe is full: it takes 1,638 records and empties within microseconds, unless
    /// the guard is stopped.
    /// </summary>
    public const int GuardRetryMs = 10;

    /// <summary>
    /// Attempts after which such a guard is replaced: 500 × 10 ms, longer than a machine under load delays a ready process.
    /// </summary>
    public const int GuardRetriesMax = 500;

    // Docker

    /// <summary>
    /// Milliseconds for a connection to an engine: it takes microseconds to a socket, and a tenth of a second to any machine one would run
    /// backends on.
    /// </summary>
    public const int EngineConnectMs = 5_000;

    /// <summary>
    /// Seconds an idle connection to an engine is kept: starts and stops of some minute share theirs, and a quiet gateway keeps none but
    /// the event stream's.
    /// </summary>
    public const int EngineIdleConnectionSecs = 30;

    /// <summary>
    /// Milliseconds an engine may take to say that it is one: it answers from memory, so only one that hangs takes that long.
    /// </summary>
    public const int EnginePingMs = 5_000;

    /// <summary>
    /// Milliseconds a call may take that reads or signals: below a second even on an engine with thousands of containers under load.
    /// </summary>
    public const int EngineCallMs = 15_000;

    /// <summary>
    /// Milliseconds to create or start a container: half a second is usual, tens of them start one after another, and a slow disk takes its
    /// time.
    /// </summary>
    public const int EngineCreateMs = 60_000;

    /// <summary>Milliseconds to remove a container: it is killed before, and its file system unmounted.</summary>
    public const int EngineRemoveMs = 30_000;

    /// <summary>
    /// Attempts to remove a container whose file system is busy for a moment, as happens when something else looks at it.
    /// </summary>
    public const int EngineRemoveAttemptsMax = 3;

    /// <summary>Milliseconds between these attempts.</summary>
    public const int EngineRemovePauseMs = 1_000;

    /// <summary>Containers left over that are removed at once: engines do most of it one after another anyway.</summary>
    public const int EngineRemovalsAtOnce = 8;

    /// <summary>Milliseconds the gateway waits at its end for removals under way: as long as for a killed process.</summary>
    public const int EngineStopMs = KillWaitMs;

    /// <summary>Milliseconds until the first new attempt to reach an engine; it doubles with each.</summary>
    public const int EngineRetryMs = 50;

    /// <summary>Doublings of that: 50 ms become 3.2 s, above the longest pause.</summary>
    public const int EngineDoublingsMax = 6;

    /// <summary>
    /// Longest pause between attempts in milliseconds: an engine that is back is noticed within some seconds even if nobody asks for a
    /// backend.
    /// </summary>
    public const int EnginePauseMs = 3_000;

    /// <summary>
    /// Milliseconds after which the containers of an engine that refuses connections are taken for lost: with it went what forwarded their
    /// ports, so waiting longer would only have requests fail against them.
    /// </summary>
    public const int EngineGoneMs = 200;

    /// <summary>The same for an engine that cannot be told to be gone, because it does not answer at all.</summary>
    public const int EngineSilentMs = 10_000;

    /// <summary>
    /// Milliseconds a start waits for an engine that was there before: a restart of the engine takes two to four seconds.
    /// </summary>
    public const int EngineReturnMs = 5_000;

    /// <summary>Bytes of an engine's answer: 1,000 containers of one gateway at 4 KB each, twice.</summary>
    public const int EngineAnswerBytesMax = 8 * 1024 * 1024;

    /// <summary>Bytes read from an engine at a time: most answers in one go.</summary>
    public const int EngineReadBytes = 8 * 1024;

    /// <summary>
    /// Bytes of one message of a stream: an event carries all labels of a container, and Docker bounds none of them; some are tens of
    /// kilobytes.
    /// </summary>
    public const int EngineLineBytesMax = 1024 * 1024;

    /// <summary>
    /// Characters of an engine's message that are passed on: the longest, of failed mounts and registries, are some hundred.
    /// </summary>
    public const int EngineMessageCharsMax = 1000;

    /// <summary>Attempts to create a container: one, one after a pull, and some after a left-over was removed.</summary>
    public const int ContainerCreateAttemptsMax = 5;

    /// <summary>
    /// Attempts to start it: the port that the engine chose is taken by somebody else in that moment once in a long while, never twice.
    /// </summary>
    public const int ContainerStartAttemptsMax = 3;

    /// <summary>Random bytes in the names of gateways, processes and starts: 96 bits never meet.</summary>
    public const int ContainerIdBytes = 12;

    /// <summary>Milliseconds for the last output of a container that has ended: the engine sends it before it tells of the end.</summary>
    public const int ContainerOutputEndMs = 1_000;

    /// <summary>The same when the engine is lost, and the connection with it.</summary>
    public const int ContainerOutputLostMs = 100;

    /// <summary>Milliseconds a pull may take: an image of 10 GB over a line of 25 Mbit/s takes 53 minutes.</summary>
    public const int PullMs = 60 * 60 * 1000;

    /// <summary>Milliseconds between two log lines about one pull.</summary>
    public const int PullLogMs = 5_000;

    /// <summary>Layers of a pull that are counted: an image has at most 127.</summary>
    public const int PullLayersMax = 256;

    /// <summary>Connections at once to where containers call back: as many starts at a time, on one network.</summary>
    public const int ReadyDoorConnectionsMax = 256;

    /// <summary>
    /// Milliseconds between two looks of the guard at the containers of a dead gateway: each is a call that an engine answers in about one.
    /// </summary>
    public const int OrphanLookMs = 100;

    /// <summary>
    /// Looks in a row without a new one after which there are none: 20 × 100 ms, in which a create that was under way is done even under
    /// load.
    /// </summary>
    public const int OrphanQuietLooks = 20;

    /// <summary>
    /// Bytes of a line about an engine that the guard puts together: a label (24) and the path of a socket (108), or a host name (253).
    /// </summary>
    public const int GuardLineBytesMax = 1024;

    /// <summary>
    /// Milliseconds a connection to a forwarded port must stay open to count as accepted by the container, where the container itself
    /// cannot be asked: the forwarder tries to connect at once, and closes in a millisecond when it cannot; on an overloaded machine after
    /// some hundred.
    /// </summary>
    public const int ProbeForwardedMs = 500;

    // Service manager

    /// <summary>
    /// Milliseconds a notice may wait for a service manager that is behind: it takes one in microseconds, and more than this after a stop
    /// of the whole machine.
    /// </summary>
    public const int NotifyTimeoutMs = 5_000;

    /// <summary>Sockets a service manager may pass: one for each of some hundred addresses; a number beyond is a mistake.</summary>
    public const int PassedSocketsMax = 1024;

    /// <summary>
    /// Longest watchdog time that is kept, 12 days in microseconds: its half has to fit the timers of the runtime (49 days).
    /// </summary>
    public const long WatchdogUsecMax = 1_000_000_000_000;

    // Sessions

    /// <summary>
    /// Random bytes of a session's id: 120 bits, more than the 96 that make guessing hopeless, in 24 characters without rest.
    /// </summary>
    public const int SessionIdBytes = 15;

    /// <summary>Characters of a session's id: five bits each.</summary>
    public const int SessionIdChars = SessionIdBytes * 8 / 5;

    /// <summary>Characters of the domain of sessions: what a host name has room for behind an id and a dot.</summary>
    public const int SessionDomainCharsMax = HostNameCharsMax - SessionIdChars - 1;

    /// <summary>Configurable sessions at once: three times the ports of one machine, more than can run.</summary>
    public const int SessionsMax = 100_000;

    /// <summary>Sessions at once unless the file says otherwise: at 20 MB each they fill 5 GB, what a small server has.</summary>
    public const int SessionsUsual = 256;

    /// <summary>Ended sessions that are remembered, the latest: some 700 bytes each, 7 MB.</summary>
    public const int SessionsRemembered = 10_000;

    /// <summary>Characters of a template's name: it is a label of metrics.</summary>
    public const int SessionTemplateCharsMax = 64;

    /// <summary>Characters of a key: a path or address of a document.</summary>
    public const int SessionKeyCharsMax = 256;

    /// <summary>Characters of an image reference: a name of 255, a tag of 128 and a digest of 71, with what separates them.</summary>
    public const int SessionImageCharsMax = 512;

    /// <summary>Variables that a call may set: far more than any program reads; their size is bounded by that of the body.</summary>
    public const int SessionEnvMax = 256;

    /// <summary>The port of a container whose call names none: what most images of web programs use.</summary>
    public const int SessionImagePort = 8080;

    /// <summary>Seconds that a call may wait for a session: longer than any start, shorter than a day of forgotten clients.</summary>
    public const int SessionWaitSecsMax = 3600;

    /// <summary>
    /// Milliseconds between comments in a stream that has nothing to tell, by which both ends notice that the other is gone: below the
    /// minute of common proxies.
    /// </summary>
    public const int SessionHeartbeatMs = 15_000;

    /// <summary>Milliseconds between two looks at a session's use for its stream of events.</summary>
    public const int SessionSampleMs = 1000;

    /// <summary>Seconds after which a call that found no room may try again: sweeping takes about one.</summary>
    public const int SessionsFullRetrySecs = 1;

    // HTTP/2

    /// <summary>Bytes of data that wait for one send of an HTTP/2 connection: four frames, a large buffer.</summary>
    public const int Http2OutputBytes = LargeBufferBytes;

    /// <summary>
    /// Bytes that wait for one send of an HTTP/2 connection from which no further head or control frame is added, and no further request is
    /// read: two large buffers, of which data takes one. 250 heads of 300 bytes, 75 KiB, still find room at once. With a head behind them,
    /// 75 KiB at most, they fit 256 KiB; as much may be on its way: half a MiB for a client that never reads.
    /// </summary>
    public const int Http2HeadRoomBytes = 2 * Http2OutputBytes;

    /// <summary>
    /// Milliseconds for which the reset of a stream is held back whose response is complete before its request: some clients lose a
    /// response when the reset comes in the same packet. Ticks make it 50 to 250. Meanwhile the stream counts as open, as it does for its
    /// client, and holds 100 bytes.
    /// </summary>
    public const int Http2ResetHoldMs = 50;

    /// <summary>Bytes with which a send does not wait for others to add theirs: half of what one takes.</summary>
    public const int Http2FlushBytes = Http2OutputBytes / 2;

    /// <summary>
    /// Room for control frames besides those that wait: window updates that were put off, 13 bytes each, for a few dozen streams.
    /// </summary>
    public const int Http2ControlRoomBytes = 512;

    /// <summary>Streams a connection keeps to use again, some 3 KB each: as many as a browser has open at once.</summary>
    public const int Http2StreamsKept = 32;

    /// <summary>Bytes after which an upload that keeps up gets a wide window: four times the first one.</summary>
    public const int Http2WidenAfterBytes = 262_144;

    /// <summary>The wide window of an upload: at a round trip of 1 ms it allows 250 MB/s.</summary>
    public const int Http2WideStreamBytes = 262_144;

    /// <summary>The connection's window then: four such uploads. It is the most that stalled backends make a connection hold.</summary>
    public const int Http2WideConnectionBytes = 1_048_576;

    /// <summary>Bytes of settings an upgrade request may bring: twice the ten identifiers that are registered, six bytes each.</summary>
    public const int Http2UpgradeSettingsBytes = 120;

    // Ledger

    /// <summary>Events kept of a backend: 25 times woken, ready, stopping and stopped, or 50 failed starts.</summary>
    public const int HistoryEvents = 100;

    /// <summary>Bytes of the path of a request that is kept; most are shorter, and the host's log has the rest.</summary>
    public const int HistoryPathBytes = 96;

    /// <summary>Bytes of a reason or a User-Agent: those of browsers have some 110, and their first half tells.</summary>
    public const int HistoryTextBytes = 160;

    /// <summary>Bytes of a method or an address: an IPv6 address with a zone has up to 60.</summary>
    public const int HistoryShortTextBytes = 64;

    /// <summary>Bytes of the words about what kept a backend awake: <see cref="HistoryActiveRequestsMax"/> of them.</summary>
    public const int HistoryActiveRequestBytes = 400;

    /// <summary>Holders that these words name; the number of all stands beside them.</summary>
    public const int HistoryActiveRequestsMax = 3;

    /// <summary>
    /// Bytes of one event: kind, parts, time and numbers take 60 at most, the texts (2 × 160 + 96 + 2 × 64 + 400) with their lengths 960. A
    /// hundred of them are never that long together, as only every other event has a caller: 5 KB are usual, 30 KB with the longest texts.
    /// </summary>
    public const int HistoryEventBytesMax = 1024;

    /// <summary>First size of a history's array: the four events of one start and stop.</summary>
    public const int HistoryFirstBytes = 256;

    /// <summary>Failures of which the last lines of stderr are kept.</summary>
    public const int HistoryStderrTails = 3;

    /// <summary>Lines of these: 3 × 10 × 160 characters are 10 KB at most.</summary>
    public const int HistoryStderrLines = 10;

    /// <summary>Characters of each of these lines; the whole line is in the log.</summary>
    public const int HistoryStderrLineChars = 160;

    /// <summary>
    /// Bytes that all histories may hold together: 16,000 of 100 usual events (6 KB), or 2,000 of the longest ones with three failures'
    /// lines of stderr (48 KB). 10,000 of those would take 480 MB; then those to which nothing has happened for longest are shortened.
    /// </summary>
    public const int HistoryTotalBytes = 96 * 1024 * 1024;

    /// <summary>What a shortened history keeps: some 30 usual events. 10,000 times that is 20 MiB.</summary>
    public const int HistoryRestBytes = 2048;

    /// <summary>Clients that read <c>/events</c> at once: a few people with a few windows.</summary>
    public const int HistoryReaders = 32;

    /// <summary>Events such a reader may lag behind: 500 backends that start at once, with two events each, make 1,000.</summary>
    public const int HistoryReaderEvents = 1024;

    /// <summary>Milliseconds between two samples of the numbers: as often as people can read them.</summary>
    public const int HistorySampleMs = 1000;

    /// <summary>Open requests and tunnels that a report lists: what a person looks through; their number is there as well.</summary>
    public const int HoldersListed = 50;

    /// <summary>Events that <c>explain</c> prints: the last five starts and stops, on one screen.</summary>
    public const int ExplainedEvents = 20;

    // Requests that wake nothing

    /// <summary>
    /// Requests that use one backend at once: 22 bits of its state word. More than can be held (<see cref="QueuedRequestsMax"/>) and than
    /// there are sockets to one address and port (65,536) together, so no request is ever refused for it.
    /// </summary>
    public const int BackendUsersMax = (1 << 22) - 1;

    /// <summary>
    /// Requests at one backend that do not count as use: the other 10 bits. Whoever comes while they are so many counts as use.
    /// </summary>
    public const int PassiveRequestsMax = (1 << 10) - 1;

    /// <summary>
    /// Entries of <c>no_wake</c>: all known uptime checks and the large crawlers are some 40. Each costs a request of that backend some 10
    /// to 50 ns.
    /// </summary>
    public const int NoWakeEntriesMax = 64;

    /// <summary>Characters of one entry: the longest paths of checks and names of crawlers have some 60.</summary>
    public const int NoWakeEntryChars = 256;

    /// <summary>
    /// Bytes of a user agent that are looked at; the longest real ones have some 400. A hostile one, of which every byte begins like every
    /// entry, costs 64 x 1,024 comparisons, about half a millisecond.
    /// </summary>
    public const int NoWakeAgentBytes = 1024;

    // Waiting page

    /// <summary>
    /// How long a browser waits for a backend as if there were no waiting page: most starts are quicker, and a page that flashes up for
    /// less would only disturb.
    /// </summary>
    public static readonly TimeSpan WaitingPageHold = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Seconds after which the page loads itself anew where scripts are off; with the moment of the next hold, two seconds between two
    /// looks.
    /// </summary>
    public const int WaitingPageRefreshSecs = 1;

    /// <summary>Characters of the log's last line that the page shows: some four lines of it.</summary>
    public const int WaitingPageLineChars = 300;

    // Metrics

    /// <summary>
    /// Rows of a counter: with more processors, threads share them, and eight rows of 320 bytes for each backend that is used are enough.
    /// </summary>
    public const int MetricRowsMax = 8;

    /// <summary>
    /// Host names with series of their own: at some 60 series each, 60,000 in all, which one Prometheus takes from one target; the rest is
    /// added up.
    /// </summary>
    public const int MetricHostsMax = 1000;

    // Access log and traces

    /// <summary>
    /// Bytes of our Server-Timing: four names with <c>;dur=</c> of 13 each, and times of up to 19 digits with three more behind a point.
    /// </summary>
    public const int ServerTimingBytes = 192;

    /// <summary>
    /// Bytes of a request's target that are logged, the rest is cut: half of the longest line that HTTP/1.1 clients may send, and escaped
    /// at most 24 KiB.
    /// </summary>
    public const int NoteTargetBytes = 4096;

    /// <summary>
    /// Bytes of Referer, User-Agent and X-Forwarded-For that are logged: real ones have 200, and three of them escaped stay below 18 KiB.
    /// </summary>
    public const int NoteFieldBytes = 1024;

    /// <summary>Bytes of a host name that are logged: the longest name of DNS and a port.</summary>
    public const int NoteHostBytes = 262;

    /// <summary>Bytes of a method that are logged: the longest registered one has 17.</summary>
    public const int NoteMethodBytes = 32;

    /// <summary>First size of what is noted of a request: all of a usual one.</summary>
    public const int NoteFirstBytes = 512;

    /// <summary>First size of a buffer of records: some twenty lines.</summary>
    public const int RecordBufferFirstBytes = 4096;

    /// <summary>
    /// Bytes that one buffer of records may hold. It has to take what comes while the writer waits for a disk: 20,000 lines of 250 bytes a
    /// second fill two of them in 100 ms, the time in which the writer looks after them. With <see cref="RecordPlacesMax"/> and the one
    /// that is being written they are 8.5 MiB, if the disk is slow.
    /// </summary>
    public const int RecordBufferBytesMax = 512 * 1024;

    /// <summary>
    /// Bytes in a buffer at which its writer is woken before its time: large enough that a system call for them costs nothing beside them.
    /// </summary>
    public const int RecordWakeBytes = 64 * 1024;

    /// <summary>
    /// Places of buffers, so that threads rarely meet: as many as the counters have rows, and twice that, since a thread that is put aside
    /// keeps its buffer meanwhile.
    /// </summary>
    public const int RecordPlacesMax = 2 * MetricRowsMax;

    /// <summary>
    /// How often all places are looked at for a buffer that nobody has: a buffer is out for the microsecond in which a line is written into
    /// it.
    /// </summary>
    public const int RecordTakeRounds = 8;

    /// <summary>Processor pauses between two such looks: about a microsecond in all.</summary>
    public const int RecordTakeSpins = 32;

    /// <summary>Times that a writer which ends waits for a buffer that is out: each gives the processor to others once.</summary>
    public const int RecordLastRounds = 1000;

    /// <summary>
    /// Milliseconds between two looks at what is to be sent to a collector: what people wait for when they look at a trace, and one call a
    /// second for each place.
    /// </summary>
    public const int OtlpPeriodMs = 1000;

    /// <summary>Milliseconds until a collector that failed is tried again: one that is started anew is back by then.</summary>
    public const int OtlpRetryMs = 5000;

    /// <summary>Milliseconds between two log lines about a collector that fails: once a minute.</summary>
    public const int OtlpSayMs = 60_000;

    /// <summary>Milliseconds that a collector may take to accept a batch: the default of OTLP's exporters.</summary>
    public const int OtlpTimeoutMs = 10_000;

    /// <summary>Milliseconds in which the last spans are sent at a stop: as long as the log is given.</summary>
    public const int OtlpEndMs = LogFlushMs;

    /// <summary>Bytes of what describes this program in a batch: two names, a version, and their tags.</summary>
    public const int OtlpTextBytes = 256;

    /// <summary>
    /// Milliseconds until a log that could not be written is tried again: soon enough that the buffers hold what comes meanwhile on a quiet
    /// gateway.
    /// </summary>
    public const int AccessLogRetryMs = 1000;

    /// <summary>Milliseconds that the writer waits for a pipe to take more before it looks whether it has to end: two ticks.</summary>
    public const int AccessLogPollMs = 2 * ClockTickMs;
}
