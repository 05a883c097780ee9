namespace Spawngate;

/// <summary>Every bound of the program in one place, each with the reasoning behind its value.</summary>
internal static class Limits
{
    /// <summary>Period of the coarse clock in milliseconds: a tenth of the shortest configurable time (1 s), so deadlines are exact to 10 %.</summary>
    public const int ClockTickMs = 100;

    // Configuration.

    /// <summary>Bytes read from a configuration file at a time: 64 KiB, most files in one go.</summary>
    public const int ConfigReadChunkBytes = 64 * 1024;

    /// <summary>Size of a configuration file in bytes, 64 MiB: 100,000 backends with every key set (600 bytes each) fit.</summary>
    public const int ConfigFileBytesMax = 64 * 1024 * 1024;

    /// <summary>Depth of tables and arrays in a configuration file: the deepest key, <c>backends.HOST.args[N]</c>, needs 4, and 64 recursions need little stack.</summary>
    public const int ConfigDepthMax = 64;

    /// <summary>Syntax errors after which a configuration file is not read further: more than anyone fixes in one go, few enough to print.</summary>
    public const int ConfigSyntaxErrorsMax = 1000;

    /// <summary>Characters of a found value that an error message shows: with position and path the message still fits in a few lines.</summary>
    public const int ConfigShownCharsMax = 60;

    /// <summary>Length of an unknown key up to which similar keys are looked for: twice the longest key (30), so that the comparison (length²) stays trivial.</summary>
    public const int ConfigSuggestionCharsMax = 60;

    /// <summary>Allowed keys that an unknown-key message lists: all of [server] (14) or [defaults] (10) fit in two lines, those of a backend (22) do not.</summary>
    public const int ConfigListedKeysMax = 16;

    /// <summary>Highest TCP port: the field has 16 bits (RFC 9293 section 3.1).</summary>
    public const int PortMax = 65535;

    /// <summary>Longest configurable time in seconds, 68 years; in milliseconds it needs 64 bits.</summary>
    public const int ConfigSecsMax = int.MaxValue;

    /// <summary>Longest configurable interval in milliseconds, 24 days.</summary>
    public const int ConfigMillisecsMax = int.MaxValue;

    /// <summary>Idle connections kept per backend at most: a loopback address has no more ports (2^16) to connect from.</summary>
    public const int PoolIdlePerHostMax = 65535;

    /// <summary>Client connections at most: twice the largest default of Linux for open files of a process (fs.nr_open, 2^20), as each may need one to the backend.</summary>
    public const int ConnectionsMax = 2 * 1024 * 1024;

    /// <summary>Smallest bound of a request head in bytes: a request line, Host and a few short headers.</summary>
    public const int HeaderBytesMin = 1024;

    /// <summary>Largest bound of a request head in bytes, 1 MiB: with 1,000 connections sending heads at once, 1 GiB.</summary>
    public const int HeaderBytesMax = 1024 * 1024;

    /// <summary>Largest bound of the number of header fields: at the least 4 bytes each (<c>a:</c> CR LF), 16,384 take 64 KiB of the head.</summary>
    public const int HeadersMax = 16384;

    /// <summary>Largest configurable queue of held requests per backend: one per possible connection would be <see cref="ConnectionsMax"/>, half of it is a million.</summary>
    public const int QueuedRequestsMax = 1024 * 1024;

    /// <summary>Largest count of failed health checks in a row: at the default interval (5 s) a million take two months.</summary>
    public const int UnhealthyThresholdMax = 1_000_000;

    /// <summary>Smallest memory limit the Docker engine accepts, 6 MiB.</summary>
    public const long DockerMemoryBytesMin = 6L * 1024 * 1024;

    /// <summary>Smallest CPU limit the Docker engine accepts: a hundredth of a core, in billionths of a core.</summary>
    public const long DockerNanoCpusMin = 10_000_000;

    /// <summary>Largest CPU limit: 8,192 cores, the most that Linux is built for, in billionths of a core.</summary>
    public const long DockerNanoCpusMax = 8192L * 1_000_000_000;

    /// <summary>Length of a host name (RFC 1035 section 2.3.4: 255 octets on the wire, of which two are not text).</summary>
    public const int HostNameCharsMax = 253;

    /// <summary>Length of one label of a host name (RFC 1035 section 2.3.4).</summary>
    public const int HostLabelCharsMax = 63;
}
