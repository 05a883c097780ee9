using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.Tests.Fakes;

/// <summary>A collector of spans: takes POST, decodes what it gets, and answers as a test wants.</summary>
internal sealed class OtlpCollector : IDisposable
{
    private readonly TcpListener _listener;
    private readonly Lock _gate = new();
    private readonly List<(string Service, OtlpSpan Span)> _spans = [];
    private readonly List<string> _heads = [];
    private int _status = 200;

    public OtlpCollector(int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What it answers; spans count only with 200.</summary>
    public int Status
    {
        get => Volatile.Read(ref _status);
        set => Volatile.Write(ref _status, value);
    }

    /// <summary>Whether it answers at all.</summary>
    public bool IsSilent { get; init; }

    public List<(string Service, OtlpSpan Span)> Spans
    {
        get
        {
            lock (_gate)
            {
                return [.. _spans];
            }
        }
    }

    /// <summary>The heads of all requests.</summary>
    public List<string> Heads
    {
        get
        {
            lock (_gate)
            {
                return [.. _heads];
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync().ConfigureAwait(false));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end of the test.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                while (await ReadHeadAsync(stream).ConfigureAwait(false) is { } head)
                {
                    int length = int.Parse(
                        head.Split("Content-Length: ")[1].Split("\r\n")[0],
                        System.Globalization.CultureInfo.InvariantCulture
                    );
                    byte[] body = new byte[length];
                    await stream.ReadExactlyAsync(body).ConfigureAwait(false);
                    Take(head, body);
                    if (!IsSilent)
                    {
                        await stream
                            .WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {Status} x\r\nContent-Length: 0\r\n\r\n"))
                            .ConfigureAwait(false);
                    }
                }
            }
            catch (IOException)
            {
                // The exporter has gone.
            }
        }
    }

    private void Take(string head, byte[] body)
    {
        lock (_gate)
        {
            _heads.Add(head);
            if (Status == 200 && !IsSilent)
            {
                _spans.AddRange(OtlpSpan.ReadAll(body));
            }
        }
    }

    private static async Task<string?> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one).ConfigureAwait(false) == 0)
            {
                return null;
            }

            head.Append((char)one[0]);
        }

        return head.ToString();
    }
}
