using System.Net.Sockets;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>One notice to a service manager.</summary>
/// <param name="Fields">Its <c>NAME=value</c> lines.</param>
internal sealed record Notice(IReadOnlyDictionary<string, string> Fields)
{
    /// <summary>Whether it has this line.</summary>
    public bool Is(string name, string value = "1") => Fields.TryGetValue(name, out string? found) && found == value;
}

/// <summary>The end of a notify socket that the service manager holds.</summary>
internal sealed class NoticeListener : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly LineLog<Notice> _notices = new(_ => throw new NotSupportedException());

    /// <summary>Listens at an address as it is written in <c>NOTIFY_SOCKET</c>.</summary>
    public NoticeListener(string address)
    {
        Address = address;
        _socket.Bind(new UnixDomainSocketEndPoint(address.StartsWith('@') ? $"\0{address[1..]}" : address));
        _ = ReceiveAsync();
    }

    /// <summary>The value for <c>NOTIFY_SOCKET</c>.</summary>
    public string Address { get; }

    /// <summary>What came so far.</summary>
    public IReadOnlyList<Notice> All => _notices.Lines;

    /// <summary>Waits for a notice that says <c>name=1</c>, not counting the first <paramref name="skip"/> notices.</summary>
    public Task<Notice> SaysAsync(string name, int skip = 0) =>
        _notices.FromAsync(skip, notice => notice.Is(name)).InTimeAsync($"{name}=1");

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private async Task ReceiveAsync()
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                int length = await _socket.ReceiveAsync(buffer);
                string[] lines = Encoding.UTF8.GetString(buffer, 0, length).Split('\n', StringSplitOptions.RemoveEmptyEntries);
                _notices.Add(new Notice(lines.Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1])));
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
