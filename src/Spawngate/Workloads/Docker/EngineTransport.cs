using System.Buffers;
using Docker.DotNet.Handler.Abstractions;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// HTTP to one engine, below the library: keeps the connections, reads whole answers within their bound and the deadline of their
/// call, and bounds the messages of those that go on. What follows an answer runs on the thread pool, not on the threads that the proxy's
/// sockets complete on.
/// </summary>
internal sealed class EngineTransport : DelegatingHandler, IDockerHandlerFactory<EngineAddress>
{
    private const string Attach = "/attach";
    private const string Events = "/events";
    private const string Inspect = "/json";
    private const string Pull = "/images/create";
    private const string Stop = "/stop";
    private const string Wait = "/wait";

    private static readonly byte[] NoTerminal = [.. """{"Config":{"Tty":false}}"""u8];

    /// <summary>Makes it; nothing is connected yet.</summary>
    /// <param name="dialer">Makes its connections.</param>
    public EngineTransport(EngineDialer dialer)
        : base(
            new SocketsHttpHandler
            {
                ConnectCallback = (_, cancel) => dialer.ConnectAsync(cancel),
                ConnectTimeout = TimeSpan.FromMilliseconds(DockerLimits.EngineConnectMs),
                PooledConnectionIdleTimeout = TimeSpan.FromSeconds(DockerLimits.EngineIdleConnectionSecs),
                UseProxy = false,
                UseCookies = false,
                AllowAutoRedirect = false,
                ActivityHeadersPropagator = null,
            }
        ) { }

    /// <inheritdoc/>
    public ResolvedTransport CreateHandler(ResolvedClientOptions clientOptions, ILogger logger) => new(this, clientOptions.Endpoint);

    /// <inheritdoc/>
    public ResolvedTransport CreateHandler(EngineAddress transportOptions, ResolvedClientOptions clientOptions, ILogger logger) =>
        CreateHandler(clientOptions, logger);

    /// <inheritdoc/>
    public async Task<WriteClosableStream> HijackStreamAsync(HttpContent content) =>
        (WriteClosableStream)await content.ReadAsStreamAsync().ConfigureAwait(false);

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var call = EngineCall.Current;
        var uri = Completed(request.RequestUri!);
        var path = WithoutVersion(uri.AbsolutePath);
        if (call.IsAttach && path.EndsWith(Inspect, StringComparison.Ordinal))
        {
            return new HttpResponseMessage { Content = new ByteArrayContent(NoTerminal) };
        }

        request.RequestUri = uri;
        call.Name = $"{request.Method} {path}";
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await Task.Yield();
        }

        try
        {
            call.ApiVersion = response.Headers.TryGetValues("Api-Version", out var versions) ? versions.First() : null;
            if (IsStream(path) && (int)response.StatusCode < 400)
            {
                await StreamAsync(response, path, cancellationToken).ConfigureAwait(false);
                call.Opened?.Invoke();
            }
            else
            {
                call.Answer = await ReadAsync(response, cancellationToken).ConfigureAwait(false);
            }

            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Two parameters that the library has no words for: a wait that is over when the container is removed, which is all that is waited for
    /// here, and a stop without any patience, of which it leaves the 0 out; then the engine would take 10 seconds.
    /// </summary>
    private static Uri Completed(Uri uri) =>
        uri.Query.Length > 0 ? uri
        : uri.AbsolutePath.EndsWith(Wait, StringComparison.Ordinal) ? new Uri(uri, "?condition=removed")
        : uri.AbsolutePath.EndsWith(Stop, StringComparison.Ordinal) ? new Uri(uri, "?t=0")
        : uri;

    private static bool IsStream(string path) => path is Events or Pull || path.EndsWith(Attach, StringComparison.Ordinal);

    /// <summary>The path as the Engine API lists it: without <c>/v1.47</c>.</summary>
    private static string WithoutVersion(string path)
    {
        var end = path.StartsWith("/v1.", StringComparison.Ordinal) ? path.IndexOf('/', 1) : 0;
        return end < 0 ? path : path[end..];
    }

    private static async Task StreamAsync(HttpResponseMessage response, string path, CancellationToken cancel)
    {
        var stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        var lines = path.EndsWith(Attach, StringComparison.Ordinal) ? null : new MessageLines();
        response.Content = new EngineStreamContent(new EngineStream(stream, lines));
    }

    /// <summary>
    /// Has all of the content there before the library sees it, which would take any number of bytes, and those of a refusal in any time.
    /// </summary>
    private static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        using var content = response.Content;
        var stream = await content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        var bytes = new ArrayBufferWriter<byte>(DockerLimits.EngineReadBytes);
        int read;
        while ((read = await stream.ReadAsync(bytes.GetMemory(), cancel).ConfigureAwait(false)) > 0)
        {
            await Task.Yield();
            bytes.Advance(read);
            if (bytes.WrittenCount > DockerLimits.EngineAnswerBytesMax)
            {
                throw new InvalidDataException($"the answer is longer than {DockerLimits.EngineAnswerBytesMax} bytes");
            }
        }

        var whole = bytes.WrittenSpan.ToArray();
        response.Content = new ByteArrayContent(whole);
        return whole;
    }
}
