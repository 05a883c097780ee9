using System.Numerics;
using Spawngate.Protocols.Http1;

namespace Spawngate.Telemetry;

/// <summary>
/// What the access log and traces will say of a request, copied while its head is there. Belongs to the exchange's heads and keeps its
/// memory for the next request.
/// </summary>
/// <remarks>
/// <code>
///   method │ target │ host │ referer │ user agent │ forwarded for       one array, each part with its length
///   line                                                                a head that was refused: its first line as it came
/// </code>
/// </remarks>
internal sealed class RequestNote
{
    private byte[] _text = [];
    private int _used;
    private (int Start, int Length) _method,
        _target,
        _host,
        _referer,
        _userAgent,
        _forwardedFor,
        _line;

    /// <summary>Whether it is about a request whose head could be read: such a one is logged whether or not it was answered.</summary>
    public bool IsRequest { get; private set; }

    /// <summary>Whether it is about anything.</summary>
    public bool IsTaken => Client is not null;

    /// <summary>The peer.</summary>
    public Peer? Client { get; private set; }

    /// <summary>Exact time at which the head was there.</summary>
    public long TakenTimestamp { get; private set; }

    /// <summary>The protocol as a request line says it; empty when it is not known.</summary>
    public ReadOnlySpan<byte> Protocol =>
        !IsRequest
            ? default
            : _protocol switch
            {
                2 => "HTTP/2.0"u8,
                1 => "HTTP/1.1"u8,
                _ => "HTTP/1.0"u8,
            };

    /// <summary>Whether it came by HTTP/2.</summary>
    public bool IsHttp2 => _protocol == 2;

    /// <summary>The method.</summary>
    public ReadOnlySpan<byte> Method => Text(_method);

    /// <summary>The target with its query.</summary>
    public ReadOnlySpan<byte> Target => Text(_target);

    /// <summary>The host that routed it.</summary>
    public ReadOnlySpan<byte> Host => Text(_host);

    /// <summary>Referer; empty for none.</summary>
    public ReadOnlySpan<byte> Referer => Text(_referer);

    /// <summary>User-Agent; empty for none.</summary>
    public ReadOnlySpan<byte> UserAgent => Text(_userAgent);

    /// <summary>X-Forwarded-For of a trusted peer; empty for none.</summary>
    public ReadOnlySpan<byte> ForwardedFor => Text(_forwardedFor);

    /// <summary>The first line of a head that was refused.</summary>
    public ReadOnlySpan<byte> Line => Text(_line);

    /// <summary>The trace that it belongs to; null unless there are traces.</summary>
    public TraceContext? Trace { get; set; }

    /// <summary>Bytes of all texts.</summary>
    public int TextBytes => _used;

    private int _protocol;

    /// <summary>Notes a request.</summary>
    public void Take(RequestHead request, ReadOnlySpan<byte> head, Peer client, ReceivedProtocol protocol, long timestamp)
    {
        Begin(client, timestamp);
        IsRequest = true;
        _protocol = protocol == ReceivedProtocol.Http2 ? 2 : request.MinorVersion;
        _method = Add(request.MethodBytes(head), TelemetryLimits.NoteMethodBytes);
        _target = Add(request.Target(head), TelemetryLimits.NoteTargetBytes);
        _host = Add(request.Host(head), TelemetryLimits.NoteHostBytes);
        foreach (ref readonly var field in request.Fields.Fields)
        {
            if (field.Known == KnownHeader.ForwardedFor)
            {
                _forwardedFor =
                    client.IsTrusted && _forwardedFor.Length == 0 ? Add(field.Value(head), TelemetryLimits.NoteFieldBytes) : _forwardedFor;
            }
            else if (field.Known == KnownHeader.None)
            {
                TakeField(field.Name(head), field.Value(head));
            }
        }
    }

    /// <summary>Notes a head that was refused: its first line is all that can be said of it.</summary>
    /// <param name="received">What the client sent; empty when that is not there as text.</param>
    /// <param name="client">The peer.</param>
    /// <param name="timestamp">Exact time.</param>
    public void TakeRefused(ReadOnlySpan<byte> received, Peer client, long timestamp)
    {
        Begin(client, timestamp);
        received = received.TrimStart("\r\n"u8);
        int end = received.IndexOfAny("\r\n"u8);
        _line = Add(end < 0 ? received : received[..end], TelemetryLimits.NoteTargetBytes);
    }

    /// <summary>Forgets it.</summary>
    public void Forget()
    {
        Client = null;
        IsRequest = false;
    }

    private void Begin(Peer client, long timestamp)
    {
        Client = client;
        TakenTimestamp = timestamp;
        IsRequest = false;
        _used = 0;
        _method = _target = _host = _referer = _userAgent = _forwardedFor = _line = default;
    }

    private void TakeField(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (name.Length == 10 && _userAgent.Length == 0 && Grammar.EqualsIgnoreCase(name, "user-agent"u8))
        {
            _userAgent = Add(value, TelemetryLimits.NoteFieldBytes);
        }
        else if (name.Length == 7 && _referer.Length == 0 && Grammar.EqualsIgnoreCase(name, "referer"u8))
        {
            _referer = Add(value, TelemetryLimits.NoteFieldBytes);
        }
    }

    private (int Start, int Length) Add(ReadOnlySpan<byte> text, int bytesMax)
    {
        text = text.Length > bytesMax ? text[..bytesMax] : text;
        if (_used + text.Length > _text.Length)
        {
            Array.Resize(
                ref _text,
                (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(TelemetryLimits.NoteFirstBytes, _used + text.Length))
            );
        }

        text.CopyTo(_text.AsSpan(_used));
        _used += text.Length;
        return (_used - text.Length, text.Length);
    }

    private ReadOnlySpan<byte> Text((int Start, int Length) part) => _text.AsSpan(part.Start, part.Length);
}
