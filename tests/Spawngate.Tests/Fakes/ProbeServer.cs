using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.Tests.Fakes;

/// <summary>A real socket that answers each request with the next text; when there is none left, it stays silent.</summary>
internal sealed class ProbeServer : IDisposable
{
    private readonly Socket _listener;
    private readonly Queue<string> _answers;
    private readonly List<Socket> _open = [];
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProbeServer(params string[] answers)
        : this(new IPEndPoint(IPAddress.Loopback, 0), answers) { }

    public ProbeServer(IPEndPoint endPoint, params string[] answers)
    {
        _listener = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _answers = new Queue<string>(answers);
        _listener.Bind(endPoint);
        _listener.Listen();
        _ = AcceptAsync();
    }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    public bool CloseAfterAnswer { get; init; }

    public List<string> Requests { get; } = [];

    public int Connections { get; private set; }

    public Task Accepted => _accepted.Task;

    public void Dispose()
    {
        _listener.Dispose();
        lock (_open)
        {
            _open.ForEach(static socket => socket.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                Connections++;
                _accepted.TrySetResult();
                lock (_open)
                {
                    _open.Add(socket);
                }

                _ = ServeAsync(socket);
            }
        }
        catch (SocketException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory()) is var read and > 0)
            {
                Requests.Add(Encoding.ASCII.GetString(buffer, 0, read));
                if (!_answers.TryDequeue(out var answer))
                {
                    continue;
                }

                await socket.SendAsync(Encoding.ASCII.GetBytes(answer).AsMemory());
                if (CloseAfterAnswer)
                {
                    socket.Dispose();
                    return;
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The probe went away.
        }
    }
}
