using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>A page that talks to its own server over a WebSocket and reports how that went, and the server of it.</summary>
internal sealed class BrowserPage
{
    private const string Html = """
        <!DOCTYPE html><title>WebSocket</title><script>
        const sizes = [0, 1, 1024, 16 * 1024 * 1024];
        const socket = new WebSocket(`ws://${location.host}/ws`);
        socket.binaryType = "arraybuffer";
        const report = text => fetch("/report?" + encodeURIComponent(text));
        const next = () => sizes.length ? socket.send(new Uint8Array(sizes[0]).fill(sizes[0] % 251)) : socket.close(4002, "bye");
        socket.onopen = next;
        socket.onerror = () => report("error");
        socket.onmessage = event => {
          const size = sizes.shift();
          const bytes = new Uint8Array(event.data);
          if (bytes.length !== size || bytes.some(each => each !== size % 251)) report(`echo of ${size}`);
          next();
        };
        socket.onclose = event => report(event.wasClean && event.code === 4002 && !sizes.length ? "well" : `closed ${event.code} ${sizes}`);
        </script>
        """;

    private readonly TaskCompletionSource<string> _report = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Target of the page's report.</summary>
    public Task<string> Report => _report.Task;

    /// <summary>Serves one connection.</summary>
    public async Task ServeAsync(Socket socket)
    {
        using var peer = new UpstreamPeer(socket);
        while (await peer.ReadHeadAsync() is { } request)
        {
            if (request.Field("Sec-WebSocket-Key") is { } key)
            {
                await EchoAsync(peer, key);
                return;
            }

            if (request.Target.StartsWith("/report", StringComparison.Ordinal))
            {
                _report.TrySetResult(request.Target);
            }

            string body = request.Target == "/" ? Html : "";
            await peer.SendAsync($"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        }
    }

    private static async Task EchoAsync(UpstreamPeer peer, string key)
    {
        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        await peer.SendAsync(
            $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        using WebSocket socket = WebSocket.CreateFromStream(
            new NetworkStream(peer.Socket),
            new WebSocketCreationOptions { IsServer = true }
        );
        byte[] block = new byte[64 * 1024];
        while (true)
        {
            WebSocketReceiveResult part = await socket.ReceiveAsync(block, CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(
                    part.CloseStatus ?? WebSocketCloseStatus.Empty,
                    part.CloseStatusDescription,
                    CancellationToken.None
                );
                return;
            }

            await socket.SendAsync(block.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, CancellationToken.None);
        }
    }
}
