using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Spawngate.Runtime;

namespace Spawngate.Tests.Fakes;

/// <summary>How a call to the fake engine goes wrong.</summary>
internal enum EngineTrouble
{
    /// <summary>It is not answered.</summary>
    Hang,

    /// <summary>The connection is closed without an answer.</summary>
    Cut,

    /// <summary>The connection is closed in the middle of the answer.</summary>
    CutMidway,

    /// <summary>The answer is no HTTP.</summary>
    Noise,

    /// <summary>The answer is HTTP, but not what it should be.</summary>
    Garbage,

    /// <summary>Status 500 with a message.</summary>
    Error,

    /// <summary>Status 500 with a page of a proxy in between.</summary>
    Page,
}

/// <summary>
/// An engine on a Unix socket, or on TCP, that keeps containers in a table and runs none. It does what a real one does until a test has a
/// call go wrong in a way that a real one does not on demand.
/// </summary>
internal sealed class FakeEngine : IDisposable
{
    private readonly Socket _listener;
    private readonly string _folder = Directory.CreateTempSubdirectory("fake-engine-").FullName;
    private readonly ConcurrentDictionary<string, EngineTrouble> _troubles = [];
    private readonly ConcurrentDictionary<string, Func<string>> _answers = [];
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _reached = [];
    private readonly ConcurrentDictionary<Socket, string> _open = [];
    private readonly ConcurrentDictionary<string, FakeContainer> _containers = [];
    private readonly ConcurrentQueue<Socket> _hanging = [];
    private int _created;

    public FakeEngine(string? path = null, bool tcp = false)
    {
        Path = path ?? System.IO.Path.Combine(_folder, "docker.sock");
        _listener = new Socket(tcp ? AddressFamily.InterNetwork : AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(tcp ? new IPEndPoint(IPAddress.Loopback, 0) : new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        Host = tcp ? $"tcp://{_listener.LocalEndPoint}" : $"unix://{Path}";
        _ = AcceptAsync();
    }

    /// <summary>The value of <c>docker_host</c>.</summary>
    public string Host { get; }

    /// <summary>Path of its socket.</summary>
    public string Path { get; }

    /// <summary>Calls so far, as <c>POST /containers/create</c>.</summary>
    public ConcurrentQueue<string> Calls { get; } = new();

    /// <summary>What was asked for so far, as <c>/v1.41/containers/1/stop?t=0</c>.</summary>
    public ConcurrentQueue<string> Targets { get; } = new();

    /// <summary>What there is now.</summary>
    public IReadOnlyCollection<FakeContainer> Containers => [.. _containers.Values];

    /// <summary>Labels of images by their ids.</summary>
    public ConcurrentDictionary<string, Dictionary<string, string>> Images { get; } = new() { [FakeContainer.PlainImage] = [] };

    /// <summary>Has a call go wrong from now on; null for never again.</summary>
    public void Trouble(string call, EngineTrouble? trouble)
    {
        if (trouble is { } kind)
        {
            _troubles[call] = kind;
        }
        else
        {
            _troubles.TryRemove(call, out _);
        }
    }

    /// <summary>Has a call answered with this status line, head and body.</summary>
    public void Answer(string call, Func<string> answer) => _answers[call] = answer;

    /// <summary>Has it answered as if nothing else had been said.</summary>
    public void AnswerAsAlways(string call) => _answers.TryRemove(call, out _);

    /// <summary>Completes when the call has been made, once more than so far.</summary>
    public Task ReachedAsync(string call) =>
        _reached.GetOrAdd(call, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>A container that was there before.</summary>
    public FakeContainer Add(string name, string state, params (string Name, string Value)[] labels)
    {
        var container = new FakeContainer(
            $"{Interlocked.Increment(ref _created):x4}{new string('0', 60)}",
            name,
            "old:1",
            labels.ToDictionary(each => each.Name, each => each.Value)
        )
        {
            State = state,
        };
        _containers[container.Id] = container;
        return container;
    }

    /// <summary>A container ends, which the event stream tells unless it is not open.</summary>
    public void End(FakeContainer container, int status, bool tell = true)
    {
        container.State = "exited";
        container.ExitCode = status;
        CloseStreams($"POST /containers/{container.Id}/attach");
        if (tell)
        {
            var attributes = $$"""{"exitCode":"{{status}}"}""";
            var actor = $$"""{"ID":"{{container.Id}}","Attributes":{{attributes}} }""";
            Send("GET /events", $$"""{"Type":"container","Action":"die","Actor":{{actor}} }""" + "\n");
        }
    }

    /// <summary>What an image says of itself from now on, as the JSON of its configuration.</summary>
    public void ImageSays(string config) =>
        Answer("GET /images/*/json", () => Ok($$"""{"Id":"{{FakeContainer.PlainImage}}","Config":{{config}} }"""));

    /// <summary>The HEALTHCHECK of a container's image has come to a result.</summary>
    public void Judge(FakeContainer container, string status, string output = "", bool tell = true)
    {
        container.Health = $$"""{"Status":"{{status}}","FailingStreak":1,"Log":[{"ExitCode":1,"Output":"{{output}}"}]}""";
        if (tell)
        {
            var actor = $$"""{"ID":"{{container.Id}}","Attributes":{} }""";
            Send("GET /events", $$"""{"Type":"container","Action":"health_status: {{status}}","Actor":{{actor}} }""" + "\n");
        }
    }

    /// <summary>A container is gone, and nobody is told.</summary>
    public void Remove(FakeContainer container) => _containers.TryRemove(container.Id, out _);

    /// <summary>Answers the calls that hang, and those that would.</summary>
    public void AnswerHanging(string answer)
    {
        _troubles.Clear();
        while (_hanging.TryDequeue(out var socket))
        {
            socket.Send(Encoding.UTF8.GetBytes(answer));
        }
    }

    /// <summary>Sends bytes to whoever follows that stream.</summary>
    public void Send(string call, string text) => Send(call, Encoding.UTF8.GetBytes(text));

    /// <summary>Sends bytes to whoever follows that stream.</summary>
    public void Send(string call, byte[] bytes)
    {
        foreach (var (socket, _) in _open.Where(each => each.Value == call))
        {
            try
            {
                socket.Send(bytes);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                _open.TryRemove(socket, out _); // Whoever followed it has left.
            }
        }
    }

    /// <summary>Ends a stream.</summary>
    public void CloseStreams(string call)
    {
        foreach (var (socket, _) in _open.Where(each => each.Value == call))
        {
            _open.TryRemove(socket, out _);
            try
            {
                // It is closed when the other side has read all and closes; if it were at once, that side's kernel would throw away what is
                // on the way.
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Whoever followed it has left.
            }
        }
    }

    /// <summary>Vanishes as a killed engine does: every connection ends, and nobody listens at the socket's file.</summary>
    public void Dispose()
    {
        _listener.Dispose();
        foreach (var socket in _open.Keys)
        {
            socket.Dispose();
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private static string Ok(string json, string head = "") =>
        $"HTTP/1.1 200 OK\r\n{head}Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n\r\n{json}";

    private static string Status(int status, string message)
    {
        var json = message.Length == 0 ? "" : $$"""{"message":"{{message}}"}""";
        return $"HTTP/1.1 {status} Status\r\nContent-Length: {json.Length}\r\n\r\n{json}";
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync();
                _open[socket] = "";
                _ = ServeAsync(socket);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            var text = "";
            var buffer = new byte[64 * 1024];
            while (await socket.ReceiveAsync(buffer.AsMemory()) is var read and > 0)
            {
                text += Encoding.UTF8.GetString(buffer, 0, read);
                while (TakeRequest(ref text, Targets) is var (call, query, body) && await AnswerAsync(socket, call, query, body)) { }
            }

            socket.Dispose();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client went away.
        }
    }

    private static (string Call, string Query, string Body)? TakeRequest(ref string text, ConcurrentQueue<string> targets)
    {
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            return null;
        }

        var length = Regex.Match(text[..end], "Content-Length: (\\d+)", RegexOptions.IgnoreCase) is { Success: true } match
            ? int.Parse(match.Groups[1].Value)
            : 0;
        if (text.Length < end + 4 + length)
        {
            return null;
        }

        var line = text[..text.IndexOf("\r\n", StringComparison.Ordinal)].Split(' ');
        var body = text.Substring(end + 4, length);
        text = text[(end + 4 + length)..];
        targets.Enqueue(Uri.UnescapeDataString(line[1]));
        var target = Regex.Replace(line[1], @"^/v1\.\d+", "").Split('?');
        return ($"{line[0]} {Uri.UnescapeDataString(target[0])}", target.Length > 1 ? Uri.UnescapeDataString(target[1]) : "", body);
    }

    /// <summary>False when this connection brings no further request.</summary>
    private async Task<bool> AnswerAsync(Socket socket, string call, string query, string body)
    {
        Calls.Enqueue(call);
        var kind = KindOf(call);
        if (_troubles.TryGetValue(kind, out var trouble))
        {
            if (trouble == EngineTrouble.Hang)
            {
                _hanging.Enqueue(socket);
            }

            Reach(kind);
            return await MakeTroubleAsync(socket, trouble);
        }

        var isStream = kind is "GET /events" or "POST /containers/*/attach";
        if (isStream)
        {
            _open[socket] = call;
        }

        var answer =
            _answers.TryGetValue(kind, out var scripted) ? scripted()
            : kind == "GET /events" ? "HTTP/1.1 200 OK\r\n\r\n"
            : isStream ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
            : Do(call, query, body);
        await socket.SendAsync(Encoding.UTF8.GetBytes(answer).AsMemory());
        Reach(kind);
        return !isStream;
    }

    private void Reach(string kind)
    {
        _reached.TryRemove(kind, out var reached);
        reached?.TrySetResult();
    }

    private static string KindOf(string call) => Regex.Replace(call, "/(containers|networks|images)/(?!create$|json$)[^/]+", "/$1/*");

    private static async Task<bool> MakeTroubleAsync(Socket socket, EngineTrouble trouble)
    {
        var bytes = trouble switch
        {
            EngineTrouble.CutMidway => "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 100\r\n\r\n{\"Id\":",
            EngineTrouble.Noise => "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            EngineTrouble.Garbage => Ok("<html>hello</html>"),
            EngineTrouble.Error => Status(500, "something is wrong inside"),
            EngineTrouble.Page => "HTTP/1.1 500 Oh\r\nContent-Length: 15\r\n\r\n<html>no</html>",
            _ => "",
        };
        if (bytes.Length > 0)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(bytes).AsMemory());
        }

        if (trouble is EngineTrouble.Cut or EngineTrouble.CutMidway or EngineTrouble.Noise)
        {
            socket.Dispose();
            return false;
        }

        return true;
    }

    private string Do(string call, string query, string body)
    {
        var parts = call.Split(' ', '/');
        return KindOf(call) switch
        {
            "GET /_ping" => Ok("OK", "Api-Version: 1.41\r\n"),
            "GET /containers/json" => Ok(List(query)),
            "GET /networks/*" => Ok("""{"IPAM":{"Config":[{"Gateway":"127.0.0.1"}]}}"""),
            "POST /containers/create" => Create(query, body),
            "GET /images/*/json" => Images.TryGetValue(parts[3], out var labels)
                ? Ok($$"""{"Id":"{{parts[3]}}","Config":{"Labels":{{FakeContainer.JsonOf(labels)}} } }""")
                : Status(404, "No such image"),
            "POST /images/create" => Ok("{\"status\":\"Pulled\"}\n"),
            var kind when parts.Length > 3 && Find(parts[3]) is { } container => DoWith(kind, container),
            _ => Status(404, "no such container"),
        };
    }

    private string DoWith(string kind, FakeContainer container)
    {
        switch (kind)
        {
            case "GET /containers/*/json":
                return Ok(container.Details());
            case "POST /containers/*/start":
                container.State = "running";
                return Status(204, "");
            case "POST /containers/*/stop":
                End(container, 0);
                return Status(204, "");
            case "POST /containers/*/kill":
                End(container, 137);
                return Status(204, "");
            case "DELETE /containers/*":
                _containers.TryRemove(container.Id, out _);
                return Status(204, "");
            default:
                return Status(404, "page not found");
        }
    }

    private FakeContainer? Find(string idOrName) =>
        _containers.TryGetValue(idOrName, out var found) ? found : _containers.Values.FirstOrDefault(each => each.Name == idOrName);

    private string Create(string query, string body)
    {
        var name = query["name=".Length..];
        if (Find(name) is { } holder)
        {
            return Status(409, $"Conflict. The container name is already in use by container {holder.Id}.");
        }

        var labels = Regex
            .Matches(body, "\"(spawngate\\.\\w+)\":\"([^\"]*)\"")
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        var container = Add(name, "created", [.. labels.Select(each => (each.Key, each.Value))]);
        container.Spec = body;
        return Ok($$"""{"Id":"{{container.Id}}","Warnings":[]}""");
    }

    private string List(string query)
    {
        var label = Regex.Match(query, "\"label\":{\"([^=]+)=([^\"]*)\":true}");
        var found = _containers.Values.Where(each => each.Labels.GetValueOrDefault(label.Groups[1].Value) == label.Groups[2].Value);
        return $"[{string.Join(',', found.Select(each => each.Summary()))}]";
    }
}

/// <summary>A container of the fake engine.</summary>
internal sealed class FakeContainer(string id, string name, string image, Dictionary<string, string> labels)
{
    /// <summary>Id of an image without labels.</summary>
    public const string PlainImage = "sha256:plain";

    public string Id => id;

    public string Name => name;

    public Dictionary<string, string> Labels => labels;

    public string State { get; set; } = "created";

    public string ImageId { get; set; } = PlainImage;

    public int ExitCode { get; set; }

    /// <summary>What its engine says of its health, as JSON.</summary>
    public string Health { get; set; } = "null";

    /// <summary>What it was created with.</summary>
    public string Spec { get; set; } = "";

    private string LabelJson => JsonOf(labels);

    public static string JsonOf(Dictionary<string, string> labels) =>
        "{" + string.Join(',', labels.Select(each => $"\"{each.Key}\":\"{each.Value}\"")) + "}";

    public string Summary() =>
        $$"""{"Id":"{{id}}","Names":["/{{name}}"],"ImageID":"{{ImageId}}","State":"{{State}}","Labels":{{LabelJson}} }""";

    public string Details()
    {
        var state = $$"""{"Status":"{{State}}","ExitCode":{{ExitCode}},"OOMKilled":false,"Health":{{Health}} }""";
        const string Network = """{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"45678"}]}}""";
        var config = $$"""{"Image":"{{image}}","Labels":{{LabelJson}} }""";
        return $$"""{"Id":"{{id}}","Name":"/{{name}}","Image":"{{ImageId}}","State":{{state}},"Config":{{config}},"NetworkSettings":{{Network}} }""";
    }
}
