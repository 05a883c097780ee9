using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace TestBackend;

/// <summary>The paths that leave HTTP behind.</summary>
internal static class Upgrades
{
    private const string WebSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 1.3

    /// <summary>
    /// Protocol <c>echo</c>: after 101 every byte comes back; at the peer's end of file the rest is sent, then a farewell, then the end.
    /// With <c>first=TEXT</c> that text travels in the same packet as the 101.
    /// </summary>
    public static async Task<bool> RawAsync(Connection connection, Request request, ServerState server)
    {
        if (request.Header("Upgrade") is null || request.Query("refuse") == "1")
        {
            await connection.RespondAsync(request, 426, "upgrade refused", headers: "Upgrade: echo\r\n");
            return true;
        }

        await connection.SendAsync(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" + request.Query("first")
        );
        server.Control.Tell("tunnel");
        await connection.ReadToEndAsync(part => connection.SendAsync(part));
        server.Control.Tell("tunnel half-closed");
        await connection.SendAsync(request.Query("farewell"));
        connection.Socket.Shutdown(SocketShutdown.Send);
        return false;
    }

    /// <summary>WebSocket echo (RFC 6455): data and ping frames come back, a close frame is answered and ends the connection.</summary>
    public static async Task<bool> WebSocketAsync(Connection connection, Request request, ServerState server)
    {
        if (request.Header("Sec-WebSocket-Key") is not { } key)
        {
            await connection.RespondAsync(request, 400, "not a WebSocket handshake");
            return true;
        }

        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + WebSocketGuid)));
        await connection.SendAsync(
            $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        server.Control.Tell("tunnel");
        while (true)
        {
            (byte first, byte[] payload) = await ReadFrameAsync(connection);
            const byte OpcodeMask = 0x0f,
                Close = 0x8,
                Ping = 0x9,
                Pong = 0xa;
            byte opcode = (byte)(first & OpcodeMask);
            if (opcode != Pong)
            {
                byte answer = opcode == Ping ? (byte)(first & ~OpcodeMask | Pong) : first;
                await connection.SendAsync(Frame(answer, payload));
            }

            if (opcode == Close)
            {
                return false;
            }
        }
    }

    private static async Task<(byte First, byte[] Payload)> ReadFrameAsync(Connection connection)
    {
        byte[] start = await connection.ReadArrayAsync(2);
        int length = start[1] & 0x7f;
        if (length == 126)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(await connection.ReadArrayAsync(2));
        }
        else if (length == 127)
        {
            length = checked((int)BinaryPrimitives.ReadUInt64BigEndian(await connection.ReadArrayAsync(8)));
        }

        byte[] mask = (start[1] & 0x80) != 0 ? await connection.ReadArrayAsync(4) : new byte[4];
        byte[] payload = await connection.ReadArrayAsync(length);
        for (int i = 0; i < payload.Length; i++)
        {
            payload[i] ^= mask[i % 4];
        }

        return (start[0], payload);
    }

    private static byte[] Frame(byte first, byte[] payload)
    {
        byte[] head = payload.Length switch
        {
            < 126 => [first, (byte)payload.Length],
            <= ushort.MaxValue => [first, 126, (byte)(payload.Length >> 8), (byte)payload.Length],
            _ =>
            [
                first,
                127,
                0,
                0,
                0,
                0,
                (byte)(payload.Length >> 24),
                (byte)(payload.Length >> 16),
                (byte)(payload.Length >> 8),
                (byte)payload.Length,
            ],
        };
        return [.. head, .. payload];
    }
}
