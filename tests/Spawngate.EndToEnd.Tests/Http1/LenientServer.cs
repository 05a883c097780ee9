using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A server that takes whatever resembles HTTP, as old or sloppy servers do, and says in each answer which request it believes to answer.
/// It keeps all bytes of every connection, to be read again as other sloppy servers would.
/// </summary>
internal sealed class LenientServer
{
    private readonly ConcurrentBag<List<byte>> _connections = [];

    /// <summary>Serves one connection.</summary>
    public async Task ServeAsync(Socket socket)
    {
        var bytes = new List<byte>();
        _connections.Add(bytes);
        byte[] block = new byte[16 * 1024];
        int answered = 0;
        bool continued = false;
        int count;
        while ((count = await socket.ReceiveAsync(block)) > 0)
        {
            lock (bytes)
            {
                bytes.AddRange(block.AsSpan(0, count));
            }

            byte[] received = [.. bytes];
            while (LenientReader.TryRead(received.AsSpan(answered), LenientReader.Live, out int used, out LenientRequest request))
            {
                answered += used;
                continued = false;
                await socket.SendAsync(Encoding.Latin1.GetBytes(Answer(request)));
            }

            if (
                !continued
                && Encoding
                    .Latin1.GetString(received, answered, received.Length - answered)
                    .Contains("100-continue", StringComparison.OrdinalIgnoreCase)
            )
            {
                continued = true;
                await socket.SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
            }
        }
    }

    /// <summary>
    /// The requests about a tag that each kind of lenient reader sees in all connections so far, sorted; by the name of the reader.
    /// </summary>
    public Dictionary<string, string[]> Sightings(string tag)
    {
        byte[] wanted = Encoding.Latin1.GetBytes(tag);
        byte[][] streams = [.. _connections.Select(Copy).Where(stream => stream.AsSpan().IndexOf(wanted) >= 0)];
        return LenientReader.All.ToDictionary(
            reader => reader.Name,
            reader =>
                streams
                    .SelectMany(stream => LenientReader.ReadAll(stream, reader))
                    .Select(request => request.ToString())
                    .Where(text => text.Contains(tag, StringComparison.Ordinal))
                    .Order(StringComparer.Ordinal)
                    .ToArray()
        );
    }

    private static byte[] Copy(List<byte> bytes)
    {
        lock (bytes)
        {
            return [.. bytes];
        }
    }

    private static string Answer(LenientRequest request)
    {
        string saw = $"{request.Method} {request.Target}";
        return $"HTTP/1.1 200 OK\r\nX-Saw: {saw}\r\nContent-Length: {saw.Length}\r\n\r\n{(request.Method == "HEAD" ? "" : saw)}";
    }
}
