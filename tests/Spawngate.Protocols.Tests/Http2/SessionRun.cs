using System.Buffers.Binary;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Http2.Hpack;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>A session with what came out of it, as text that can be compared.</summary>
internal sealed class SessionRun
{
    public static readonly HeadLimits Limits = new(8192, 32768, 100);

    private readonly List<byte> _unread = [];
    private readonly HpackDecoder _peerDecoder = new(CodecLimits.HpackTableBytes);
    private int _lastDataId;

    public SessionRun(HeadLimits? limits = null)
    {
        Session = new Http2Session(limits ?? Limits, 0);
        Head.Reset();
        Drain();
        Opening = [.. Sent];
        Sent.Clear();
    }

    public Http2Session Session { get; }

    public RequestHead Head { get; } = new();

    /// <summary>The time given to the session.</summary>
    public long NowMs { get; set; }

    /// <summary>False to hold data instead of consuming it at once.</summary>
    public bool Consumes { get; set; } = true;

    public List<string> Events { get; } = [];

    /// <summary>Frames that the session queued itself.</summary>
    public List<string> Sent { get; } = [];

    /// <summary>The first frames of the session.</summary>
    public string[] Opening { get; }

    /// <summary>Slots by stream id, until released.</summary>
    public Dictionary<int, int> Slots { get; } = [];

    /// <summary>What the last request looked like.</summary>
    public byte[] HeadBytes { get; private set; } = [];

    public static SessionRun Of(byte[] bytes, params int[] cuts)
    {
        var run = new SessionRun();
        int from = 0;
        foreach (int cut in cuts)
        {
            run.Feed(bytes[from..cut]);
            from = cut;
        }

        run.Feed(bytes[from..]);
        return run;
    }

    /// <summary>Reads to the end of the bytes, and takes what waits to be sent.</summary>
    public SessionRun Feed(params byte[] bytes)
    {
        _unread.AddRange(bytes);
        while (true)
        {
            // An array of exactly that length: a read past its end throws.
            byte[] input = [.. _unread];
            var kind = Session.Read(input, Head, NowMs, out int consumed, out var found);
            Assert.That(consumed, Is.InRange(0, input.Length));
            if (kind == Http2EventKind.Data)
            {
                Assert.That(found.Start + found.Length, Is.InRange(0, consumed), "the data lies in what was used up");
            }

            _unread.RemoveRange(0, consumed);
            Note(kind, found, input);
            if (kind is Http2EventKind.NeedMore or Http2EventKind.ConnectionError)
            {
                break;
            }

            Assert.That(consumed, Is.Positive, "an event uses bytes up");
        }

        Drain();
        return this;
    }

    public SessionRun Feed(ClientBytes client) => Feed(client.Take());

    /// <summary>Writes a response head and returns its fields as the peer decodes them.</summary>
    public (string Name, string Value)[] Respond(int id, int status, bool end, params (string Name, string Value)[] fields)
    {
        byte[] target = new byte[4096];
        var writer = Session.BeginHead(target, Slots[id]);
        writer.Status(status);
        foreach (var (name, value) in fields)
        {
            writer.Field(Latin(name), Latin(value));
        }

        int length = Session.EndHead(Slots[id], ref writer, end);
        var header = FrameHeader.Read(target);
        Assert.That((header.StreamId, header.Length + FrameHeader.Size), Is.EqualTo((id, length)));
        Assert.That(header.Flags, Is.EqualTo(FrameFlags.EndHeaders | (end ? FrameFlags.EndStream : 0)));
        return [.. Decode(_peerDecoder, target[FrameHeader.Size..length])!];
    }

    public void SendData(int id, int length, bool end)
    {
        byte[] target = new byte[Http2Session.DataHeaderSize];
        Session.WriteDataHeader(target, Slots[id], length, end);
        Assert.That(
            FrameHeader.Read(target),
            Is.EqualTo(new FrameHeader(length, FrameType.Data, end ? FrameFlags.EndStream : FrameFlags.None, id))
        );
    }

    public void Release(int id)
    {
        Session.Release(Slots[id]);
        Slots.Remove(id);
    }

    /// <summary>Answers a stream completely and gives its slot back.</summary>
    public void Finish(int id)
    {
        Respond(id, 200, end: true);
        Release(id);
    }

    public void Drain()
    {
        byte[] bytes = new byte[CodecLimits.ControlBytesMax];
        int length;
        while ((length = Session.WriteControl(bytes)) > 0)
        {
            for (int at = 0; at < length; at += FrameHeader.Size + FrameHeader.Read(bytes.AsSpan(at)).Length)
            {
                Sent.Add(DescribeFrame(bytes.AsSpan(at)));
            }
        }
    }

    public override string ToString() => string.Join('\n', Events) + "\n--\n" + string.Join('\n', Sent);

    private void Note(Http2EventKind kind, in Http2Event found, byte[] input)
    {
        string text = kind switch
        {
            Http2EventKind.NeedMore => "",
            Http2EventKind.Request =>
                $"request {found.StreamId}{(found.EndStream ? " end" : "")}{(found.IsTunnel ? " tunnel" : "")} {Lines()}",
            Http2EventKind.RequestRefused => $"refused {found.StreamId} {Head.Fault}",
            Http2EventKind.Data => $"data {found.StreamId} {Latin(input.AsSpan(found.Start, found.Length))}",
            Http2EventKind.Trailers => $"trailers {found.StreamId} {Lines()}",
            Http2EventKind.StreamReset => $"reset {found.StreamId} {found.Code}{(found.ByPeer ? " by peer" : "")}{Reason(found)}",
            Http2EventKind.StreamRefused => $"unopened {found.StreamId} {found.Code}{Reason(found)}",
            Http2EventKind.WindowOpened => $"window {(found.Slot < 0 ? 0 : found.StreamId)}",
            Http2EventKind.PriorityChanged => $"priority {found.StreamId} {Session.Stream(found.Slot).Priority.Urgency} "
                + $"{Session.Stream(found.Slot).Priority.Incremental}",
            Http2EventKind.Settings => "settings",
            Http2EventKind.PingAck => $"pong {found.Opaque}",
            Http2EventKind.GoAway => $"goaway {found.Code}",
            _ => $"error {found.Code}",
        };
        if (kind is Http2EventKind.Request or Http2EventKind.RequestRefused)
        {
            Slots[found.StreamId] = found.Slot;
            HeadBytes = [.. Session.HeadBytes];
        }

        if (kind == Http2EventKind.Data)
        {
            NoteData(found, text);
            return;
        }

        _lastDataId = kind == Http2EventKind.NeedMore ? _lastDataId : 0;
        if (text.Length > 0 && (kind != Http2EventKind.ConnectionError || !Events.Contains(text)))
        {
            Events.Add(text);
        }
    }

    /// <summary>Slices of one body become one line, wherever the input was cut.</summary>
    private void NoteData(in Http2Event found, string text)
    {
        if (Consumes)
        {
            Session.ConsumeData(found.Slot, found.Length);
        }

        if (_lastDataId == found.StreamId)
        {
            Events[^1] += text[$"data {found.StreamId} ".Length..];
        }
        else
        {
            Events.Add(text);
        }

        _lastDataId = found.EndStream ? 0 : found.StreamId;
        Events[^1] += found.EndStream ? " end" : "";
    }

    private static string Reason(in Http2Event found) => found.Malformed == MalformedReason.None ? "" : " " + found.Malformed;

    private string Lines() => Latin(Session.HeadBytes).Replace("\r\n", "|", StringComparison.Ordinal);

    private static string DescribeFrame(ReadOnlySpan<byte> bytes)
    {
        var header = FrameHeader.Read(bytes);
        var payload = bytes[FrameHeader.Size..];
        return header.Type switch
        {
            FrameType.Settings when (header.Flags & FrameFlags.Ack) != 0 => "SETTINGS ACK",
            FrameType.Settings => $"SETTINGS {header.Length / 6}",
            FrameType.Ping => $"PING{(header.Flags != 0 ? " ACK" : "")} {BinaryPrimitives.ReadUInt64BigEndian(payload)}",
            FrameType.GoAway =>
                $"GOAWAY {BinaryPrimitives.ReadInt32BigEndian(payload)} {(ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload[4..])}",
            FrameType.ResetStream => $"RST {header.StreamId} {(ErrorCode)BinaryPrimitives.ReadUInt32BigEndian(payload)}",
            FrameType.WindowUpdate => $"WINDOW {header.StreamId} +{BinaryPrimitives.ReadInt32BigEndian(payload)}",
            _ => header.ToString(),
        };
    }
}
