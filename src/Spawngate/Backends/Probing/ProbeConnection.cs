using System.Text;
using Spawngate.Protocols.Http1;
using Spawngate.Runtime;
using Spawngate.Transport;
using Spawngate.Upstreams;

namespace Spawngate.Backends.Probing;

/// <summary>What a health endpoint answered.</summary>
/// <param name="Status">
/// Status code; 0 when the connection ended before any byte, or nothing came in time, -1 when what came is not an HTTP/1 response.
/// </param>
/// <param name="Reusable">Whether the response was read to its end, so that the connection can be used again.</param>
internal readonly record struct ProbeAnswer(int Status, bool Reusable)
{
    /// <summary>What came instead of a response, if it is known, for people.</summary>
    public string? Other { get; init; }

    /// <summary>Whether nothing came in time.</summary>
    public bool IsLate { get; init; }
}

/// <summary>
/// A health check over one connection to an instance. Reads conservatively: the head up to a bound, the body only if a small
/// Content-Length announces it; after anything else the connection is not used again.
/// </summary>
/// <param name="connection">The connection, which the caller owns.</param>
/// <param name="time">Measures the timeout.</param>
internal sealed class ProbeConnection(UpstreamConnection connection, TimeProvider time)
{
    private readonly SocketChannel _channel = connection.Channel;

    /// <summary>The request of a check.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="host">Its host.</param>
    /// <param name="isLast">Whether the connection is closed after it, which the instance is told.</param>
    public static byte[] Request(string path, string host, bool isLast) =>
        Encoding.ASCII.GetBytes(
            $"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: spawngate-health/{SpawngateVersion.Text}\r\nAccept: */*\r\n"
                + $"X-Forwarded-Proto: http\r\n{(isLast ? "Connection: close\r\n" : "")}\r\n"
        );

    /// <summary>Connects. Null when that worked, else why not.</summary>
    /// <param name="timeoutMs">Milliseconds it may take.</param>
    /// <param name="cancel">Ends it.</param>
    public async ValueTask<ConnectFailure?> ConnectAsync(int timeoutMs, CancellationToken cancel)
    {
        var connecting = _channel.ConnectAsync(connection.Pool.Endpoint);
        int result = connecting.IsCompleted
            ? await connecting.ConfigureAwait(false)
            : await WithinAsync(connecting, timeoutMs, cancel).ConfigureAwait(false);
        cancel.ThrowIfCancellationRequested();
        if (result >= 0 && !_channel.IsSelfConnected)
        {
            return null;
        }

        var error = _channel.SendError;
        return result >= 0 || error == System.Net.Sockets.SocketError.ConnectionRefused ? ConnectFailure.Refused
            : _channel.IsClosed ? new ConnectFailure("no connection in time") { IsLate = true }
            : new ConnectFailure(error.ToString());
    }

    /// <summary>Sends the request and reads the answer.</summary>
    /// <param name="request">Its bytes.</param>
    /// <param name="timeoutMs">Milliseconds it may take.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="OperationCanceledException">It was cancelled; the connection cannot be used again.</exception>
    public async Task<ProbeAnswer> AskAsync(byte[] request, int timeoutMs, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs), time);
        ProbeAnswer answer;
        using (timeout.Token.UnsafeRegister(static channel => ((SocketChannel)channel!).Abort(reset: false), _channel))
        using (cancel.UnsafeRegister(static channel => ((SocketChannel)channel!).Abort(reset: false), _channel))
        {
            answer = await ExchangeAsync(request).ConfigureAwait(false);
        }

        cancel.ThrowIfCancellationRequested();
        return timeout.IsCancellationRequested ? new ProbeAnswer(0, false) { IsLate = true } : answer;
    }

    /// <summary>Whether a connection to a forwarder outlives the moment in which it is closed when there is nobody to forward to.</summary>
    public async Task<bool> StaysOpenAsync(CancellationToken cancel)
    {
        int result = await WithinAsync(_channel.WaitReadableAsync(), ProbeLimits.ForwardedMs, cancel).ConfigureAwait(false);
        cancel.ThrowIfCancellationRequested();
        return _channel.IsClosed || (result >= 0 && _channel.HasUnread);
    }

    private async Task<ProbeAnswer> ExchangeAsync(byte[] request)
    {
        _channel.Write(request);
        if (await _channel.FlushAsync().ConfigureAwait(false) < 0)
        {
            return new ProbeAnswer(0, false);
        }

        _channel.ReleaseOutgoing();
        for (int responses = 0; responses <= ProbeLimits.InterimResponsesMax; responses++)
        {
            int headLength;
            while ((headLength = HeadLength(_channel.Received)) < 0)
            {
                bool isOver =
                    _channel.ReceivedLength >= ProbeLimits.HeadBytesMax || await _channel.ReceiveAsync().ConfigureAwait(false) <= 0;
                if (isOver)
                {
                    return new ProbeAnswer(_channel.ReceivedLength == 0 ? 0 : ProbeHead.ReadStatus(_channel.Received), false);
                }

                if (ResponseHeadParser.FaultOfStart(_channel.Received) is var fault and not HeadFault.None)
                {
                    return new ProbeAnswer(-1, false) { Other = HeadFaults.Describe(fault) };
                }
            }

            var head = ProbeHead.Read(_channel.Received[..headLength]);
            _channel.Consume(headLength);
            if (head.Status is not (>= 100 and <= 199) || head.Status == 101)
            {
                bool reusable = head.BodyLength >= 0 && await SkipAsync(head.BodyLength).ConfigureAwait(false);
                return new ProbeAnswer(head.Status, reusable);
            }
        }

        return new ProbeAnswer(-1, false);
    }

    /// <summary>Reads the rest of a body. False when it is not as announced.</summary>
    private async ValueTask<bool> SkipAsync(long left)
    {
        while (true)
        {
            int taken = (int)Math.Min(left, _channel.ReceivedLength);
            _channel.Consume(taken);
            left -= taken;
            if (left == 0)
            {
                return _channel.ReceivedLength == 0;
            }

            if (await _channel.ReceiveAsync().ConfigureAwait(false) <= 0)
            {
                return false;
            }
        }
    }

    /// <summary>What is pending, cut after a time.</summary>
    private async Task<int> WithinAsync(ValueTask<int> pending, int timeoutMs, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs), time);
        using var onTimeout = timeout.Token.UnsafeRegister(static channel => ((SocketChannel)channel!).Abort(reset: false), _channel);
        using var onCancel = cancel.UnsafeRegister(static channel => ((SocketChannel)channel!).Abort(reset: false), _channel);
        return await pending.ConfigureAwait(false);
    }

    private static int HeadLength(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf("\r\n\r\n"u8);
        return end < 0 ? -1 : end + 4;
    }
}

/// <summary>Why there is no connection to an instance.</summary>
/// <param name="Detail">For people.</param>
internal sealed record ConnectFailure(string Detail)
{
    /// <summary>What a connect comes to where nobody listens.</summary>
    public static readonly ConnectFailure Refused = new("connection refused");

    /// <summary>Whether there was no answer to it, neither a yes nor a no.</summary>
    public bool IsLate { get; init; }
}
