using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>One running TestBackend as the test sees it over its control connection.</summary>
internal sealed class BackendProcess : IDisposable
{
    private readonly Socket _socket;
    private readonly LineLog<string> _lines;
    private readonly List<long> _checked = [];

    /// <summary>Takes over an accepted control connection.</summary>
    public BackendProcess(Socket socket)
    {
        _socket = socket;
        _lines = new LineLog<string>(Note);
        Exited = _lines.ReadAsync(new NetworkStream(socket));
    }

    /// <summary>Name given by <c>--name</c>.</summary>
    public string Name { get; private set; } = "";

    /// <summary>Process id.</summary>
    public int Pid { get; private set; }

    /// <summary>The port it was told to listen on.</summary>
    public int Port { get; private set; }

    /// <summary>Completes when the process has ended: the kernel closes its connection then, whatever it died of.</summary>
    public Task Exited { get; }

    /// <summary>When it told of health checks (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    public long[] Checked
    {
        get
        {
            lock (_checked)
            {
                return [.. _checked];
            }
        }
    }

    /// <summary>All it has told so far.</summary>
    public IReadOnlyList<string> Told => _lines.Lines;

    /// <summary>Waits for the first message, which introduces the process.</summary>
    public async Task IntroduceAsync()
    {
        string start = await _lines
            .FirstAsync(line => line.StartsWith("start ", StringComparison.Ordinal))
            .InTimeAsync("introduction of a backend");
        Dictionary<string, string> fields = start
            .Split(' ')
            .Skip(1)
            .Select(each => each.Split('='))
            .ToDictionary(each => each[0], each => each[1]);
        Name = fields["name"];
        Pid = int.Parse(fields["pid"], CultureInfo.InvariantCulture);
        Port = int.Parse(fields["port"], CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until the process tells something that begins so, in the past or from now on.</summary>
    public Task<string> ToldAsync(string beginning) =>
        _lines.FirstAsync(line => line.StartsWith(beginning, StringComparison.Ordinal)).InTimeAsync($"{Name} tells '{beginning}'");

    /// <summary>Waits until the process has told something that begins so <paramref name="count"/> times.</summary>
    public Task ToldTimesAsync(string beginning, int count)
    {
        int seen = 0;
        return _lines
            .FirstAsync(line => line.StartsWith(beginning, StringComparison.Ordinal) && ++seen == count)
            .InTimeAsync($"{Name} tells '{beginning}' {count} times");
    }

    /// <summary>Gives a command and waits until it has been carried out.</summary>
    public async Task DoAsync(string command)
    {
        int before = Told.Count;
        await SendAsync(command);
        await _lines.FromAsync(before, line => line == "done " + command).InTimeAsync($"{Name} does '{command}'");
    }

    /// <summary>Gives a command without waiting, for those that end the process.</summary>
    public Task SendAsync(string command) => _socket.SendAsync(Encoding.UTF8.GetBytes(command + "\n"));

    /// <summary>Waits until the process has ended.</summary>
    public Task ExitedInTimeAsync(TimeSpan? limit = null) => Exited.InTimeAsync($"exit of {Name} {Pid}", limit);

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private string Note(string line)
    {
        if (line.StartsWith("health ", StringComparison.Ordinal))
        {
            lock (_checked)
            {
                _checked.Add(Stopwatch.GetTimestamp());
            }
        }

        return line;
    }
}
