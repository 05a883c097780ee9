using Spawngate.Runtime;

namespace Spawngate.Platform;

/// <summary>The bounds of processes, descriptors and files, each with the reasoning behind its value.</summary>
internal static class PlatformLimits
{
    /// <summary>Events an event loop takes from the kernel at once: at 5 us each a batch lasts little more than a millisecond.</summary>
    public const int EventsPerWait = 256;

    /// <summary>
    /// Events that a batch may have in the end, when the loop looks again within it: one for each stream of four connections.
    /// </summary>
    public const int EventsPerBatch = 1024;

    /// <summary>
    /// Highest descriptor number an event loop can watch: four times the kernel's default of <c>fs.nr_open</c>; the table of 4096 chunks
    /// takes 32 KiB.
    /// </summary>
    public const int DescriptorsMax = 4 * 1024 * 1024;

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

    /// <summary>Part of what clients may have from which on descriptors are low, when one in so many is left.</summary>
    public const int DescriptorsLowShare = 8;

    /// <summary>Part of what clients may have that pipes leave to connections, one in so many.</summary>
    public const int DescriptorsSpliceShare = 4;

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

    /// <summary>
    /// Connections to the admin API at once: 3,072 streams, which are three for each of a thousand browser windows, and a third of that
    /// again, for a ready callback of each of some hundred backends starting together, people and scrapers. At some 20 KB each, 80 MB when
    /// all are in use.
    /// </summary>
    public const int AdminConnectionsMax = 4096;

    /// <summary>
    /// Client connections at most: twice the largest default of Linux for open files of a process (fs.nr_open, 2^20), as each may need one
    /// to the backend.
    /// </summary>
    public const int ConnectionsMax = 2 * 1024 * 1024;

    /// <summary>
    /// Attempts to lock a PID file that vanishes between opening and locking; each failure means another instance ended in that instant.
    /// </summary>
    public const int PidFileAttempts = 16;

    /// <summary>Bytes read of a file that could not be executed, to say why: what the kernel reads of it (BINPRM_BUF_SIZE).</summary>
    public const int ExecutableHeadBytes = 256;

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
    /// Bytes read at a time of what the kernel says of listening sockets: it never sends more than 8 KiB before it was asked for more, and
    /// a line of its text has 150.
    /// </summary>
    public const int ListenerReadBytes = 16 * 1024;

    /// <summary>Links that are followed on the way to a file, as many as the kernel follows (path_resolution(7)).</summary>
    public const int LinksMax = 40;

    /// <summary>Bytes of the target of a link, at most a path (PATH_MAX of Linux).</summary>
    public const int PathBytes = 4096;

    /// <summary>
    /// Milliseconds a notice may wait for a service manager that is behind: it takes one in microseconds, and more than this after a stop
    /// of the whole machine.
    /// </summary>
    public const int NotifyTimeoutMs = 5_000;

    /// <summary>Sockets a service manager may pass: one for each of some hundred addresses; a number beyond is a mistake.</summary>
    public const int PassedSocketsMax = 1024;

    /// <summary>Milliseconds that the writer waits for a pipe to take more before it looks whether it has to end: two ticks.</summary>
    public const int AccessLogPollMs = 2 * RuntimeLimits.ClockTickMs;
}
