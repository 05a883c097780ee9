using System.Net.Sockets;

namespace TestBackend;

/// <summary>Bodies of <see cref="MarkedBytes"/>, which may be cut on the way, in order or by a reset.</summary>
internal static class Marked
{
    private const int BlockBytes = 16 * 1024;

    /// <summary>
    /// <c>?mark=NUMBER&amp;n=BYTES&amp;framing=length|chunked|close</c>, and <c>&amp;cut=BYTES&amp;how=end|reset</c> to end the connection
    /// after so many.
    /// </summary>
    public static async Task<bool> SendAsync(Connection connection, Request request, ServerState server)
    {
        int number = (int)request.QueryNumber("mark", 0);
        long count = request.QueryNumber("n", 0);
        long cut = request.QueryNumber("cut", -1);
        string framing = request.Query("framing", "length");
        string fields = framing switch
        {
            "chunked" => "Transfer-Encoding: chunked\r\n",
            "close" => "Connection: close\r\n",
            _ => $"Content-Length: {count}\r\n",
        };
        await connection.SendAsync($"HTTP/1.1 200 OK\r\n{MarkedBytes.Field}: {number}\r\n{fields}\r\n");
        byte[] block = new byte[BlockBytes];
        long end = cut >= 0 ? cut : count;
        for (long offset = 0; offset < end; offset += block.Length)
        {
            Memory<byte> part = block.AsMemory(0, (int)Math.Min(block.Length, end - offset));
            MarkedBytes.Fill(part.Span, number, offset);
            bool isLast = framing == "length" && cut < 0 && offset + block.Length >= count;
            await (
                framing == "chunked" ? Routes.SendChunkAsync(connection, part)
                : isLast ? connection.SendLastAsync(part)
                : connection.SendAsync(part)
            );
        }

        if (cut >= 0)
        {
            if (request.Query("how") == "reset")
            {
                connection.Socket.LingerState = new LingerOption(true, 0);
            }

            return false;
        }

        if (framing == "chunked")
        {
            await connection.SendAsync("0\r\n\r\n");
        }

        return framing != "close";
    }

    /// <summary><c>?mark=NUMBER</c>: reads the body, and answers how long it was and where the first strange byte stood, or -1.</summary>
    public static async Task<bool> TakeAsync(Connection connection, Request request, ServerState server)
    {
        int number = (int)request.QueryNumber("mark", 0);
        long length = 0;
        long stranger = -1;
        await connection.ContinueAsync(request);
        await connection.ReadBodyAsync(request, part =>
        {
            stranger = stranger >= 0 ? stranger : MarkedBytes.FindStranger(part.Span, number, length);
            length += part.Length;
            if (stranger >= 0)
            {
                server.Control.Tell($"stranger {number} {stranger}");
            }

            return Task.CompletedTask;
        });
        await connection.RespondAsync(request, 200, $"{length} {stranger}", headers: $"{MarkedBytes.Field}: {number}\r\n");
        return true;
    }
}
