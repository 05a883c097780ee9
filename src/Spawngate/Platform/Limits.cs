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
    /// Part of the free descriptors that the admin API may have, one in so many, up to <see cref="DescriptorsAdminMax"/>.
    /// </summary>
    public const int DescriptorsAdminShare = 8;

    /// <summary>
    /// Connections to the admin API that there is always room for: a health check, a scraper, a few people and callbacks.
    /// </summary>
    public const int DescriptorsAdminMin = 8;

    /// <summary>Part of the free descriptors that is kept for backends (input, output and notices), one in so many.</summary>
    public const int DescriptorsChildShare = 8;

    /// <summary>Descriptors kept for backends at least: four of them, with three pipes and a socket each.</summary>
    public const int DescriptorsChildMin = 16;

    /// <summary>Descriptors kept for backends at most: two thousand of them; more come out of the part of clients.</summary>
    public const int DescriptorsChildMax = 8192;

    /// <summary>Descriptors that a start needs at once: three pipes with two ends each, and the socket for its notices.</summary>
    public const int DescriptorsPerStart = 7;

    /// <summary>
    /// Bytes of one notice that are looked at: as many as systemd does. What is longer is no notice of a start.
    /// </summary>
    public const int NoticeBytes = 4096;

    /// <summary>Bytes of a status that are kept of a notice: a line to read.</summary>
    public const int NoticeStatusBytes = 200;

    /// <summary>Random bytes of the name of the socket for notices: no two are ever the same.</summary>
    public const int NoticeNameBytes = 16;

    /// <summary>
    /// Connections that wait in the backlog of an instance's listening socket: what Linux allows by default (<c>net.core.somaxconn</c>),
    /// four times the requests that are held for a backend by default. The kernel lowers it to its own limit.
    /// </summary>
    public const int ActivationBacklog = 4096;

    /// <summary>
    /// Characters of a backend's name in that of its control group: with the rest, which has some 40, within the 255 of a folder's name.
    /// </summary>
    public const int ControlGroupNameChars = 128;

    /// <summary>Smallest quota of processor time in microseconds of each period; the kernel takes no less.</summary>
    public const long CpuQuotaUsMin = 1000;

    /// <summary>Rounds in which we leave our control group with all that we started: one more for each process made meanwhile.</summary>
    public const int ControlGroupMoves = 16;

    /// <summary>
    /// Attempts to remove the control group of an instance that has ended: two seconds in all, longer than the kernel takes.
    /// </summary>
    public const int ControlGroupRemovals = 100;

    /// <summary>Milliseconds between two of them.</summary>
    public const int ControlGroupRemovalMs = 20;

    /// <summary>Generations between us and a process that we started; a tree of shells has some ten.</summary>
    public const int ProcessDepthMax = 64;

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
    /// Milliseconds a killed group may take to vanish before its instance counts as ended anyway: SIGKILL takes microseconds unless a
    /// process hangs in the kernel.
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
    /// Milliseconds after which a line that has begun and not ended is handed on as far as it is: a program that writes a line in pieces
    /// has written it by then, and who looks at dots of progress still sees them come.
    /// </summary>
    public const int PartialLineMs = 500;

    /// <summary>
    /// Bytes read from a pipe after its instance has ended: the most a pipe may hold without privilege (fs.pipe-max-size), 16 reads.
    /// </summary>
    public const int OutputFinalDrainBytes = 16 * OutputReadBytes;

    /// <summary>
    /// Connections to the admin API at once: 3,072 streams, which are three for each of a thousand browser windows, and a third of that
    /// again, for a ready callback of each of some hundred backends starting together, people and scrapers. At some 20 KB each, 80 MB when
    /// all are in use.
    /// </summary>
    public const int DescriptorsAdminMax = 4096;

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
    /// Bytes of an environment read at a time: 16 KiB on the stack, most environments in one go, the largest (2 MiB) in 128.
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

    /// <summary>
    /// Milliseconds after SIGHUP in which a terminal that seems to be there is looked at again: the kernel takes it away within
    /// microseconds of the signal.
    /// </summary>
    public const int HangUpLookMs = 100;

    /// <summary>Sockets a service manager may pass: one for each of some hundred addresses; a number beyond is a mistake.</summary>
    public const int PassedSocketsMax = 1024;

    /// <summary>Milliseconds that a writer waits for a pipe to take more before it looks whether it has to end: two ticks.</summary>
    public const int AppendPollMs = 2 * RuntimeLimits.ClockTickMs;
}
