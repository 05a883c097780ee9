using System.Runtime.InteropServices;
using System.Text;
using Spawngate.Backends;
using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Overload;
using Spawngate.Platform;
using Spawngate.Protocols.Http1;
using Spawngate.Routing;
using Spawngate.Runtime;
using Spawngate.Telemetry;

namespace Spawngate.Forwarding;

/// <summary>What the system has nothing left of for a connection to a backend.</summary>
internal enum SocketShortage : byte
{
    /// <summary>Nothing is short.</summary>
    None,

    /// <summary>File descriptors.</summary>
    Descriptors,

    /// <summary>Local ports towards the backend's address and port.</summary>
    Ports,
}

/// <summary>What all connections share to forward requests.</summary>
internal sealed class ForwardingContext
{
    private readonly ulong _idPrefix;
    private long _idCounter;
    private byte[] _date = [];
    private long _dateSecond;
    private readonly FailureEpisode _noSocket;

    /// <summary>Makes the context of one gateway.</summary>
    public ForwardingContext(ServerConfig server, BackendSet backends, TimeProvider time, CoarseClock clock, ILogger log)
    {
        Time = time;
        Server = server;
        Backends = backends;
        Traffic = backends.Traffic;
        Clock = clock;
        ClientLimits = new ClientLimits(server, time);
        Log = log;
        RequestLimits = new HeadLimits(ConfigLimits.RequestLineBytesMax, server.MaxHeaderBytes, server.MaxHeaders);

        // Random, so that two gateways in a row do not take each other for a loop, and ids of two runs never meet.
        Span<byte> random = stackalloc byte[12];
        Entropy.Fill(random);
        _idPrefix = MemoryMarshal.Read<ulong>(random);
        Pseudonym = Encoding.ASCII.GetBytes($"spawngate-{Convert.ToHexStringLower(random[8..])}-");
        Via = Encoding.ASCII.GetBytes($"1.1 {Encoding.ASCII.GetString(Pseudonym)}");
        ViaHttp2 = Encoding.ASCII.GetBytes($"2.0 {Encoding.ASCII.GetString(Pseudonym)}");
        ViaHttp10 = Encoding.ASCII.GetBytes($"1.0 {Encoding.ASCII.GetString(Pseudonym)}");
        _noSocket = new FailureEpisode(
            time,
            error => ForwardingLog.NoSocket(log, error),
            (error, failures, ms) => ForwardingLog.StillNoSocket(log, error, failures, ms),
            (failures, ms) => ForwardingLog.SocketsAgain(log, failures, ms)
        );
        RenewDate();
        clock.Tick += RenewDate;
    }

    /// <summary>Server settings.</summary>
    public ServerConfig Server { get; }

    /// <summary>Finds the backend of a host.</summary>
    public BackendSet Backends { get; }

    /// <summary>Who may come in, as far as client addresses decide.</summary>
    public ClientLimits ClientLimits { get; }

    /// <summary>What is counted.</summary>
    public GatewayTraffic Traffic { get; }

    /// <summary>Exact time.</summary>
    public TimeProvider Time { get; }

    /// <summary>Coarse time.</summary>
    public CoarseClock Clock { get; }

    /// <summary>Log of category <c>spawngate.forwarding</c>.</summary>
    public ILogger Log { get; }

    /// <summary>Bounds the lines about clients that are cut.</summary>
    public NoticeLimit ClientNotices { get; } = new();

    /// <summary>Takes finished requests for the access log and traces; null when there is neither.</summary>
    public RequestObserver? Observer { get; init; }

    /// <summary>The last line that a backend wrote, if any.</summary>
    public Func<string, OutputLine?> LastLine { get; init; } = static _ => null;

    /// <summary>Bounds of request heads.</summary>
    public HeadLimits RequestLimits { get; }

    /// <summary>Bounds of response heads.</summary>
    public static HeadLimits ResponseLimits =>
        new(ForwardingLimits.ResponseHeadBytesMax, ForwardingLimits.ResponseHeadBytesMax, ForwardingLimits.ResponseFieldsMax);

    /// <summary>Our name in Via, up to the <see cref="ViaMark"/> of a backend: together they tell a loop.</summary>
    public byte[] Pseudonym { get; }

    /// <summary>Our Via value for a request that was received as HTTP/1.1, up to the mark, as are the others.</summary>
    public byte[] Via { get; }

    /// <summary>Our Via value for a request that was received as HTTP/2.</summary>
    public byte[] ViaHttp2 { get; }

    /// <summary>Our Via value for a request that was received as HTTP/1.0.</summary>
    public byte[] ViaHttp10 { get; }

    /// <summary>The time as a Date field says it, renewed once a second by the coarse clock.</summary>
    public ReadOnlySpan<byte> Date => Volatile.Read(ref _date);

    /// <summary>
    /// When a deadline so many milliseconds from now is due, on the coarse clock; one tick more, since that may be so old. 0 means never.
    /// </summary>
    public long DueIn(long ms) => ms == 0 ? long.MaxValue >> 3 : Clock.NowMs + ms + RuntimeLimits.ClockTickMs;

    /// <summary>
    /// Notes that a request was refused because the system has nothing left for a connection to its backend. Returns the seconds after
    /// which it may be tried again.
    /// </summary>
    /// <param name="hostname">The backend.</param>
    /// <param name="shortage">What there is none of.</param>
    public int NoteNoSocket(string hostname, SocketShortage shortage)
    {
        _noSocket.Add($"{hostname}: {(shortage == SocketShortage.Ports ? EphemeralPorts.NoneLeft : OpenFiles.NoneLeft)}");
        return ForwardingLimits.OverloadedRetrySecs;
    }

    /// <summary>Writes a new unique request id of 32 hex digits: 64 random bits of this process and a counter.</summary>
    public int WriteRequestId(Span<byte> target)
    {
        ulong number = (ulong)Interlocked.Increment(ref _idCounter);
        System.Buffers.Text.Utf8Formatter.TryFormat(_idPrefix, target, out int first, new System.Buffers.StandardFormat('x', 16));
        System.Buffers.Text.Utf8Formatter.TryFormat(number, target[first..], out int second, new System.Buffers.StandardFormat('x', 16));
        return first + second;
    }

    private void RenewDate()
    {
        var now = Time.GetUtcNow();
        long second = now.ToUnixTimeSeconds();
        if (second != _dateSecond)
        {
            _dateSecond = second;
            Volatile.Write(ref _date, Encoding.ASCII.GetBytes(now.ToString("R", System.Globalization.CultureInfo.InvariantCulture)));
        }
    }
}
