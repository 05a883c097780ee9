using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>The engine refused a call.</summary>
internal sealed class DockerRefusalException(HttpStatusCode status, string call, string message)
    : Exception($"{call}: {(int)status} {message}")
{
    /// <summary>Status of the answer.</summary>
    public HttpStatusCode Status { get; } = status;
}

/// <summary>Calls to one engine. Paths are those of the Engine API without a version.</summary>
internal sealed class DockerApi(string socketPath) : IDisposable
{
    /// <summary>Credentials that say: none.</summary>
    private const string NoCredentials = "e30=";

    private readonly HttpClient _http = new(
        new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        }
    )
    {
        BaseAddress = new Uri("http://docker"),
        Timeout = 3 * Patience.Default,
    };

    /// <summary>GET with a JSON answer.</summary>
    public Task<JsonElement> GetAsync(string path) => CallAsync(HttpMethod.Get, path, null);

    /// <summary>POST, with a JSON body if one is given.</summary>
    public Task<JsonElement> PostAsync(string path, object? body = null) =>
        CallAsync(HttpMethod.Post, path, body is null ? null : Json(body));

    /// <summary>DELETE.</summary>
    public Task DeleteAsync(string path) => CallAsync(HttpMethod.Delete, path, null);

    /// <summary>All containers, running or not, that have every label given as <c>key</c> or <c>key=value</c>.</summary>
    public async Task<List<JsonElement>> ContainersAsync(params string[] labels)
    {
        string filters = JsonSerializer.Serialize(new { label = labels });
        return [.. (await GetAsync($"/containers/json?all=1&filters={Uri.EscapeDataString(filters)}")).EnumerateArray()];
    }

    /// <summary>Names of all containers, running or not.</summary>
    public async Task<List<string>> NamesAsync() =>
        [
            .. (await GetAsync("/containers/json?all=1"))
                .EnumerateArray()
                .SelectMany(each => each.GetProperty("Names").EnumerateArray())
                .Select(each => each.GetString()!.TrimStart('/')),
        ];

    /// <summary>What <c>docker inspect</c> says of a container.</summary>
    public Task<JsonElement> InspectAsync(string container) => GetAsync($"/containers/{container}/json");

    /// <summary>What <c>docker inspect</c> says of a container; null when there is none.</summary>
    public async Task<JsonElement?> FindAsync(string container)
    {
        try
        {
            return await InspectAsync(container);
        }
        catch (DockerRefusalException refusal) when (refusal.Status == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Creates and starts a container, and returns its id.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="settings">The body of <c>/containers/create</c>.</param>
    public async Task<string> RunAsync(string name, object settings)
    {
        string id = (await PostAsync($"/containers/create?name={name}", settings)).GetProperty("Id").GetString()!;
        await PostAsync($"/containers/{id}/start");
        return id;
    }

    /// <summary>Sends a signal to the first process of a container.</summary>
    public Task KillAsync(string container, string signal = "KILL") => PostAsync($"/containers/{container}/kill?signal={signal}");

    /// <summary>Waits until a container has ended and returns its exit code.</summary>
    public async Task<int> ExitAsync(string container) =>
        (await PostAsync($"/containers/{container}/wait")).GetProperty("StatusCode").GetInt32();

    /// <summary>Runs a command in a container to its end and returns its exit code.</summary>
    public async Task<int> ExecAsync(string container, params string[] command)
    {
        JsonElement made = await PostAsync(
            $"/containers/{container}/exec",
            new
            {
                Cmd = command,
                AttachStdout = true,
                AttachStderr = true,
            }
        );
        string id = made.GetProperty("Id").GetString()!;
        using HttpResponseMessage output = await _http.PostAsync($"/exec/{id}/start", Json(new { Detach = false }));
        await output.Content.ReadAsByteArrayAsync();
        return (await GetAsync($"/exec/{id}/json")).GetProperty("ExitCode").GetInt32();
    }

    /// <summary>Removes a container, running or not, with its anonymous volumes; none is no error.</summary>
    public async Task RemoveAsync(string container)
    {
        try
        {
            await DeleteAsync($"/containers/{container}?force=1&v=1");
        }
        catch (DockerRefusalException refusal) when (refusal.Status is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            // Gone already, or on its way.
        }
    }

    /// <summary>What a container without a terminal has written so far: stdout and stderr.</summary>
    public async Task<(string Out, string Error)> OutputAsync(string container)
    {
        byte[] all = await _http.GetByteArrayAsync($"/containers/{container}/logs?stdout=1&stderr=1");
        StringBuilder output = new(),
            error = new();
        for (int at = 0; at < all.Length; )
        {
            int length = (int)BinaryPrimitives.ReadUInt32BigEndian(all.AsSpan(at + 4));
            (all[at] == 2 ? error : output).Append(Encoding.UTF8.GetString(all, at + 8, length));
            at += 8 + length;
        }

        return (output.ToString(), error.ToString());
    }

    /// <summary>Follows the log of a container line by line until it ends.</summary>
    public async Task<LineLog<T>> FollowAsync<T>(string container, Func<string, T> parse)
    {
        var lines = new LineLog<T>(parse);
        Stream stream = await _http.GetStreamAsync($"/containers/{container}/logs?stdout=1&stderr=1&follow=1");
        _ = lines.ReadAsync(new DemultiplexedStream(stream));
        return lines;
    }

    /// <summary>Events of containers from now on, as the JSON of one line each.</summary>
    public async Task<LineLog<JsonElement>> EventsAsync()
    {
        var events = new LineLog<JsonElement>(line => JsonDocument.Parse(line).RootElement);
        Stream stream = await _http.GetStreamAsync("/events?filters=" + Uri.EscapeDataString("""{"type":["container"]}"""));
        _ = events.ReadAsync(stream);
        return events;
    }

    /// <summary>Makes an image of a tar archive.</summary>
    /// <param name="name">Repository and tag.</param>
    /// <param name="tar">The file system.</param>
    /// <param name="changes">Lines of a Dockerfile.</param>
    public async Task ImportAsync(string name, Stream tar, params string[] changes)
    {
        string query = string.Concat(changes.Select(each => "&changes=" + Uri.EscapeDataString(each)));
        string[] parts = Parts(name);
        await StreamedAsync(
            HttpMethod.Post,
            $"/images/create?fromSrc=-&repo={parts[0]}&tag={parts[1]}{query}",
            new StreamContent(tar),
            null
        );
    }

    /// <summary>Builds an image of an archive with a Dockerfile and what it copies.</summary>
    public async Task BuildAsync(string name, Stream tar)
    {
        var content = new StreamContent(tar);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-tar");
        await StreamedAsync(HttpMethod.Post, $"/build?t={name}&rm=1&forcerm=1", content, null);
    }

    /// <summary>Gives an image another name.</summary>
    public Task TagAsync(string image, string name) => PostAsync($"/images/{image}/tag?repo={Parts(name)[0]}&tag={Parts(name)[1]}");

    /// <summary>Pushes an image to the registry that its name says.</summary>
    /// <param name="name">Registry, repository and tag.</param>
    /// <param name="credentials">Value of <c>X-Registry-Auth</c>; null for none.</param>
    public Task PushAsync(string name, string? credentials = null) =>
        StreamedAsync(HttpMethod.Post, $"/images/{Parts(name)[0]}/push?tag={Parts(name)[1]}", null, credentials ?? NoCredentials);

    /// <summary>Pulls an image from the registry that its name says, without credentials.</summary>
    public Task PullAsync(string name) =>
        StreamedAsync(HttpMethod.Post, $"/images/create?fromImage={Parts(name)[0]}&tag={Parts(name)[1]}", null, null);

    /// <summary>Removes one name of an image; none is no error.</summary>
    public async Task RemoveImageAsync(string name)
    {
        try
        {
            await DeleteAsync($"/images/{name}?force=1");
        }
        catch (DockerRefusalException refusal) when (refusal.Status == HttpStatusCode.NotFound)
        {
            // That is what was wanted.
        }
    }

    /// <summary>Whether the engine has an image of this name.</summary>
    public async Task<bool> HasImageAsync(string name)
    {
        using HttpResponseMessage response = await _http.GetAsync($"/images/{name}/json");
        return response.StatusCode == HttpStatusCode.OK;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static string[] Parts(string name)
    {
        int colon = name.LastIndexOf(':');
        return [name[..colon], name[(colon + 1)..]];
    }

    private static StringContent Json(object body) => new(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");

    private async Task<JsonElement> CallAsync(HttpMethod method, string path, HttpContent? content)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using HttpResponseMessage response = await _http.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode)
        {
            throw new DockerRefusalException(response.StatusCode, $"{method} {path}", text);
        }

        return text.Length == 0 ? default : JsonDocument.Parse(text).RootElement;
    }

    // These calls answer 200 at once and tell of errors in a line of their progress.
    private async Task StreamedAsync(HttpMethod method, string path, HttpContent? content, string? credentials)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (credentials is not null)
        {
            request.Headers.Add("X-Registry-Auth", credentials);
        }

        using HttpResponseMessage response = await _http.SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        if (!response.IsSuccessStatusCode || text.Contains("\"error\"", StringComparison.Ordinal))
        {
            throw new DockerRefusalException(response.StatusCode, $"{method} {path}", text);
        }
    }
}
