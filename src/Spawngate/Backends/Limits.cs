using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Backends;

/// <summary>The bounds of the lifecycle and the admission queue of backends, each with the reasoning behind its value.</summary>
internal static class BackendLimits
{
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
    /// Milliseconds a start waits for a fixed port that is taken: killed children of the instance before need some to let go of it, under
    /// load some hundred.
    /// </summary>
    public const int PortWaitMs = 2_000;

    /// <summary>Random bytes of a ready token: 192 bits, above the 128 that make guessing hopeless.</summary>
    public const int ReadyTokenBytes = 24;

    /// <summary>Shortest limit of one check in milliseconds: below it, checks in short intervals would fail on a busy machine.</summary>
    public const int ProbeTimeoutMsMin = 1_000;

    /// <summary>
    /// Messages to one lifecycle from which on commands of the admin API are refused: as many as it may have connections, each of
    /// which sends its next command when it has the answer to the last.
    /// </summary>
    public const int MailboxMessagesMax = PlatformLimits.DescriptorsAdminMax;

    /// <summary>Holders that these words name; the number of all stands beside them.</summary>
    public const int HistoryActiveRequestsMax = 3;

    /// <summary>
    /// Bytes that all histories may hold together: 16,000 of 100 usual events (6 KB), or 2,000 of the longest ones with three failures'
    /// lines of stderr (48 KB). 10,000 of those would take 480 MB; then those to which nothing has happened for longest are shortened.
    /// </summary>
    public const int HistoryTotalBytes = 96 * 1024 * 1024;

    /// <summary>What a shortened history keeps: some 30 usual events. 10,000 times that is 20 MiB.</summary>
    public const int HistoryRestBytes = 2048;

    /// <summary>
    /// Seconds of a lease at most: a day. Whatever works longer renews it; what died or forgot about it does not hold its backend longer.
    /// </summary>
    public const int LeaseSecsMax = 86_400;

    /// <summary>Bits of the state word for the requests that use a backend; see <see cref="UsersMax"/>.</summary>
    public const int UsersBits = 21;

    /// <summary>Bits of the state word for those that do not count as use; see <see cref="PassiveRequestsMax"/>.</summary>
    public const int PassiveRequestsBits = 16;

    /// <summary>
    /// Requests that use one backend at once: 21 bits of its state word. More than can be held
    /// (<see cref="ConfigLimits.QueuedRequestsMax"/>) and than there are sockets to one address and port (65,536) together, so no request
    /// is ever refused for it.
    /// </summary>
    public const int UsersMax = (1 << UsersBits) - 1;

    /// <summary>
    /// Requests and quiet WebSockets at one backend that do not count as use: 16 bits, as many as there are sockets to one address and
    /// port. Whoever comes while they are so many counts as use.
    /// </summary>
    public const int PassiveRequestsMax = (1 << PassiveRequestsBits) - 1;
}
