using System.Buffers.Binary;
using BenchmarkDotNet.Attributes;
using Spawngate.Forwarding;
using Spawngate.Protocols;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using Spawngate.Protocols.Http2.Hpack;

namespace Spawngate.Microbench;

/// <summary>HTTP/2 without sockets: requests in, heads and data out, as one connection repeats them.</summary>
public class Http2Benchmarks
{
    private const int RequestsPerRead = 32;

    private readonly RequestHead _request = new();
    private readonly ResponseHead _response = new();
    private readonly HpackEncoder _client = new(CodecLimits.HpackTableBytes);
    private readonly byte[] _target = new byte[8192];
    private Http2Session _session;
    private byte[] _requests = [];
    private int _nextId;

    /// <summary>Opens a connection whose tables hold what the requests repeat.</summary>
    public Http2Benchmarks()
    {
        _request.Reset();
        _response.Reset();
        ResponseHeadParser.Parse(_response, Samples.Response, toHead: false, Samples.Limits);
        _session = Open();
    }

    /// <summary>A browser's requests with the answer of an application, each: 12 fields in, 8 out.</summary>
    [Benchmark(OperationsPerInvoke = RequestsPerRead)]
    public int Exchange()
    {
        if (_nextId > int.MaxValue - (2 * RequestsPerRead))
        {
            _session = Open();
        }

        int length = _requests.Length / RequestsPerRead;
        for (int i = 0; i < RequestsPerRead; i++, _nextId += 2)
        {
            BinaryPrimitives.WriteInt32BigEndian(_requests.AsSpan((i * length) + 5), _nextId);
        }

        return Serve(_requests);
    }

    private Http2Session Open()
    {
        _session = new Http2Session(Samples.Limits, 0);
        byte[] opening = [.. Http2Preface.Bytes, .. new byte[FrameHeader.Size]];
        new FrameHeader(0, FrameType.Settings, FrameFlags.None, 0).Write(opening.AsSpan(Http2Preface.Bytes.Length));
        Serve(opening);
        _session.WriteControl(_target);
        Serve(RequestFrame(1));
        _requests = [.. Enumerable.Repeat(RequestFrame(3), RequestsPerRead).SelectMany(frame => frame)];
        _nextId = 3;
        return _session;
    }

    private byte[] RequestFrame(int id)
    {
        int length = FrameHeader.Size;
        foreach (var (name, value) in Samples.RequestFields)
        {
            length += _client.Encode(_target.AsSpan(length), name, value);
        }

        new FrameHeader(length - FrameHeader.Size, FrameType.Headers, FrameFlags.EndHeaders | FrameFlags.EndStream, id).Write(_target);
        return _target[..length];
    }

    private int Serve(ReadOnlySpan<byte> input)
    {
        int written = 0;
        Http2EventKind kind;
        while ((kind = _session.Read(input, _request, 0, out int consumed, out var found)) != Http2EventKind.NeedMore)
        {
            input = input[consumed..];
            if (kind == Http2EventKind.Request)
            {
                var writer = _session.BeginHead(_target, found.Slot);
                writer.Response(_response, Samples.Response);
                written += _session.EndHead(found.Slot, ref writer, endStream: false);
                written += _session.WriteDataHeader(_target, found.Slot, 0, endStream: true);
                _session.Release(found.Slot);
            }
        }

        return written;
    }
}
