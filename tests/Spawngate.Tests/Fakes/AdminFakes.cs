using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Spawngate.Admin;
using Spawngate.Backends;
using Spawngate.Composition;
using Spawngate.Config;
using Spawngate.Platform;
using Spawngate.Sessions;
using Spawngate.Telemetry;
using Spawngate.Telemetry.History;

namespace Spawngate.Tests;

/// <summary>Backends as the admin API sees them, made of plain fields.</summary>
internal sealed class FakeAdminBackends : IAdminBackends
{
    public List<BackendReport> Reports { get; } = [];

    public List<(string Hostname, AdminCommand Command)> Commands { get; } = [];

    public List<(string Hostname, string? Token, bool AdminAuthorised)> ReadyCalls { get; } = [];

    public Dictionary<string, List<BackendLogLine>> Logs { get; } = [];

    /// <summary>Followers hand themselves over here when they are made.</summary>
    public Channel<FakeFollower> Followers { get; } = Channel.CreateUnbounded<FakeFollower>();

    public string ReadyToken { get; set; } = "right";

    public Exception? Fault { get; set; }

    public string? EndsAtCommand { get; set; }

    public bool IsFullOfCommands { get; set; }

    public int FollowersFree { get; set; } = int.MaxValue;

    public IReadOnlyList<BackendReport> ReportAll() => Fault is null ? Reports : throw Fault;

    public BackendReport? Report(string hostname) => Reports.Find(report => report.Name == hostname);

    public BackendReport? ReportRouted(string hostname) => Report(hostname) ?? Report("*");

    public HistoryFeed Feed { get; } = new();

    public Func<BackendDetails, BackendDetails> Describing { get; set; } = static details => details;

    public BackendDetails? Describe(BackendReport report) => Describing(new BackendDetails(report));

    public GatewayNumbers Gateway { get; set; } = new(new GatewayTraffic(), 3, 17);

    public Dictionary<string, BackendNumbers> NumbersOf { get; } = [];

    public BackendNumbers? Numbers(string hostname) => NumbersOf.GetValueOrDefault(hostname);

    public IReadOnlyList<SessionNumbers> SessionNumbers { get; set; } = [];

    public HistoryReader? ReadEvents() => Feed.Read();

    public CommandOutcome Post(string hostname, AdminCommand command)
    {
        if (Report(hostname) is null)
        {
            return CommandOutcome.UnknownHost;
        }

        if (IsFullOfCommands)
        {
            return CommandOutcome.TooMany;
        }

        Commands.Add((hostname, command));
        Reports.RemoveAll(report => report.Hostname == EndsAtCommand && report.Hostname == hostname);
        return CommandOutcome.Accepted;
    }

    public ReadyCallbackOutcome ReportReady(string hostname, string? token, bool adminAuthorised)
    {
        ReadyCalls.Add((hostname, token, adminAuthorised));
        if (Report(hostname) is not { } report)
        {
            return ReadyCallbackOutcome.UnknownHost;
        }

        return token != ReadyToken && !adminAuthorised ? ReadyCallbackOutcome.Unauthorised
            : report.State != BackendPhase.Starting ? ReadyCallbackOutcome.NotStarting
            : ReadyCallbackOutcome.Accepted;
    }

    public List<(string Hostname, string Token, int Secs)> LeaseCalls { get; } = [];

    public LeaseOutcome LeaseAnswer { get; set; } = LeaseOutcome.Accepted;

    public Task<LeaseOutcome> LeaseAsync(string name, string token, int secs)
    {
        LeaseCalls.Add((name, token, secs));
        return Task.FromResult(Report(name) is null ? LeaseOutcome.Unauthorised : LeaseAnswer);
    }

    public IReadOnlyList<BackendLogLine> ReadLog(string hostname) => Logs.GetValueOrDefault(hostname) ?? [];

    public IBackendLogFollower? FollowLog(string hostname)
    {
        if (FollowersFree-- <= 0)
        {
            return null;
        }

        var follower = new FakeFollower(ReadLog(hostname));
        Followers.Writer.TryWrite(follower);
        return follower;
    }
}

/// <summary>A follower that a test feeds.</summary>
internal sealed class FakeFollower(IReadOnlyList<BackendLogLine> past) : IBackendLogFollower
{
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Channel<BackendLogLine> Lines { get; } = Channel.CreateUnbounded<BackendLogLine>();

    public Task Disposed => _disposed.Task;

    public IReadOnlyList<BackendLogLine> Past { get; } = past;

    public long Missed { get; set; }

    public bool TryRead([NotNullWhen(true)] out BackendLogLine? line) => Lines.Reader.TryRead(out line);

    public ValueTask<bool> WaitAsync(CancellationToken cancel) => Lines.Reader.WaitToReadAsync(cancel);

    public void Dispose() => _disposed.TrySetResult();
}

/// <summary>An admin API on a free port, its backends, and clients for it.</summary>
internal sealed class AdminUnderTest : IAsyncDisposable
{
    private readonly SocketsHttpHandler _sockets = new() { UseProxy = false, AllowAutoRedirect = false };

    private AdminUnderTest(ServerConfig config)
    {
        Api = new AdminApi(config, Backends, NullLoggerFactory.Instance, TimeProvider.System);
        Client = new HttpClient(_sockets);
    }

    public AdminApi Api { get; }

    public FakeAdminBackends Backends { get; } = new();

    public HttpClient Client { get; }

    public static async Task<AdminUnderTest> StartAsync(string? token = null, IPAddress? bind = null)
    {
        var test = new AdminUnderTest(
            new ServerConfig
            {
                AdminPort = 0,
                AdminBind = bind ?? IPAddress.Loopback,
                AdminToken = token,
            }
        );
        await test.Api.StartAsync(CancellationToken.None);
        IPEndPoint reachable = LocalAddress.Of(test.Api.Endpoint.Address, test.Api.Endpoint.Port);
        test.Client.BaseAddress = new Uri($"http://{reachable}");
        return test;
    }

    /// <summary>Sends one request and reads the whole answer.</summary>
    public async Task<AdminAnswer> SendAsync(
        string method,
        string path,
        string? bearer = null,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.Authorization = bearer is null ? null : new AuthenticationHeaderValue("Bearer", bearer);
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using HttpResponseMessage response = await Client.SendAsync(request);
        return new AdminAnswer(response, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Sends bytes as they are and reads until the server closes.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(LocalAddress.Of(Api.Endpoint.Address, Api.Endpoint.Port));
        await socket.SendAsync(Encoding.Latin1.GetBytes(request));
        using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        _sockets.Dispose();
        await Api.DisposeAsync();
    }
}

/// <summary>What the API answered.</summary>
internal sealed record AdminAnswer(HttpResponseMessage Head, string Body)
{
    public int Status => (int)Head.StatusCode;

    public string? Type => Head.Content.Headers.ContentType?.ToString();

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string? Code => Json.GetProperty("code").GetString();

    public string? Header(string name) =>
        Head.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(", ", values)
        : Head.Content.Headers.TryGetValues(name, out values) ? string.Join(", ", values)
        : null;
}
