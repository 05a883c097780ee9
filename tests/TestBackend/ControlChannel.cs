using System.Net;
using System.Net.Sockets;
using System.Text;

namespace TestBackend;

/// <summary>
/// The line by which a test watches and steers this process: it tells what happens here (<c>start</c>, <c>listening</c>,
/// <c>hold KEY</c>, <c>sigterm</c>), takes commands, and its end of file is the proof that the process has ended.
/// </summary>
internal sealed class ControlChannel
{
    private readonly Lock _sending = new();
    private readonly Socket? _socket;

    /// <summary>Connects to the test's control port; without one all messages go nowhere.</summary>
    public ControlChannel(IPEndPoint? test)
    {
        if (test is not null)
        {
            _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _socket.Connect(test);
        }
    }

    /// <summary>Sends one line.</summary>
    public void Tell(string line)
    {
        if (_socket is null)
        {
            return;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
        lock (_sending)
        {
            try
            {
                _socket.Send(bytes);
            }
            catch (SocketException)
            {
                // The test is gone; this process goes when its gateway stops it.
            }
        }
    }

    /// <summary>Runs <paramref name="execute"/> for each line that the test sends, and confirms it with <c>done LINE</c>.</summary>
    public async Task ObeyAsync(Action<string, string> execute)
    {
        if (_socket is null)
        {
            return;
        }

        using var reader = new StreamReader(new NetworkStream(_socket), Encoding.UTF8);
        while (await reader.ReadLineAsync() is { } line)
        {
            int space = line.IndexOf(' ', StringComparison.Ordinal);
            execute(space < 0 ? line : line[..space], space < 0 ? "" : line[(space + 1)..]);
            Tell("done " + line);
        }
    }
}
