using Spawngate.Platform;

namespace Spawngate.Config;

/// <summary>The bounds of the configuration, each with the reasoning behind its value.</summary>
internal static class ConfigLimits
{
    /// <summary>Longest request line: 8 KiB as in nginx and Apache (414).</summary>
    public const int RequestLineBytesMax = 8192;

    /// <summary>Bytes read from a configuration file at a time: 64 KiB, most files in one go.</summary>
    public const int ReadChunkBytes = 64 * 1024;

    /// <summary>
    /// Backends of a first configuration from which on the heap is put in order before the proxy listens: 1,000 take 2 ms and fewer are not
    /// worth it.
    /// </summary>
    public const int SettledBackendsMin = 1000;

    /// <summary>
    /// What a reload allocates before its garbage is collected at once: some 700 backends, a tenth of the youngest generation on
    /// common processors.
    /// </summary>
    public const long SettledReloadBytesMin = 1024 * 1024;

    /// <summary>Size of a configuration file in bytes, 64 MiB: 100,000 backends with every key set (600 bytes each) fit.</summary>
    public const int FileBytesMax = 64 * 1024 * 1024;

    /// <summary>
    /// Depth of tables and arrays in a configuration file: the deepest key, <c>sessions.templates.NAME.args[N]</c>, needs 5, and 64
    /// recursions need little stack.
    /// </summary>
    public const int DepthMax = 64;

    /// <summary>
    /// Syntax errors after which a configuration file is not read further: more than anyone fixes in one go, few enough to print.
    /// </summary>
    public const int SyntaxErrorsMax = 1000;

    /// <summary>
    /// Characters of a found value that an error message shows: with position and path the message still fits in a few lines.
    /// </summary>
    public const int ShownCharsMax = 60;

    /// <summary>
    /// Length of an unknown key up to which similar keys are looked for: twice the longest key (30), so that the comparison (length²) stays
    /// trivial.
    /// </summary>
    public const int SuggestionCharsMax = 60;

    /// <summary>Allowed keys that an unknown-key message lists: those of [server], some 450 characters. A backend has more.</summary>
    public static int ListedKeysMax => ServerKeys.All.Length;

    /// <summary>Highest TCP port: the field in the segment has 16 bits.</summary>
    public const int PortMax = 65535;

    /// <summary>Longest configurable time in seconds, 68 years; in milliseconds it needs 64 bits.</summary>
    public const int SecsMax = int.MaxValue;

    /// <summary>Longest configurable interval in milliseconds, 24 days.</summary>
    public const int MillisecsMax = int.MaxValue;

    /// <summary>Idle connections kept per backend at most: a loopback address has no more ports (2^16) to connect from.</summary>
    public const int PoolIdlePerHostMax = PortMax;

    /// <summary>Smallest bound of a request head in bytes: a request line, Host and a few short headers.</summary>
    public const int HeaderBytesMin = 1024;

    /// <summary>Largest bound of a request head in bytes, 1 MiB: with 1,000 connections sending heads at once, 1 GiB.</summary>
    public const int HeaderBytesMax = 1024 * 1024;

    /// <summary>
    /// Largest bound of the number of header fields: at the least 4 bytes each (<c>a:</c> CR LF), 16,384 take 64 KiB of the head.
    /// </summary>
    public const int HeadersMax = 16384;

    /// <summary>
    /// Largest configurable queue of held requests per backend: one per possible connection would be
    /// <see cref="PlatformLimits.ConnectionsMax"/>, half of it is a million.
    /// </summary>
    public const int QueuedRequestsMax = PlatformLimits.ConnectionsMax / 2;

    /// <summary>
    /// Largest configurable number of requests in flight at one process: one per port of an address, so more than there can be connections.
    /// </summary>
    public const int ConcurrencyMax = 64 * 1024;

    /// <summary>Largest count of failed health checks in a row: at the default interval (5 s) a million take two months.</summary>
    public const int UnhealthyThresholdMax = 1_000_000;

    /// <summary>Length of a host name (RFC 1035 section 2.3.4: 255 octets on the wire, of which two are not text).</summary>
    public const int HostNameCharsMax = 253;

    /// <summary>
    /// Bytes of a name that is looked up: the longest name with <c>*.</c> before it. Longer ones cannot be configured and are not looked
    /// up.
    /// </summary>
    public const int HostNameBytesMax = 2 + HostNameCharsMax;

    /// <summary>Length of one label of a host name (RFC 1035 section 2.3.4).</summary>
    public const int HostLabelCharsMax = 63;

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

    /// <summary>Characters of a backend's name: it is a label of metrics, and part of every line of its log.</summary>
    public const int BackendNameCharsMax = 64;

    /// <summary>Characters of a template's name: it is a label of metrics.</summary>
    public const int SessionTemplateCharsMax = 64;

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

    /// <summary>
    /// Smallest <c>memory_limit</c>: what 64 clients with large buffers in both directions hold. With less one client would be too much.
    /// </summary>
    public const long MemoryLimitBytesMin = 16L * 1024 * 1024;

    /// <summary>
    /// Bytes of an <c>env_file</c>: half of what Linux takes as arguments and environment of a program by default (2 MiB).
    /// </summary>
    public const int EnvironmentFileBytesMax = 1024 * 1024;

    /// <summary>Largest <c>max_connections_per_address</c> and its siblings: what a counter of 32 bits holds with room to spare.</summary>
    public const int PerAddressMax = 1_000_000_000;

    /// <summary>Codes and ranges that one <c>health_status</c> may list: there are 63 codes in the registry of HTTP.</summary>
    public const int StatusRangesMax = 64;

    /// <summary>Most cores of a limit: what Linux is built for at most.</summary>
    public const int CpusMax = 8192;

    /// <summary>Parts of a core of which a limit is at least one: the Docker engine accepts no less than a hundredth.</summary>
    public const int CpuShareMin = 100;
}
