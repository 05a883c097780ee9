using System.Net;
using System.Net.Sockets;
using System.Text;
using Spawngate.Backends;

namespace Spawngate.Microbench;

/// <summary>
/// Stands in for a process: listens on the port it is told and answers every request at once, each connection on a thread of its own with
/// blocking calls, so that it allocates nothing per request.
/// </summary>
/// <param name="response">The whole answer.</param>
/// <param name="requestEnd">The bytes that end every request it gets.</param>
internal sealed class LoopbackBackend(string response, string requestEnd = "\r\n\r\n") : ILauncher, IDisposable
{
    private readonly byte[] _response = Encoding.ASCII.GetBytes(response);
    private readonly byte[] _requestEnd = Encoding.ASCII.GetBytes(requestEnd);
    private readonly List<Socket> _sockets = [];

    /// <inheritdoc/>
    public Task<LaunchResult> LaunchAsync(LaunchRequest request, CancellationToken cancel)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, request.Port));
        listener.Listen();
        Keep(listener);
        new Thread(() => Accept(listener)) { IsBackground = true }.Start();
        return Task.FromResult(new LaunchResult(new Run(this), null));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_sockets)
        {
            foreach (var socket in _sockets)
            {
                socket.Dispose();
            }
        }
    }

    private void Accept(Socket listener)
    {
        try
        {
            while (true)
            {
                var connection = listener.Accept();
                connection.NoDelay = true;
                Keep(connection);
                new Thread(() => Answer(connection)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed of: the benchmark is over.
        }
    }

    private void Answer(Socket connection)
    {
        byte[] buffer = new byte[16384];
        int length = 0;
        try
        {
            while (connection.Receive(buffer.AsSpan(length)) is var received and > 0)
            {
                length += received;
                if (buffer.AsSpan(0, length).EndsWith(_requestEnd))
                {
                    length = 0;
                    connection.Send(_response);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The other side closed.
        }
    }

    private void Keep(Socket socket)
    {
        lock (_sockets)
        {
            _sockets.Add(socket);
        }
    }

    private sealed class Run(LoopbackBackend backend) : ILaunchedRun
    {
        private readonly TaskCompletionSource<ExitReport> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Description => "in this process";

        public int? Pid => null;

        public Task<ExitReport> Exited => _exited.Task;

        public void Terminate() => Kill();

        public void Kill()
        {
            backend.Dispose();
            _exited.TrySetResult(new ExitReport("ended", 0, []));
        }
    }
}
