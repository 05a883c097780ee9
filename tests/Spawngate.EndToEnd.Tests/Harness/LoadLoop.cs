using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Clients that ask one request after the other on kept connections, and keep an exact account of what became of each.</summary>
internal sealed class LoadLoop : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task[] _clients;
    private readonly TaskCompletionSource _warm = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _port;
    private readonly string _host;
    private readonly string _target;
    private readonly int _warmAfter;
    private int _complete;
    private int _wrong;
    private int _cut;
    private int _unanswered;
    private int _refused;

    /// <summary>Starts the clients; <see cref="Warm"/> completes after <paramref name="warmAfter"/> responses.</summary>
    public LoadLoop(int port, string host, string target, int connections, int warmAfter = 0)
    {
        (_port, _host, _target, _warmAfter) = (port, host, target, warmAfter);
        _clients = [.. Enumerable.Range(0, connections).Select(_ => Task.Run(ClientAsync))];
    }

    /// <summary>Completes when the load is at its height.</summary>
    public Task Warm => _warm.Task;

    /// <summary>Complete responses with status 200.</summary>
    public int Complete => Volatile.Read(ref _complete);

    /// <summary>Complete responses with another status.</summary>
    public int Wrong => Volatile.Read(ref _wrong);

    /// <summary>How often each error code was answered; responses of another status without a code count under their status.</summary>
    public ConcurrentDictionary<string, int> WrongCodes { get; } = [];

    /// <summary>Responses that began and broke off.</summary>
    public int Cut => Volatile.Read(ref _cut);

    /// <summary>Requests whose connection ended without a byte of an answer.</summary>
    public int Unanswered => Volatile.Read(ref _unanswered);

    /// <summary>Clients that ended because nobody accepted them.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Ends the load after the responses that are under way.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await EndAsync();
    }

    /// <summary>Waits until all clients have ended by themselves, because nobody accepts them any more.</summary>
    public Task EndAsync() => Task.WhenAll(_clients).InTimeAsync("end of the load");

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    private async Task ClientAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                using RawClient client = await RawClient.ConnectAsync(_port);
                while (!_stop.IsCancellationRequested && await AskAsync(client)) { }
            }
        }
        catch (SocketException)
        {
            Interlocked.Increment(ref _refused); // The gateway accepts nobody any more.
        }
    }

    /// <summary>One request; true when the connection may be used for another.</summary>
    private async Task<bool> AskAsync(RawClient client)
    {
        RawResponse response;
        try
        {
            await client.SendAsync(RawClient.Head(_host, _target));
            response = await client.ReadHeadAsync();
        }
        catch (Exception error) when (error is SocketException or IncompleteMessageException)
        {
            Interlocked.Increment(
                ref error.Message.Contains("the response head", StringComparison.Ordinal)
                && !error.Message.Contains("no byte", StringComparison.Ordinal)
                    ? ref _cut
                    : ref _unanswered
            );
            return false;
        }

        try
        {
            await client.ReadBodyAsync(response);
        }
        catch (IncompleteMessageException)
        {
            Interlocked.Increment(ref _cut);
            return false;
        }

        Interlocked.Increment(ref response.Status == 200 ? ref _complete : ref _wrong);
        if (response.Status != 200)
        {
            WrongCodes.AddOrUpdate(response.Header("X-Proxy-Error") ?? $"{response.Status}", 1, (_, count) => count + 1);
        }

        if (Complete >= _warmAfter)
        {
            _warm.TrySetResult();
        }

        return !response.Closes;
    }
}
