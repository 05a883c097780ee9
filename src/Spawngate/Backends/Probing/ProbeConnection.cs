using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Backends.Probing;

/// <summary>What a health endpoint answered.</summary>
/// <param name="Status">Status code; 0 when the connection ended before any byte, -1 when what came is not an HTTP/1 response.</param>
/// <param name="Reusable">Whether the response was read to its end, so that the connection can be asked again.</param>
internal readonly record struct ProbeAnswer(int Status, bool Reusable)
{
    /// <summary>What came instead of a response, if it is known, for people.</summary>
    public string? Other { get; init; }
}

/// <summary>
/// One connection to a health endpoint. Reads conservatively: the head up to a bound, the body only if a small Content-Length announces it;
/// after anything else the connection is not used again.
/// </summary>
internal sealed class ProbeConnection : IDisposable
{
    /// <summary>What a connect comes to where nobody listens.</summary>
    public const string Refused = "connection refused";

    private readonly Socket _socket;
    private readonly byte[] _request;
    private readonly byte[] _buffer = new byte[ProbeLimits.ProbeHeadBytesMax];

    public ProbeConnection(Socket socket, ProbeTarget target)
    {
        _socket = socket;
        _request = Encoding.ASCII.GetBytes(
            $"GET {target.Path} HTTP/1.1\r\nHost: {target.Host}\r\nUser-Agent: spawngate\r\nAccept: */*\r\n\r\n"
        );
    }

    /// <summary>Connects; a refusal is a value, because there may be hundreds of them in one start.</summary>
    public static async Task<(Socket? Socket, string Error)> ConnectAsync(
        IPEndPoint endPoint,
        int timeoutMs,
        TimeProvider time,
        CancellationToken cancel
    )
    {
        using var operation = new ConnectOperation(endPoint);
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (!socket.ConnectAsync(operation))
        {
            operation.Finish();
        }
        else
        {
            using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(timeoutMs), time);
            using var onTimeout = timeout.Token.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket);
            using var onCancel = cancel.UnsafeRegister(static s => ((Socket)s!).Dispose(), socket);
            await operation.Finished.ConfigureAwait(false);
        }

        var error = await operation.Finished.ConfigureAwait(false);
        if (error == SocketError.Success && !cancel.IsCancellationRequested && !IsConnectedToItself(socket))
        {
            return (socket, "");
        }

        socket.Dispose();
        cancel.ThrowIfCancellationRequested();
        return (
            null,
            error switch
            {
                SocketError.ConnectionRefused or SocketError.Success => Refused,
                SocketError.OperationAborted => "no connection in time",
                _ => error.ToString(),
            }
        );
    }

    /// <summary>Whether a connection to a forwarder outlives the moment in which it is closed when there is nobody to forward to.</summary>
    public static async Task<bool> StaysOpenAsync(Socket socket, TimeProvider time, CancellationToken cancel)
    {
        using var moment = new CancellationTokenSource(TimeSpan.FromMilliseconds(ProbeLimits.ProbeForwardedMs), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(moment.Token, cancel);
        try
        {
            return await socket.ReceiveAsync(new byte[1], either.Token).ConfigureAwait(false) > 0;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Sends the request and reads the answer.</summary>
    /// <exception cref="SocketException">The connection broke.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; the connection cannot be used again.</exception>
    public async Task<ProbeAnswer> AskAsync(CancellationToken cancel)
    {
        for (var sent = 0; sent < _request.Length; )
        {
            sent += await _socket.SendAsync(_request.AsMemory(sent), cancel).ConfigureAwait(false);
        }

        var filled = 0;
        for (var responses = 0; responses <= ProbeLimits.ProbeInterimResponsesMax; responses++)
        {
            int headLength;
            while ((headLength = HeadLength(_buffer.AsSpan(0, filled))) < 0)
            {
                var read =
                    filled == _buffer.Length ? 0 : await _socket.ReceiveAsync(_buffer.AsMemory(filled), cancel).ConfigureAwait(false);
                if (read == 0)
                {
                    return new ProbeAnswer(filled == 0 ? 0 : ProbeHead.ReadStatus(_buffer.AsSpan(0, filled)), false);
                }

                filled += read;
                if (ResponseHeadParser.FaultOfStart(_buffer.AsSpan(0, filled)) is var fault and not HeadFault.None)
                {
                    return new ProbeAnswer(-1, false) { Other = HeadFaults.Describe(fault) };
                }
            }

            var head = ProbeHead.Read(_buffer.AsSpan(0, headLength));
            if (head.Status is >= 100 and <= 199 and not 101)
            {
                _buffer.AsSpan(headLength, filled - headLength).CopyTo(_buffer);
                filled -= headLength;
                continue;
            }

            var reusable = head.BodyLength >= 0 && await SkipAsync(head.BodyLength - (filled - headLength), cancel).ConfigureAwait(false);
            return new ProbeAnswer(head.Status, reusable);
        }

        return new ProbeAnswer(-1, false);
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    /// <summary>Reads the rest of a body. False when it is not as announced.</summary>
    private async Task<bool> SkipAsync(long left, CancellationToken cancel)
    {
        while (left > 0)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(0, (int)Math.Min(left, _buffer.Length)), cancel).ConfigureAwait(false);
            if (read == 0)
            {
                return false;
            }

            left -= read;
        }

        return left == 0;
    }

    /// <summary>
    /// Nobody listens, but the kernel gave this socket the very port it connects to as its own: TCP then connects it to itself (RFC 9293
    /// 3.5, simultaneous open). A port chosen for a backend is of the range that this happens in.
    /// </summary>
    private static bool IsConnectedToItself(Socket socket)
    {
        try
        {
            return Equals(socket.LocalEndPoint, socket.RemoteEndPoint);
        }
        catch (SocketException)
        {
            return false; // Reset by the other side already; the request will show it.
        }
    }

    private static int HeadLength(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf("\r\n\r\n"u8);
        return end < 0 ? -1 : end + 4;
    }

    /// <summary>A connect that completes with a value instead of an exception.</summary>
    private sealed class ConnectOperation : SocketAsyncEventArgs
    {
        private readonly TaskCompletionSource<SocketError> _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ConnectOperation(IPEndPoint endPoint) => RemoteEndPoint = endPoint;

        public Task<SocketError> Finished => _finished.Task;

        public void Finish() => _finished.TrySetResult(SocketError);

        protected override void OnCompleted(SocketAsyncEventArgs e) => Finish();
    }
}
