using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http2;

/// <summary>A well-behaved client on a connection of its own that asks one request after the other, and how long each took.</summary>
internal sealed class PoliteClient : IDisposable
{
    private const int BaselineRequests = 50;
    private readonly H2Client _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<double> _tookMs = [];
    private Task _asking = Task.CompletedTask;

    private PoliteClient(H2Client client) => _client = client;

    /// <summary>Median time of a request before anything happened, in milliseconds.</summary>
    public double BaselineMs { get; private set; }

    /// <summary>Connects, measures how it is in peace, and goes on asking.</summary>
    public static async Task<PoliteClient> BeginAsync(int port)
    {
        var polite = new PoliteClient(await H2Client.ConnectAsync(port));
        for (int i = 0; i < BaselineRequests; i++)
        {
            await polite.AskAsync();
        }

        polite.BaselineMs = Figures.Median(polite._tookMs);
        polite._tookMs.Clear();
        polite._asking = Task.Run(polite.AskOnAsync);
        return polite;
    }

    /// <summary>Stops asking; the median time of a request meanwhile, in milliseconds. Every one was answered.</summary>
    public async Task<double> EndAsync()
    {
        await _stop.CancelAsync();
        await _asking;
        return Figures.Median(_tookMs);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Dispose();
        _client.Dispose();
    }

    private async Task AskOnAsync()
    {
        do
        {
            await AskAsync();
        } while (!_stop.IsCancellationRequested);
    }

    private async Task AskAsync()
    {
        long began = Stopwatch.GetTimestamp();
        RawResponse response = await _client.ExchangeAsync(Http2Test.Host, "/status?code=200");
        _tookMs.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        Assert.That(response.Status, Is.EqualTo(200));
    }
}
