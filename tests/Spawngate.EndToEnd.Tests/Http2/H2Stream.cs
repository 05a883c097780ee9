using System.Security.Cryptography;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>The gateway reset the stream.</summary>
internal sealed class StreamResetException(H2Error code) : Exception($"RST_STREAM {code}")
{
    /// <summary>Its error code.</summary>
    public H2Error Code { get; } = code;
}

/// <summary>One stream as its client sees it.</summary>
internal sealed class H2Stream(int id, long window) : IDisposable
{
    private const int KeptBodyBytesMax = 1024 * 1024;
    private readonly TaskCompletionSource<RawResponse> _head = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<RawResponse> _response = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<H2Error> _reset = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<RawResponse> _interim = [];
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly MemoryStream _kept = new();
    private TaskCompletionSource<RawResponse> _nextInterim = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RawResponse? _answer;
    private long _length;

    /// <summary>Its identifier.</summary>
    public int Id { get; } = id;

    /// <summary>Bytes of DATA the gateway may still send on it.</summary>
    public long Allowed { get; set; }

    /// <summary>Bytes of DATA this side may still send on it.</summary>
    public long Window { get; set; } = window;

    /// <summary>Bytes received since the window was last opened.</summary>
    public long Taken { get; set; }

    /// <summary>Opens the window again for what was received; otherwise the test does.</summary>
    public bool Grants { get; init; } = true;

    /// <summary>Takes the DATA instead of this stream's keeping and adding it up.</summary>
    public Func<ReadOnlyMemory<byte>, Task>? Take { get; init; }

    /// <summary>True once it has ended or was reset.</summary>
    public bool IsOver => _response.Task.IsCompleted;

    /// <summary>True once it was reset, or its connection ended.</summary>
    public bool IsGone => _reset.Task.IsCompleted || _response.Task.IsFaulted;

    /// <summary>Bytes of DATA received.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>The response's head, as soon as it is there; interim ones aside.</summary>
    public Task<RawResponse> HeadAsync() => _head.Task.InTimeAsync($"head of the response on stream {Id}");

    /// <summary>The first interim response, or the next after <see cref="RawResponse"/> was taken.</summary>
    public async Task<RawResponse> InterimAsync()
    {
        RawResponse interim = await _nextInterim.Task.InTimeAsync($"interim response on stream {Id}");
        _nextInterim = new TaskCompletionSource<RawResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        return interim;
    }

    /// <summary>The whole response. Fails when the stream is reset before its end.</summary>
    public Task<RawResponse> ResponseAsync(TimeSpan? limit = null) => _response.Task.InTimeAsync($"end of stream {Id}", limit);

    /// <summary>The code with which the gateway resets the stream; also behind a complete response.</summary>
    public Task<H2Error> ResetAsync() => _reset.Task.InTimeAsync($"RST_STREAM of {Id}");

    /// <summary>Takes the fields of a header block.</summary>
    public void OnHeaders(List<(string Name, string Value)> fields, bool ends)
    {
        if (_response.Task.IsCompletedSuccessfully)
        {
            throw new NotHttpException("HEADERS behind END_STREAM");
        }

        if (_answer is not null)
        {
            Assert.That(ends, "trailers end the stream");
            _answer.Trailers.AddRange(fields);
        }
        else
        {
            OnHead(fields, ends);
        }

        if (ends)
        {
            End();
        }
    }

    /// <summary>Takes DATA.</summary>
    public async Task OnDataAsync(ReadOnlyMemory<byte> data, bool ends)
    {
        if (_answer is null || _response.Task.IsCompletedSuccessfully)
        {
            throw new NotHttpException("DATA where none may be");
        }

        Volatile.Write(ref _length, _length + data.Length);
        if (Take is { } take)
        {
            await take(data);
        }
        else
        {
            _hash.AppendData(data.Span);
            _kept.Write(data.Span[..(int)Math.Min(data.Length, KeptBodyBytesMax - _kept.Length)]);
        }

        if (ends)
        {
            End();
        }
    }

    /// <summary>Takes RST_STREAM.</summary>
    public void OnReset(H2Error code)
    {
        _reset.TrySetResult(code);
        Fail(new StreamResetException(code));
    }

    /// <summary>The connection ended.</summary>
    /// <param name="fault">What the gateway did against the rules, if that was the reason.</param>
    public void OnConnectionEnd(Exception? fault)
    {
        Exception gone = fault ?? new IncompleteMessageException("with the connection");
        Fail(gone);
        _reset.TrySetException(gone);
        _ = _reset.Task.Exception;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hash.Dispose();
        _kept.Dispose();
    }

    private void OnHead(List<(string Name, string Value)> fields, bool ends)
    {
        if (
            fields.Count == 0
            || fields[0].Name != ":status"
            || fields.Skip(1).Any(each => each.Name.StartsWith(':') || each.Name.Any(char.IsAsciiLetterUpper))
        )
        {
            throw new NotHttpException("response head: " + string.Join(", ", fields));
        }

        var head = new RawResponse("HTTP/2", int.Parse(fields[0].Value), fields[1..]);
        if (head.Status is >= 100 and < 200)
        {
            Assert.That(ends, Is.False, "an interim response ends nothing");
            _interim.Add(head);
            _nextInterim.TrySetResult(head);
            return;
        }

        head.Interim.AddRange(_interim);
        _answer = head;
        _head.TrySetResult(head);
    }

    private void End()
    {
        RawResponse response = _answer!;
        response.Body = _kept.ToArray();
        response.BodyLength = _length;
        response.Sha256 = Convert.ToHexStringLower(_hash.GetCurrentHash());
        _response.TrySetResult(response);
    }

    private void Fail(Exception error)
    {
        _head.TrySetException(error);
        _response.TrySetException(error);
        _nextInterim.TrySetException(error);
        _ = (_head.Task.Exception, _response.Task.Exception, _nextInterim.Task.Exception);
    }
}
