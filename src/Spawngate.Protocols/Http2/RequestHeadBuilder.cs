using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Protocols.Http2;

/// <summary>
/// Makes an HTTP/1.1 head of a decoded field section (RFC 9113 section 8.3.1): the bytes as <see cref="RequestHeadParser"/> would read
/// them, and the <see cref="RequestHead"/> that it would have filled, in one pass.
/// </summary>
/// <remarks>
/// <code>
///  buffer:  :method :path … as they come │ request-line CRLF │ Host CRLF │ fields CRLF … │ framing CRLF │ CRLF
///           └ put aside                  └ the head begins with the first regular field
/// </code>
/// A fault of the first kind, <see cref="Malformed"/>, makes the request one that must not be answered; one of the second, the head's
/// <see cref="RequestHead.Fault"/>, is answered like over HTTP/1.1. After either no more is written, but what would make it malformed is
/// still found.
/// </remarks>
internal sealed class RequestHeadBuilder(HeadLimits limits)
{
    private readonly byte[] _webSocketKey = [.. "AAAAAAAAAAAAAAAAAAAAAA=="u8];
    private RequestHead _head = null!;
    private HeadBuffer _buffer;
    private HeadFault _fault;
    private int _start;
    private (int Start, int Length) _method,
        _path,
        _authority,
        _protocol;
    private bool _hasScheme,
        _begun,
        _isWebSocket,
        _hasWebSocketVersion;
    private int _cookieIndex,
        _cookieStart;

    /// <summary>Why it is malformed.</summary>
    public MalformedReason Malformed { get; private set; }

    /// <summary>The bytes of the head, or the lines of the trailers.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.Written[_start..];

    /// <summary>What its Priority field says.</summary>
    public StreamPriority Priority { get; private set; }

    /// <summary>True for an extended CONNECT.</summary>
    public bool IsTunnel { get; private set; }

    /// <summary>Sets the Sec-WebSocket-Key that backends are sent for tunnels: 24 characters, the Base64 form of 16 bytes.</summary>
    public void SetWebSocketKey(ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, _webSocketKey.Length);
        key.CopyTo(_webSocketKey);
    }

    /// <summary>Size of its buffer.</summary>
    public int HeldBytes => _buffer.HeldBytes;

    /// <summary>Gives back what a large head took, so that a connection which then says nothing does not keep it.</summary>
    public void ReleaseLarge()
    {
        if (_buffer.IsRented)
        {
            _buffer.Clear();
            _start = 0;
        }
    }

    /// <summary>Begins a head.</summary>
    public void Begin(RequestHead head)
    {
        _head = head;
        _head.Reset();
        BeginTrailers();
        _method = _path = _authority = _protocol = default;
        _hasScheme = _begun = _isWebSocket = _hasWebSocketVersion = IsTunnel = false;
        _cookieIndex = -1;
        Priority = StreamPriority.Default;
    }

    /// <summary>Begins a trailer section.</summary>
    public void BeginTrailers()
    {
        _buffer.Clear();
        _start = 0;
        _fault = HeadFault.None;
        Malformed = MalformedReason.None;
    }

    /// <summary>Takes the next field of a trailer section. What must not stand there is left out (RFC 9110 section 6.5.1).</summary>
    public void AddTrailer(in HpackField field)
    {
        var fault = field.Traits.IsPseudo ? MalformedReason.PseudoInTrailers : field.Traits.Fault;
        if (fault != MalformedReason.None || Malformed != MalformedReason.None)
        {
            Malformed = Malformed == MalformedReason.None ? fault : Malformed;
            return;
        }

        if (_buffer.Length + field.Name.Length + field.Value.Length + 4 > CodecLimits.TrailerBytesMax)
        {
            _fault = HeadFault.HeadTooLarge;
        }
        else if (!KnownHeaders.IsForbiddenInTrailer(field.Name))
        {
            _buffer.WriteField(field.Name, field.Value);
        }
    }

    /// <summary>True when the trailers are too long.</summary>
    public bool AreTrailersTooLarge => _fault != HeadFault.None;

    /// <summary>Takes the next field.</summary>
    public void Add(in HpackField field)
    {
        if (Malformed != MalformedReason.None)
        {
            return;
        }

        if (field.Traits.IsPseudo)
        {
            Malformed = AddPseudo(field);
            return;
        }

        if (!_begun)
        {
            BeginLines();
        }

        // Behind the request line, so that a log can tell which request it was.
        Malformed = field.Traits.Fault != MalformedReason.None ? field.Traits.Fault : Malformed;
        if (_fault != HeadFault.None || Malformed != MalformedReason.None)
        {
            return;
        }

        if (field.Traits.Kind == FieldKind.Cookie)
        {
            AddCookie(field);
        }
        else if (field.Traits.Known == KnownHeader.Host)
        {
            AddHost(field);
        }
        else if (!_isWebSocket || !IsOfHandshake(field.Name))
        {
            AddRegular(field);
        }
    }

    /// <summary>Ends the head.</summary>
    /// <param name="endStream">True when there is no body.</param>
    public void Finish(bool endStream)
    {
        if (!_begun && Malformed == MalformedReason.None)
        {
            BeginLines();
        }

        if (Malformed != MalformedReason.None)
        {
            return;
        }

        long length = _head.Fields.ContentLength;
        if ((endStream && length > 0) || (IsTunnel && length >= 0))
        {
            Malformed = MalformedReason.LengthMismatch;
            return;
        }

        if (_fault == HeadFault.None && _head.HostLength == 0)
        {
            _fault = HeadFault.MissingHost;
        }

        if (_fault == HeadFault.None)
        {
            if (_isWebSocket && !_hasWebSocketVersion)
            {
                // There is no other (RFC 6455 section 4.1), and over HTTP/1.1 it must be said.
                Append(KnownHeader.None, "Sec-WebSocket-Version"u8, "13"u8);
            }

            AddFraming(endStream, length);
            _buffer.Write("\r\n"u8);
            _head.Length = _buffer.Length - _start;
            _fault = _head.Length > limits.MaxHeadBytes ? HeadFault.HeadTooLarge : HeadFault.None;
        }

        _head.Fault = _fault;
    }

    private MalformedReason AddPseudo(in HpackField field)
    {
        if (field.Traits.Fault != MalformedReason.None)
        {
            // An empty authority is no authority, as far as routing goes (RFC 9113 section 8.3.1).
            return field.Traits.Fault == MalformedReason.BadAuthority && field.Value.IsEmpty && !_begun
                ? MalformedReason.None
                : field.Traits.Fault;
        }

        if (_begun)
        {
            return MalformedReason.LatePseudo;
        }

        if (field.Traits.Kind == FieldKind.Scheme)
        {
            bool repeated = _hasScheme;
            _hasScheme = true;
            return repeated ? MalformedReason.RepeatedPseudo : MalformedReason.None;
        }

        ref var place = ref _method;
        switch (field.Traits.Kind)
        {
            case FieldKind.Path:
                place = ref _path;
                break;
            case FieldKind.Authority:
                place = ref _authority;
                break;
            case FieldKind.Protocol:
                place = ref _protocol;
                break;
        }

        if (place.Length > 0)
        {
            return MalformedReason.RepeatedPseudo;
        }

        if (_buffer.Length + field.Value.Length > limits.MaxHeadBytes)
        {
            _fault = field.Traits.Kind switch
            {
                FieldKind.Method => HeadFault.MethodTooLong,
                FieldKind.Path => HeadFault.RequestLineTooLong,
                _ => HeadFault.HeadTooLarge,
            };
            return MalformedReason.None;
        }

        place = (_buffer.Length, field.Value.Length);
        _buffer.Write(field.Value);

        return MalformedReason.None;
    }

    /// <summary>All pseudo-header fields are there: writes the request line and Host.</summary>
    private void BeginLines()
    {
        _begun = true;
        var method = Aside(_method);
        var path = Aside(_path);
        _head.Method = RequestHeadParser.IdentifyMethod(method);
        if (_fault != HeadFault.None)
        {
            return;
        }

        Malformed = CheckPseudo(path);
        if (Malformed != MalformedReason.None)
        {
            return;
        }

        if (_head.Method == MethodKind.Connect)
        {
            if (_protocol.Length == 0)
            {
                _fault = HeadFault.ConnectMethod;
                return;
            }

            IsTunnel = true;
            method = "GET"u8;
            _head.Method = MethodKind.Get;
        }

        if (method.Length + path.Length + " HTTP/1.1"u8.Length + 1 > limits.MaxStartLineBytes)
        {
            _fault = RequestHeadParser.IsMethodTooLong(method.Length, limits) ? HeadFault.MethodTooLong : HeadFault.RequestLineTooLong;
            return;
        }

        WriteRequestLine(method.Length);
        if (_authority.Length > 0)
        {
            int start = Append(KnownHeader.Host, "Host"u8, _authority.Start, _authority.Length);
            _head.HostStart = start + "Host: "u8.Length;
            _head.HostLength = _authority.Length;
        }

        if (IsTunnel)
        {
            AppendUpgrade();
        }
    }

    private MalformedReason CheckPseudo(ReadOnlySpan<byte> path)
    {
        if (_head.Method == MethodKind.Connect && _protocol.Length == 0)
        {
            // RFC 9113 section 8.5.
            return _hasScheme || _path.Length > 0 || _authority.Length == 0 ? MalformedReason.BadConnect : MalformedReason.None;
        }

        if (_method.Length == 0 || !_hasScheme || _path.Length == 0)
        {
            return MalformedReason.MissingPseudo;
        }

        if (_protocol.Length > 0 && (_head.Method != MethodKind.Connect || _authority.Length == 0))
        {
            return MalformedReason.BadConnect;
        }

        return path[0] == (byte)'*' && (path.Length > 1 || _head.Method != MethodKind.Options)
            ? MalformedReason.BadPath
            : MalformedReason.None;
    }

    private void WriteRequestLine(int methodLength)
    {
        _start = _buffer.Length;
        _buffer.Write(IsTunnel ? "GET"u8 : Aside(_method));
        _buffer.Write(" "u8);
        CopyAside(_path.Start, _path.Length);
        _buffer.Write(" HTTP/1.1\r\n"u8);
        _head.HasRequestLine = true;
        _head.MethodLength = methodLength;
        _head.TargetStart = methodLength + 1;
        _head.TargetLength = _path.Length;
    }

    /// <summary>RFC 8441 section 5: what a WebSocket handshake over HTTP/1.1 needs besides (RFC 6455 section 4.1).</summary>
    private void AppendUpgrade()
    {
        Append(KnownHeader.Connection, "Connection"u8, "Upgrade"u8);
        Append(KnownHeader.Upgrade, "Upgrade"u8, _protocol.Start, _protocol.Length);
        if (Grammar.EqualsIgnoreCase(Aside(_protocol), "websocket"u8))
        {
            _isWebSocket = true;
            Append(KnownHeader.None, "Sec-WebSocket-Key"u8, _webSocketKey);
        }
    }

    /// <summary>
    /// True for what the handshake over HTTP/1.1 is made of and HTTP/2 does without (RFC 8441 section 5): a client's own is left out, since
    /// a second key would make the request malformed (RFC 6455 section 11.3.1), and so is what servers that fold names take for it.
    /// </summary>
    private bool IsOfHandshake(ReadOnlySpan<byte> name)
    {
        _hasWebSocketVersion |= name.SequenceEqual("sec-websocket-version"u8);
        return KnownHeaders.EqualsFolded(name, "sec-websocket-key"u8) || KnownHeaders.EqualsFolded(name, "sec-websocket-accept"u8);
    }

    private void AddHost(in HpackField field)
    {
        if (_authority.Length > 0)
        {
            Malformed = RequestHeadParser.SameAuthority(Aside(_authority), field.Value)
                ? MalformedReason.None
                : MalformedReason.HostMismatch;
            return;
        }

        if (field.Value.IsEmpty)
        {
            return;
        }

        if (_head.Fields.HostIndex >= 0 || !Grammar.IsHost(field.Value))
        {
            Malformed = _head.Fields.HostIndex >= 0 ? MalformedReason.HostMismatch : MalformedReason.BadAuthority;
            return;
        }

        int start = _buffer.Length - _start;
        if (AddRegular(field))
        {
            _head.HostStart = start + field.Name.Length + 2;
            _head.HostLength = field.Value.Length;
        }
    }

    private bool AddRegular(in HpackField field)
    {
        if (!HasRoom(field.Name.Length + field.Value.Length + 4) || IsFull())
        {
            return false;
        }

        int start = _buffer.Length - _start;
        _buffer.WriteField(field.Name, field.Value);
        if (_head.Fields.Append(field.Traits.Known, start, field.Name.Length, start + field.Name.Length + 2, field.Value) != HeadFault.None)
        {
            Malformed = MalformedReason.BadContentLength;
            return false;
        }

        if (field.Name.Length == 8 && field.Name.SequenceEqual("priority"u8))
        {
            Priority = StreamPriority.Parse(field.Value);
        }

        return true;
    }

    /// <summary>
    /// RFC 9113 section 8.2.3: crumbs become one field. Fields in between make the cookie line move behind them, which the bound on fields
    /// bounds.
    /// </summary>
    private void AddCookie(in HpackField field)
    {
        if (_cookieIndex < 0)
        {
            _cookieStart = _buffer.Length - _start;
            if (AddRegular(field))
            {
                _cookieIndex = _head.Fields.Count - 1;
            }

            return;
        }

        if (!HasRoom(field.Value.Length + 2))
        {
            return;
        }

        if (_cookieIndex != _head.Fields.Count - 1)
        {
            int length = 6 + _head.Fields.Fields[_cookieIndex].ValueLength + 4;
            _buffer.MoveToEnd(_start + _cookieStart, length);
            _head.Fields.MoveToEnd(_cookieIndex, length, _buffer.Length - _start - length);
            _head.HostStart -= _head.HostStart > _cookieStart ? length : 0;
            _cookieIndex = _head.Fields.Count - 1;
            _cookieStart = _buffer.Length - _start - length;
        }

        _buffer.Shorten(2);
        _buffer.Write("; "u8);
        _buffer.Write(field.Value);
        _buffer.Write("\r\n"u8);
        _head.Fields.ExtendLast(2 + field.Value.Length);
    }

    /// <summary>What HTTP/1.1 says about the body, and RFC 9110 section 8.6 about methods that are expected to have one.</summary>
    private void AddFraming(bool endStream, long length)
    {
        _head.Framing = BodyFraming.None;
        if (IsTunnel)
        {
            return;
        }

        if (length > 0)
        {
            _head.Framing = new BodyFraming(BodyKind.Length, length);
        }
        else if (!endStream && length < 0)
        {
            Append(KnownHeader.TransferEncoding, "Transfer-Encoding"u8, "chunked"u8);
            _head.Framing = new BodyFraming(BodyKind.Chunked, 0);
        }
        else if (length < 0 && _head.Method is MethodKind.Post or MethodKind.Put)
        {
            Append(KnownHeader.ContentLength, "Content-Length"u8, "0"u8);
        }
    }

    private bool HasRoom(int bytes)
    {
        // Two bytes for the empty line.
        if (_fault == HeadFault.None && _buffer.Length - _start + bytes + 2 > limits.MaxHeadBytes)
        {
            _fault = HeadFault.HeadTooLarge;
        }

        return _fault == HeadFault.None;
    }

    private bool IsFull()
    {
        if (_head.Fields.Count >= limits.MaxFields)
        {
            _fault = HeadFault.TooManyFields;
        }

        return _fault != HeadFault.None;
    }

    private ReadOnlySpan<byte> Aside((int Start, int Length) place) => _buffer.Written.Slice(place.Start, place.Length);

    /// <summary>Copies what was put aside to the end; the buffer may move while it does.</summary>
    private void CopyAside(int start, int length)
    {
        _buffer.Extend(length);
        _buffer.Written.Slice(start, length).CopyTo(_buffer.Written[^length..]);
    }

    private void Append(KnownHeader known, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        int start = _buffer.Length - _start;
        _buffer.WriteField(name, value);
        _head.Fields.Append(known, start, name.Length, start + name.Length + 2, value);
    }

    private int Append(KnownHeader known, ReadOnlySpan<byte> name, int valueStart, int valueLength)
    {
        int start = _buffer.Length - _start;
        _buffer.Write(name);
        _buffer.Write(": "u8);
        CopyAside(valueStart, valueLength);
        _buffer.Write("\r\n"u8);
        _head.Fields.Append(known, start, name.Length, start + name.Length + 2, Aside((valueStart, valueLength)));
        return start;
    }
}
