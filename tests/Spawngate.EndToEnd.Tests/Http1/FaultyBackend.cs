using System.Net.Sockets;
using System.Threading.Channels;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>What a script does with one request; true to keep the connection.</summary>
internal delegate Task<bool> UpstreamScript(UpstreamPeer peer, UpstreamRequest request);

/// <summary>A scripted backend that belongs to one test at a time, so that what is in flight at it is that test's alone.</summary>
internal sealed class FaultyBackend(string host, bool isPatient)
{
    /// <summary>The answer to whatever has no script.</summary>
    public const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    private static readonly Channel<FaultyBackend> Patient = Channel.CreateBounded<FaultyBackend>(16);
    private static readonly Channel<FaultyBackend> Hasty = Channel.CreateBounded<FaultyBackend>(16);
    private readonly bool _isPatient = isPatient;
    private volatile UpstreamScript? _script;

    /// <summary>Its host name.</summary>
    public string Host { get; } = host;

    /// <summary>Waits for a free one, with a request timeout of half a minute or of a second.</summary>
    public static ValueTask<FaultyBackend> TakeAsync(bool patient) => Free(patient).Reader.ReadAsync();

    /// <summary>Gives it back.</summary>
    public static void Give(FaultyBackend backend)
    {
        backend._script = null;
        Free(backend._isPatient).Writer.TryWrite(backend);
    }

    private static Channel<FaultyBackend> Free(bool patient) => patient ? Patient : Hasty;

    /// <summary>Lets the target <c>/fault</c> be answered so from now on.</summary>
    public void Answers(UpstreamScript script) => _script = script;

    /// <summary>Serves one connection.</summary>
    public async Task ServeAsync(Socket socket)
    {
        using var peer = new UpstreamPeer(socket);
        while (await peer.ReadHeadAsync() is { } request)
        {
            if (request.Target == "/fault" && _script is { } script)
            {
                if (!await script(peer, request))
                {
                    return;
                }

                continue;
            }

            if (!await peer.ReadBodyAsync(request))
            {
                return;
            }

            await peer.SendAsync(Ok);
        }
    }
}
