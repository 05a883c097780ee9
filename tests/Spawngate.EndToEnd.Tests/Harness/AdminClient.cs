using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>The admin API of one gateway.</summary>
internal sealed class AdminClient(int port) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
    {
        BaseAddress = new Uri($"http://127.0.0.1:{port}"),
        Timeout = Patience.Default,
    };

    /// <summary>Bearer token to send; null for none.</summary>
    public string? Token { get; set; }

    /// <summary>Sends one request; a body is sent as JSON.</summary>
    public Task<HttpResponseMessage> SendAsync(
        HttpMethod method,
        string path,
        string? host = null,
        string? body = null,
        HttpCompletionOption until = HttpCompletionOption.ResponseContentRead
    )
    {
        var request = new HttpRequestMessage(method, path)
        {
            Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.Host = host;
        request.Headers.Authorization = Token is null ? null : new AuthenticationHeaderValue("Bearer", Token);
        return _http.SendAsync(request, until);
    }

    /// <summary>Status of a GET; null when the port does not answer at all.</summary>
    public async Task<HttpStatusCode?> StatusAsync(string path)
    {
        try
        {
            using HttpResponseMessage response = await SendAsync(HttpMethod.Get, path);
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Status of a POST.</summary>
    public async Task<HttpStatusCode> PostAsync(string path)
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Post, path);
        return response.StatusCode;
    }

    /// <summary>Body of a successful GET.</summary>
    public async Task<string> TextAsync(string path)
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Get, path);
        string text = await response.Content.ReadAsStringAsync();
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        return text;
    }

    /// <summary>Body of a successful GET as JSON.</summary>
    public async Task<JsonElement> JsonAsync(string path) => JsonDocument.Parse(await TextAsync(path)).RootElement;

    /// <summary>What the API says of one backend.</summary>
    public Task<JsonElement> BackendAsync(string host) => JsonAsync("/backends/" + host);

    /// <summary>State of one backend.</summary>
    public async Task<string> StateAsync(string host) => (await BackendAsync(host)).GetProperty("state").GetString()!;

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
