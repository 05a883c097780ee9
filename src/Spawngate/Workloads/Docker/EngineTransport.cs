using System.Buffers;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// HTTP to one engine: makes the connections, bounds what is read, and turns everything that can go wrong into an
/// <see cref="EngineError"/>. What follows an answer runs on the thread pool, not on the threads that the proxy's sockets complete on.
/// </summary>
internal sealed class EngineTransport : IDisposable
{
    private readonly HttpMessageInvoker _http;
    private readonly EngineAddress _address;
    private readonly TimeProvider _time;

    /// <summary>Makes it; nothing is connected yet.</summary>
    public EngineTransport(EngineAddress address, TimeProvider time)
    {
        _address = address;
        _time = time;
        _http = new HttpMessageInvoker(
            new SocketsHttpHandler
            {
                ConnectCallback = ConnectAsync,
                ConnectTimeout = TimeSpan.FromMilliseconds(DockerLimits.EngineConnectMs),
                PooledConnectionIdleTimeout = TimeSpan.FromSeconds(DockerLimits.EngineIdleConnectionSecs),
                UseProxy = false,
                UseCookies = false,
                AllowAutoRedirect = false,
                ActivityHeadersPropagator = null,
            }
        );
    }

    /// <summary>Makes a call and reads the whole answer.</summary>
    /// <param name="method">GET, POST or DELETE.</param>
    /// <param name="path">The path with its query.</param>
    /// <param name="body">A body in JSON; null for none.</param>
    /// <param name="deadlineMs">Milliseconds for all of it.</param>
    /// <param name="cancel">Ends the call with an <see cref="OperationCanceledException"/>.</param>
    public async Task<EngineReply<EngineAnswer>> CallAsync(
        HttpMethod method,
        string path,
        byte[]? body,
        long deadlineMs,
        CancellationToken cancel
    )
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(deadlineMs), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        var call = NameOf(method, path);
        var reply = await SendAsync(method, path, body, null, either.Token, cancel).ConfigureAwait(false);
        if (reply.Value is not { } response)
        {
            return reply.Error!;
        }

        using (response)
        {
            try
            {
                var bytes = await ReadAsync(response.Content, either.Token).ConfigureAwait(false);
                if (bytes is null)
                {
                    return new EngineError(
                        EngineFault.Garbage,
                        call,
                        0,
                        $"the answer is longer than {DockerLimits.EngineAnswerBytesMax} bytes"
                    );
                }

                var status = (int)response.StatusCode;
                return status >= 400
                    ? new EngineError(EngineFault.Refused, call, status, EngineAnswer.MessageOf(bytes))
                    : new EngineAnswer(
                        status,
                        response.Headers.TryGetValues("Api-Version", out var versions) ? versions.First() : null,
                        bytes
                    );
            }
            catch (Exception e) when (Explain(call, e, cancel) is { } error)
            {
                return error;
            }
        }
    }

    /// <summary>Makes a call whose answer is a stream without an end; returns once its head is there.</summary>
    /// <param name="method">GET or POST.</param>
    /// <param name="path">The path with its query.</param>
    /// <param name="headers">Further header fields.</param>
    /// <param name="headDeadlineMs">Milliseconds until the head must be there.</param>
    /// <param name="cancel">Ends the wait for the head with an <see cref="OperationCanceledException"/>.</param>
    public async Task<EngineReply<EngineStream>> OpenAsync(
        HttpMethod method,
        string path,
        IReadOnlyList<KeyValuePair<string, string>> headers,
        long headDeadlineMs,
        CancellationToken cancel
    )
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(headDeadlineMs), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancel);
        var call = NameOf(method, path);
        var reply = await SendAsync(method, path, null, headers, either.Token, cancel).ConfigureAwait(false);
        if (reply.Value is not { } response)
        {
            return reply.Error!;
        }

        try
        {
            if ((int)response.StatusCode < 400)
            {
                return new EngineStream(call, response, await response.Content.ReadAsStreamAsync(either.Token).ConfigureAwait(false));
            }

            using (response)
            {
                var bytes = await ReadAsync(response.Content, either.Token).ConfigureAwait(false) ?? [];
                return new EngineError(EngineFault.Refused, call, (int)response.StatusCode, EngineAnswer.MessageOf(bytes));
            }
        }
        catch (Exception e) when (Explain(call, e, cancel) is { } error)
        {
            response.Dispose();
            return error;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>What an exception of the HTTP client means; null when it was the caller who cancelled.</summary>
    internal static EngineError? Explain(string call, Exception exception, CancellationToken cancel) =>
        exception switch
        {
            OperationCanceledException when cancel.IsCancellationRequested => null,
            OperationCanceledException => new EngineError(EngineFault.TimedOut, call, 0, "no answer in time"),
            HttpRequestException { InnerException: SocketException socket } => new EngineError(FaultOf(socket), call, 0, Describe(socket)),
            HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } http =>
                new EngineError(EngineFault.Unreachable, call, 0, http.InnerException?.Message ?? http.Message),
            HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => new EngineError(
                EngineFault.Garbage,
                call,
                0,
                "what answers does not speak HTTP"
            ),
            HttpRequestException or IOException or SocketException or ObjectDisposedException => new EngineError(
                EngineFault.Broken,
                call,
                0,
                "the connection ended before the answer was complete"
            ),
            _ => new EngineError(EngineFault.Broken, call, 0, exception.Message),
        };

    private static EngineFault FaultOf(SocketException e) =>
        e.SocketErrorCode switch
        {
            SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => EngineFault.Broken,
            _ => EngineFault.Unreachable,
        };

    private static string Describe(SocketException e) =>
        e.SocketErrorCode switch
        {
            SocketError.AccessDenied => "permission denied (this user is not in the group of the socket)",
            SocketError.ConnectionRefused => "connection refused (nobody listens there)",
            SocketError.AddressNotAvailable => "no such file",
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "the name of the host is not known",
            _ => e.Message,
        };

    private async Task<EngineReply<HttpResponseMessage>> SendAsync(
        HttpMethod method,
        string path,
        byte[]? body,
        IReadOnlyList<KeyValuePair<string, string>>? headers,
        CancellationToken either,
        CancellationToken cancel
    )
    {
        using var request = new HttpRequestMessage(method, new Uri($"http://{_address.Authority}{path}"));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        foreach (var (name, value) in headers ?? [])
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        try
        {
            return await _http.SendAsync(request, either).ConfigureAwait(false);
        }
        catch (Exception e) when (Explain(NameOf(method, path), e, cancel) is { } error)
        {
            return error;
        }
        finally
        {
            await Task.Yield();
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = _address.SocketPath is null
            ? new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (_address.SocketPath is { } path)
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel).ConfigureAwait(false);
            }
            else
            {
                // An engine whose machine vanished would otherwise leave its event stream open for ever.
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                await socket.ConnectAsync(_address.Host, _address.Port, cancel).ConfigureAwait(false);
            }

            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The content, or null when it is longer than it may be.</summary>
    private static async Task<byte[]?> ReadAsync(HttpContent content, CancellationToken cancel)
    {
        using var stream = await content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        var bytes = new ArrayBufferWriter<byte>(DockerLimits.EngineReadBytes);
        int read;
        while ((read = await stream.ReadAsync(bytes.GetMemory(), cancel).ConfigureAwait(false)) > 0)
        {
            await Task.Yield();
            bytes.Advance(read);
            if (bytes.WrittenCount > DockerLimits.EngineAnswerBytesMax)
            {
                return null;
            }
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>The call without its query: what matters to people.</summary>
    private static string NameOf(HttpMethod method, string path)
    {
        var end = path.IndexOf('?', StringComparison.Ordinal);
        return $"{method} {(end < 0 ? path : path[..end])}";
    }
}
