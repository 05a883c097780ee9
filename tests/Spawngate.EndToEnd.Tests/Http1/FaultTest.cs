using System.Diagnostics;
using NUnit.Framework.Interfaces;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Where in a message its sender fails.</summary>
internal enum FaultPoint
{
    /// <summary>Before its first byte.</summary>
    BeforeHead,

    /// <summary>In the middle of its head.</summary>
    InHead,

    /// <summary>Between head and body.</summary>
    AfterHead,

    /// <summary>In the middle of its body.</summary>
    InBody,

    /// <summary>Behind its last byte.</summary>
    AfterBody,
}

/// <summary>How it fails.</summary>
internal enum FaultKind
{
    /// <summary>The connection ends in order.</summary>
    Close,

    /// <summary>The connection is reset.</summary>
    Reset,

    /// <summary>Nothing more happens.</summary>
    Stall,
}

/// <summary>
/// A test that has a scripted backend for itself; whatever happened, afterwards nothing is in flight and the next requests are served.
/// </summary>
internal abstract class FaultTest(bool patient)
{
    /// <summary>A second, as promised, and half of one for a machine that is busy with other tests.</summary>
    private const double CancelSecsMax = 1.5;

    /// <summary>The backend.</summary>
    protected FaultyBackend Backend { get; private set; } = null!;

    /// <summary>Borrows a backend, and leaves a connection to it in the pool.</summary>
    [SetUp]
    public async Task TakeAsync()
    {
        Backend = await FaultyBackend.TakeAsync(patient);
        await ServesAsync();
    }

    /// <summary>Gives the backend back, as it was.</summary>
    [TearDown]
    public async Task GiveAsync()
    {
        try
        {
            await Http1Gateway.Gateway.UntilAsync("nothing is in flight", async () => await InFlightAsync() == 0);
            for (int i = 0; i < 3; i++)
            {
                await ServesAsync();
            }
        }
        finally
        {
            FaultyBackend.Give(Backend);
            if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            {
                await TestContext.Out.WriteLineAsync(
                    string.Join('\n', Http1Gateway.Gateway.Log.Lines.TakeLast(20).Select(line => line.Text))
                );
            }
        }
    }

    /// <summary>A connection to the gateway.</summary>
    protected static Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(Http1Gateway.Port);

    /// <summary>Head of a request that the script answers.</summary>
    protected string Head(string method = "GET", string headers = "") => RawClient.Head(Backend.Host, "/fault", method, headers);

    /// <summary>Requests that the backend is counted to be answering.</summary>
    protected async Task<int> InFlightAsync() =>
        (await Http1Gateway.Gateway.Admin.BackendAsync(Backend.Host)).GetProperty("in_flight").GetInt32();

    /// <summary>Lets the client leave, and waits until the backend is told.</summary>
    protected static async Task LeavesAsync(RawClient client, FaultKind how, Task cancelled)
    {
        long left = Stopwatch.GetTimestamp();
        Leave(client, how);
        await cancelled.InTimeAsync("the backend is told that the client left");
        Assert.That(
            Stopwatch.GetElapsedTime(left).TotalSeconds,
            Strain.Within(left, 0, CancelSecsMax),
            "seconds until the upstream work is cancelled"
        );
    }

    /// <summary>Ends the client's connection.</summary>
    protected static void Leave(RawClient client, FaultKind how)
    {
        if (how == FaultKind.Reset)
        {
            client.Socket.LingerState = new System.Net.Sockets.LingerOption(true, 0);
        }

        client.Dispose();
    }

    private async Task ServesAsync()
    {
        RawResponse response = await RawClient.RequestAsync(Http1Gateway.Port, Backend.Host, "/");
        Assert.That((response.Status, response.Text), Is.EqualTo((200, "ok")));
    }
}
