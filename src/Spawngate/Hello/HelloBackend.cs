using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Spawngate.Hello;

/// <summary>
/// The demo backend, <c>spawngate hello</c>: what a process that Spawngate starts can look like. It listens before anything else, so that
/// whoever started it finds its port at once.
/// </summary>
internal sealed class HelloBackend : IHttpApplication<IFeatureCollection>, IDisposable
{
    private readonly Socket _listener;
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private long _requests;

    /// <summary>Binds and listens at once.</summary>
    /// <param name="endpoint">Where; port 0 lets the system choose.</param>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public HelloBackend(IPEndPoint endpoint)
    {
        _listener = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            _listener.Bind(endpoint);
            _listener.Listen();
            Endpoint = (IPEndPoint)_listener.LocalEndPoint!;
        }
        catch
        {
            _listener.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Serves until <paramref name="cancel"/> is cancelled; connections end with it.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var options = new KestrelServerOptions { AddServerHeader = false, RequestHeaderEncodingSelector = static _ => Encoding.Latin1 };
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MaxRequestHeadersTotalSize = HelloLimits.HeadBytesMax;
        options.Limits.MaxRequestHeaderCount = HelloLimits.HeadersMax;
        options.Limits.MaxConcurrentConnections = HelloLimits.ConnectionsMax;
        options.Limits.MinRequestBodyDataRate = null;
        options.Listen(Endpoint, static listen => listen.Protocols = HttpProtocols.Http1);
        var transport = new SocketTransportOptions { CreateBoundListenSocket = _ => _listener };
        using var server = new KestrelServer(
            Options.Create(options),
            new SocketTransportFactory(Options.Create(transport), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance
        );
        await server.StartAsync(this, CancellationToken.None);
        await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var limit = new CancellationTokenSource(HelloLimits.StopMs);
        await server.StopAsync(limit.Token);
    }

    /// <inheritdoc/>
    public void Dispose() => _listener.Dispose();

    /// <inheritdoc/>
    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    /// <inheritdoc/>
    public void DisposeContext(IFeatureCollection context, Exception? exception) { }

    /// <inheritdoc/>
    public async Task ProcessRequestAsync(IFeatureCollection context)
    {
        var request = context.GetRequiredFeature<IHttpRequestFeature>();
        var response = context.GetRequiredFeature<IHttpResponseFeature>();
        await request.Body.CopyToAsync(Stream.Null);
        long number = Interlocked.Increment(ref _requests);

        // Header values were read as Latin-1 and go out as UTF-8, so whatever bytes came in, valid text goes out.
        byte[] body = Encoding.UTF8.GetBytes(request.Path == "/health" ? "ok\n" : Greeting(request, number));
        response.Headers.ContentType = "text/plain; charset=utf-8";
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentLength = body.Length;
        if (request.Method != "HEAD")
        {
            await context.GetRequiredFeature<IHttpResponseBodyFeature>().Writer.WriteAsync(body);
        }
    }

    private string Greeting(IHttpRequestFeature request, long number)
    {
        double upSecs = TimeProvider.System.GetElapsedTime(_startedAt).TotalSeconds;
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            Hello! I am a small server that Spawngate started because you asked for me.

            host      {request.Headers.Host}
            method    {request.Method}
            path      {request.RawTarget}
            pid       {Environment.ProcessId}
            uptime    {upSecs:0.000} s
            requests  {number}

            Nobody needs me when nobody asks: after the idle timeout I am stopped, and the next
            request starts a new process (watch the pid). These headers came with your request:


            """
        );
        foreach (var (name, values) in request.Headers)
        {
            foreach (string? value in values)
            {
                text.Append("  ").Append(name).Append(": ").Append(value).Append('\n');
            }
        }

        return text.ToString();
    }
}
