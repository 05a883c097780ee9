namespace Spawngate.Telemetry;

/// <summary>
/// What went through one backend since the gateway started. Made with its first request, so that one which is never used costs nothing.
/// </summary>
/// <remarks>
/// <code>
///   cells   requests: protocol × status class │ body bytes in, out │ connections opened │ requests sent twice
///           │ connections with bytes unasked for │ sent │ turned away │ upstream latency: buckets, sum
/// </code>
/// </remarks>
/// <param name="sum">Where everything is counted as well; null for nowhere.</param>
internal sealed class BackendTraffic(BackendTraffic? sum = null)
{
    /// <summary>Status classes: none, 1xx to 5xx.</summary>
    public const int Classes = 6;

    /// <summary>Protocols of clients, as <see cref="ReceivedProtocol"/>.</summary>
    public const int Protocols = 2;

    private const int RequestBytesCell = Classes * Protocols;
    private const int ResponseBytesCell = RequestBytesCell + 1;
    private const int OpenedCell = ResponseBytesCell + 1;
    private const int RetriedCell = OpenedCell + 1;
    private const int UnsolicitedCell = RetriedCell + 1;
    private const int SentCell = UnsolicitedCell + 1;
    private const int TurnedAwayCell = SentCell + 1;
    private const int LatencyCell = TurnedAwayCell + 1;

    private static int s_made;
    private readonly Stripes _cells = new(LatencyCell + Buckets.Upstream.Cells);
    private int _tunnels;

    /// <summary>How many were made before this one: those that come first get series of their own.</summary>
    public int Ordinal { get; } = Interlocked.Increment(ref s_made);

    /// <summary>Open tunnels.</summary>
    public int Tunnels => Volatile.Read(ref _tunnels);

    /// <summary>Bytes that it holds.</summary>
    public int Bytes => _cells.Bytes;

    /// <summary>A tunnel opens (1) or ends (-1).</summary>
    public void ChangeTunnels(int by)
    {
        Interlocked.Add(ref _tunnels, by);
        sum?.ChangeTunnels(by);
    }

    /// <summary>A request was answered, or ended without an answer.</summary>
    /// <param name="protocol">How it was received.</param>
    /// <param name="status">What the client was told; 0 when nothing.</param>
    /// <param name="requestBytes">Bytes of its body.</param>
    /// <param name="responseBytes">Bytes of the answer's body.</param>
    public void Count(ReceivedProtocol protocol, int status, long requestBytes, long responseBytes)
    {
        int row = _cells.Row;
        _cells.Add(row, RequestCell(protocol, ClassOf(status)), 1);
        if (requestBytes > 0)
        {
            _cells.Add(row, RequestBytesCell, requestBytes);
        }

        if (responseBytes > 0)
        {
            _cells.Add(row, ResponseBytesCell, responseBytes);
        }

        sum?.Count(protocol, status, requestBytes, responseBytes);
    }

    /// <summary>The backend answered so long after it was sent a request.</summary>
    public void CountAnswer(long ticks)
    {
        int row = _cells.Row;
        _cells.Add(row, LatencyCell + Buckets.Upstream.Find(ticks), 1);
        _cells.Add(row, LatencyCell + Buckets.Upstream.SumCell, ticks);
        sum?.CountAnswer(ticks);
    }

    /// <summary>A request was given a connection.</summary>
    public void CountSent() => CountOne(SentCell);

    /// <summary>A new connection was made for it.</summary>
    public void CountOpened() => CountOne(OpenedCell);

    /// <summary>It was sent a second time.</summary>
    public void CountRetried() => CountOne(RetriedCell);

    /// <summary>A connection was closed because of bytes that no request had asked for.</summary>
    public void CountUnsolicited() => CountOne(UnsolicitedCell);

    /// <summary>It was turned away, because it does not wake the backend.</summary>
    public void CountTurnedAway() => CountOne(TurnedAwayCell);

    /// <summary>Requests by protocol and status class.</summary>
    public long Requests(ReceivedProtocol protocol, int statusClass) => _cells.Read(RequestCell(protocol, statusClass));

    /// <summary>All requests.</summary>
    public long RequestsTotal
    {
        get
        {
            long sum = 0;
            for (int cell = 0; cell < RequestBytesCell; cell++)
            {
                sum += _cells.Read(cell);
            }

            return sum;
        }
    }

    /// <summary>Bytes of request bodies.</summary>
    public long RequestBytes => _cells.Read(RequestBytesCell);

    /// <summary>Bytes of response bodies.</summary>
    public long ResponseBytes => _cells.Read(ResponseBytesCell);

    /// <summary>Connections opened to it.</summary>
    public long Opened => _cells.Read(OpenedCell);

    /// <summary>Requests that went over a connection which was there already.</summary>
    public long Reused => Math.Max(0, _cells.Read(SentCell) - Opened);

    /// <summary>Requests sent a second time.</summary>
    public long Retried => _cells.Read(RetriedCell);

    /// <summary>Connections closed because of bytes that no request had asked for.</summary>
    public long Unsolicited => _cells.Read(UnsolicitedCell);

    /// <summary>Requests turned away because they do not wake the backend.</summary>
    public long TurnedAway => _cells.Read(TurnedAwayCell);

    /// <summary>Answers of the backend itself.</summary>
    public long Answers
    {
        get
        {
            long sum = 0;
            for (int cell = 0; cell < Buckets.Upstream.SumCell; cell++)
            {
                sum += Latency(cell);
            }

            return sum;
        }
    }

    /// <summary>A cell of the latency histogram, see <see cref="Buckets"/>.</summary>
    public long Latency(int cell) => _cells.Read(LatencyCell + cell);

    private void CountOne(int cell)
    {
        _cells.Add(cell, 1);
        sum?.CountOne(cell);
    }

    private static int ClassOf(int status) => status is >= 100 and < 600 ? status / 100 : 0;

    private static int RequestCell(ReceivedProtocol protocol, int statusClass) => ((int)protocol * Classes) + statusClass;
}
