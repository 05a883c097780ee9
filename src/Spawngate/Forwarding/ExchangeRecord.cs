using System.Text;
using Spawngate.Backends;
using Spawngate.Protocols.Http1;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Forwarding;

/// <summary>How far an exchange is, for those who ask what holds a backend.</summary>
internal enum ExchangeStage : byte
{
    /// <summary>It is held until the backend is ready and has room.</summary>
    Waiting,

    /// <summary>The backend has it.</summary>
    Request,

    /// <summary>It has become a tunnel.</summary>
    Tunnel,
}

/// <summary>
/// What is noted of an exchange for others to look at while it lasts: the head's own bytes are soon gone. Its connection writes it, without
/// a lock or an allocation; anybody may read it, and notices by the serial number when it changed meanwhile.
/// </summary>
internal sealed class ExchangeRecord : RequestTimings
{
    private readonly byte[] _text = new byte[HistoryLimits.ShortTextBytes + HistoryLimits.PathBytes];
    private byte[]? _host;
    private ushort _hostLength;
    private int _serial;
    private Backend? _backend;
    private ClientIdentity? _client;
    private long _startedMs;
    private byte _methodLength;
    private byte _pathLength;
    private ReceivedProtocol _protocol;
    private bool _noWake;
    private volatile ExchangeStage _stage;

    /// <summary>How far it is.</summary>
    public ExchangeStage Stage
    {
        get => _stage;
        set => _stage = value;
    }

    /// <summary>The status that the client was told; 0 before.</summary>
    public int Status { get; set; }

    /// <summary>Whether the gateway answered itself.</summary>
    public bool HasAnswer { get; private set; }

    /// <summary>The error that it answered; none when it was a page, when the answer is the backend's, or there is none.</summary>
    public ProxyError Answer { get; private set; }

    /// <summary>Bytes of that answer's body.</summary>
    public int AnswerBytes { get; private set; }

    /// <summary>Whether the stream was reset in the place of an answer.</summary>
    public bool IsReset { get; private set; }

    /// <summary>Forgets the last exchange.</summary>
    public void Reset()
    {
        Status = AnswerBytes = 0;
        HasAnswer = IsReset = false;
        Answer = ProxyError.None;
        _stage = ExchangeStage.Waiting;
        ResetTimings();
    }

    /// <summary>The gateway answers itself.</summary>
    public void SetAnswer(ProxyError error, int bytes)
    {
        Status = ProxyErrors.Status(error);
        HasAnswer = true;
        Answer = error;
        AnswerBytes = bytes;
    }

    /// <summary>The client's own fault had its stream reset: noted as what HTTP/1.1 would have answered.</summary>
    public void SetReset(int status, ProxyError error)
    {
        Status = status;
        HasAnswer = IsReset = true;
        Answer = error;
        AnswerBytes = 0;
    }

    /// <summary>Begins with a request that is routed.</summary>
    public void Begin(
        Backend backend,
        RequestHead request,
        ReadOnlySpan<byte> head,
        ClientIdentity client,
        ReceivedProtocol protocol,
        bool noWake,
        long nowMs
    )
    {
        // Odd while it is being written. With a fence: no write below may be seen before this one.
        Interlocked.Increment(ref _serial);
        _client = client;
        _startedMs = nowMs;
        _protocol = protocol;
        _noWake = noWake;
        _stage = ExchangeStage.Waiting;
        _methodLength = (byte)Copy(request.MethodBytes(head), _text.AsSpan(0, HistoryLimits.ShortTextBytes));
        _pathLength = (byte)Copy(PathOf(request, head), _text.AsSpan(HistoryLimits.ShortTextBytes));
        _hostLength = backend.Config.Route.IsExact ? (ushort)0 : CopyHost(request, head);
        _backend = backend;
        Volatile.Write(ref _serial, _serial + 1);
    }

    /// <summary>Notes for the log what a request is that is refused before it has a backend, or keeps none.</summary>
    public void NoteRefused(RequestHead request, ReadOnlySpan<byte> head)
    {
        Interlocked.Increment(ref _serial);
        _methodLength = (byte)Copy(request.MethodBytes(head), _text.AsSpan(0, HistoryLimits.ShortTextBytes));
        _pathLength = (byte)Copy(PathOf(request, head), _text.AsSpan(HistoryLimits.ShortTextBytes));
        _hostLength = CopyHost(request, head);
        Volatile.Write(ref _serial, _serial + 1);
    }

    /// <summary>What the log says of it, from any thread; null when it changed meanwhile.</summary>
    /// <param name="backend">Its backend, if it has one.</param>
    public RequestLine? ToLine(Backend? backend)
    {
        int serial = Volatile.Read(ref _serial);
        string host =
            _hostLength > 0 && _host is { } bytes ? Encoding.ASCII.GetString(bytes, 0, _hostLength)
            : backend is null ? ""
            : backend.Config.Hostname;
        var line = new RequestLine(
            host,
            Encoding.ASCII.GetString(_text, 0, _methodLength),
            Encoding.ASCII.GetString(_text, HistoryLimits.ShortTextBytes, _pathLength) + (_pathLength == HistoryLimits.PathBytes ? "…" : "")
        );
        Interlocked.MemoryBarrier();
        return (serial & 1) == 0 && Volatile.Read(ref _serial) == serial ? line : null;
    }

    /// <summary>The exchange is over.</summary>
    public void End() => Volatile.Write(ref _backend, null);

    /// <summary>Adds it to what holds a backend, if it does.</summary>
    /// <param name="search">Who looks.</param>
    /// <param name="tunnel">How it counts as a tunnel; null for one that always does, and for what is none.</param>
    public void AddTo(ActiveRequestSearch search, WatchedTunnel? tunnel)
    {
        int serial = Volatile.Read(ref _serial);
        if (
            (serial & 1) != 0
            || !ReferenceEquals(Volatile.Read(ref _backend), search.Backend)
            || !search.Wants(_startedMs, _noWake || tunnel is { IsQuiet: true })
            || _client is not { } client
        )
        {
            return;
        }

        var kind = _stage switch
        {
            ExchangeStage.Waiting => "waiting",
            ExchangeStage.Request => "request",
            _ => "tunnel",
        };
        var active = new ActiveRequest(
            kind,
            _protocol == ReceivedProtocol.Http2 ? "http/2" : "http/1.1",
            Encoding.ASCII.GetString(_text, 0, _methodLength),
            Encoding.ASCII.GetString(_text, HistoryLimits.ShortTextBytes, _pathLength),
            client.Text,
            search.AgeSecs(_startedMs),
            _noWake
        )
        {
            QuietSecs = tunnel is null ? null : search.AgeSecs(tunnel.LastDataMs),
            IsQuiet = tunnel is { IsQuiet: true },
        };
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _serial) == serial)
        {
            search.Add(active);
        }
    }

    /// <summary>The target's path, without a query.</summary>
    public static ReadOnlySpan<byte> PathOf(RequestHead request, ReadOnlySpan<byte> head)
    {
        var target = request.Target(head);
        int query = target.IndexOf((byte)'?');
        return query < 0 ? target : target[..query];
    }

    /// <summary>Who sent a request, for the history of the backend that it wakes; on the cold path.</summary>
    public static HistoryCaller CallerOf(RequestHead request, ReadOnlySpan<byte> head, ClientIdentity client)
    {
        string? agent = null;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (agent is null && Grammar.EqualsIgnoreCase(field.Name(head), "user-agent"u8))
            {
                agent = Ascii(field.Value(head), HistoryLimits.TextBytes);
            }
        }

        return new HistoryCaller(
            Ascii(request.MethodBytes(head), HistoryLimits.ShortTextBytes),
            Ascii(PathOf(request, head), HistoryLimits.PathBytes),
            client.Text,
            agent
        );

        static string Ascii(ReadOnlySpan<byte> bytes, int bytesMax) => Encoding.ASCII.GetString(bytes[..Math.Min(bytes.Length, bytesMax)]);
    }

    private ushort CopyHost(RequestHead request, ReadOnlySpan<byte> head) =>
        request.HostLength == 0 ? (ushort)0 : (ushort)Copy(request.Host(head), _host ??= new byte[ForwardingLimits.LoggedHostBytesMax]);

    private static int Copy(ReadOnlySpan<byte> text, Span<byte> target)
    {
        int length = Math.Min(text.Length, target.Length);
        text[..length].CopyTo(target);
        return length;
    }
}

/// <summary>What the log says of a request, each part bounded.</summary>
/// <param name="Host">Its host; empty for none.</param>
/// <param name="Method">Its method.</param>
/// <param name="Path">Its path without a query.</param>
internal readonly record struct RequestLine(string Host, string Method, string Path);

/// <summary>
/// Collects what holds a backend: so many of its open requests and tunnels, those that count as use before those that do not, and of them
/// those that came first.
/// </summary>
/// <param name="backend">The backend.</param>
/// <param name="max">How many are wanted.</param>
/// <param name="nowMs">The time on the coarse clock.</param>
internal sealed class ActiveRequestSearch(Backend backend, int max, long nowMs)
{
    private readonly List<ActiveRequest> _found = [];

    /// <summary>The backend.</summary>
    public Backend Backend => backend;

    /// <summary>What was found, in that order.</summary>
    public IReadOnlyList<ActiveRequest> Found => _found;

    /// <summary>Whether one that came at that time would be listed.</summary>
    public bool Wants(long startedMs, bool isPassive) => _found.Count < max || GoesBefore(AgeSecs(startedMs), isPassive, _found[^1]);

    /// <summary>The age of one that came at that time.</summary>
    public double AgeSecs(long startedMs) => Math.Max(0, nowMs - startedMs) / 1000.0;

    /// <summary>Adds one, in the place of a younger one when there are enough.</summary>
    public void Add(ActiveRequest active)
    {
        int place = _found.FindIndex(other => GoesBefore(active.AgeSecs, active.IsPassive, other));
        _found.Insert(place < 0 ? _found.Count : place, active);
        if (_found.Count > max)
        {
            _found.RemoveAt(max);
        }
    }

    private static bool GoesBefore(double ageSecs, bool isPassive, ActiveRequest other) =>
        isPassive == other.IsPassive ? ageSecs > other.AgeSecs : other.IsPassive;
}
