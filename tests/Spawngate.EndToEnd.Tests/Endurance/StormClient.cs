using System.Net.Sockets;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>
/// One backend's share of a storm: bursts of requests of every kind, most of them at the moment when the idle timeout of one second runs
/// out. Every request is accounted for.
/// </summary>
internal sealed class StormClient(int port, string host, Random random, Task over)
{
    private const int FailuresKept = 10;
    private const int BurstMax = 4;
    private readonly Lock _gate = new();
    private readonly List<string> _failures = [];
    private RawClient? _kept;
    private int _asked;
    private int _answered;

    /// <summary>Requests sent.</summary>
    public int Asked => _asked;

    /// <summary>Requests answered in full with 200, or with 101 and every byte of the tunnel.</summary>
    public int Answered => _answered;

    /// <summary>What went wrong, the first few times.</summary>
    public IReadOnlyList<string> Failures => _failures;

    /// <summary>Sends bursts until the storm is over.</summary>
    public async Task RunAsync()
    {
        while (await over.StaysOpenAsync(Gap()))
        {
            // Drawn before the burst runs: its requests end in any order, and the seed has to decide all the same.
            var draws = Enumerable
                .Range(0, random.Next(1, BurstMax + 1))
                .Select(i => (Kind: random.Next(i == 0 ? 7 : 6), Ms: random.Next(1500)))
                .ToList();
            await Task.WhenAll(draws.Select(draw => Task.Run(() => AccountAsync(draw.Kind, draw.Ms))));
        }

        _kept?.Dispose();
    }

    /// <summary>Mostly around the moment of the idle stop, which comes within a second and two ticks of the last use.</summary>
    private TimeSpan Gap() =>
        TimeSpan.FromSeconds(
            random.NextDouble() switch
            {
                < 0.65 => 0.95 + (0.4 * random.NextDouble()),
                < 0.9 => 2.2 * random.NextDouble(),
                _ => 0,
            }
        );

    private async Task AccountAsync(int kind, int ms)
    {
        Interlocked.Increment(ref _asked);
        try
        {
            if (await AskAsync(kind, ms) is { } wrong)
            {
                Fail($"{host}: kind {kind}: {wrong}");
                return;
            }

            Interlocked.Increment(ref _answered);
        }
        catch (Exception error) when (error is SocketException or IncompleteMessageException or NotHttpException or TimeoutException)
        {
            Fail($"{host}: kind {kind}: {error.Message}");
        }
    }

    /// <summary>
    /// One request; what was wrong with its answer, null when nothing was. Only one request of a burst is of the last kind.
    /// </summary>
    private Task<string?> AskAsync(int kind, int ms) =>
        kind switch
        {
            0 => CheckAsync(RawClient.RequestAsync(port, host, "/bytes?n=100000"), 100_000),
            1 => CheckAsync(RawClient.RequestAsync(port, host, $"/slow?bodyMs={ms}"), 4),
            2 => CheckAsync(RawClient.RequestAsync(port, host, $"/slow?headMs={ms}"), 4),
            3 => CheckAsync(RawClient.RequestAsync(port, host, "/upload", "POST", body: new string('u', 3000)), null),
            4 => TunnelAsync(ms),
            5 => CheckAsync(RawClient.RequestAsync(port, host, "/", headers: "Connection: close\r\n"), null),
            _ => KeptAsync(),
        };

    private static async Task<string?> CheckAsync(Task<RawResponse> request, int? length)
    {
        RawResponse response = await request;
        return response.Status == 200 && (length is null || response.BodyLength == length)
            ? null
            : $"{response.Status} {response.BodyLength} {response.Text}";
    }

    /// <summary>On a connection that was idle since the last time, while backends came and went behind it.</summary>
    private async Task<string?> KeptAsync()
    {
        _kept ??= await RawClient.ConnectAsync(port);
        try
        {
            RawResponse response = await _kept.ExchangeAsync(host, "/");
            if (response.Closes)
            {
                throw new IncompleteMessageException("with a response that says close");
            }

            return await CheckAsync(Task.FromResult(response), null);
        }
        catch
        {
            _kept.Dispose();
            _kept = null;
            throw;
        }
    }

    /// <summary>A tunnel that is silent for a while, then echoes, then is closed by this side.</summary>
    private async Task<string?> TunnelAsync(int ms)
    {
        using RawClient client = await RawClient.ConnectAsync(port);
        await client.SendAsync(RawClient.Head(host, "/upgrade?farewell=bye", headers: "Connection: Upgrade\r\nUpgrade: echo\r\n"));
        RawResponse response = await client.ReadHeadAsync();
        if (response.Status != 101)
        {
            return $"{response.Status} instead of 101";
        }

        await over.StaysOpenAsync(TimeSpan.FromMilliseconds(ms));
        await client.SendAsync("echo!");
        client.EndSending();
        string rest = Encoding.Latin1.GetString(await client.ReadBytesAsync("echo!bye".Length));
        return rest == "echo!bye" && await client.EndsAsync() ? null : $"tunnel: {rest}";
    }

    private void Fail(string what)
    {
        lock (_gate)
        {
            if (_failures.Count < FailuresKept)
            {
                _failures.Add($"{Time()} {what}");
            }
        }
    }

    private static string Time() =>
        TimeProvider.System.GetUtcNow().ToString("HH:mm:ss.fff", System.Globalization.CultureInfo.InvariantCulture);
}
