namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Messages that the tests of faults send up to some point.</summary>
internal static class ClientMessage
{
    /// <summary>A POST with a body of ten bytes up to that point.</summary>
    public static string Until(FaultPoint at, Func<string, string, string> headOf, bool chunked)
    {
        string head = headOf("POST", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 10\r\n");
        return at switch
        {
            FaultPoint.BeforeHead => "",
            FaultPoint.InHead => head[..25],
            FaultPoint.AfterHead => head,
            FaultPoint.InBody => head + (chunked ? "a\r\n01234" : "01234"),
            _ => head + (chunked ? "a\r\n0123456789\r\n0\r\n\r\n" : "0123456789"),
        };
    }

    /// <summary>Sends a response that does not end, until nobody takes it any more.</summary>
    public static async Task SendForEverAsync(UpstreamPeer peer, bool chunked, TaskCompletionSource cancelled)
    {
        byte[] block = new byte[64 * 1024];
        try
        {
            await peer.SendAsync(
                $"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 1000000000000")}\r\n\r\n"
            );
            while (true)
            {
                await peer.SendAsync(chunked ? $"{block.Length:x}\r\n" : "");
                await peer.SendAsync(block);
                await peer.SendAsync(chunked ? "\r\n" : "");
            }
        }
        finally
        {
            cancelled.TrySetResult();
        }
    }
}
