using System.Net;
using System.Net.Sockets;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Where the TestBackends of one test report: every process that starts is seen here, in order.</summary>
internal sealed class ControlListener : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Lock _lock = new();
    private readonly List<BackendProcess> _processes = [];
    private readonly List<(string Name, int Index, TaskCompletionSource<BackendProcess> Found)> _waiters = [];

    /// <summary>Listens on a free port, on loopback unless another address is given.</summary>
    public ControlListener(IPAddress? address = null)
    {
        _listener.Bind(new IPEndPoint(address ?? IPAddress.Loopback, 0));
        _listener.Listen(512);
        _ = AcceptAsync();
    }

    /// <summary>The port for <c>TESTBACKEND_CONTROL</c>; with an address before it where that is not loopback.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>Processes of this name that have started so far.</summary>
    public IReadOnlyList<BackendProcess> Started(string name = "backend")
    {
        lock (_lock)
        {
            return [.. _processes.Where(each => each.Name == name)];
        }
    }

    /// <summary>Waits for the start number <paramref name="index"/> (from 0) of the backend of this name.</summary>
    public Task<BackendProcess> StartAsync(string name = "backend", int index = 0)
    {
        lock (_lock)
        {
            IReadOnlyList<BackendProcess> started = Started(name);
            if (started.Count > index)
            {
                return Task.FromResult(started[index]);
            }

            var found = new TaskCompletionSource<BackendProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((name, index, found));
            return found.Task.InTimeAsync($"start {index} of {name}");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        lock (_lock)
        {
            _processes.ForEach(each => each.Dispose());
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = TakeAsync(new BackendProcess(await _listener.AcceptAsync()));
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task TakeAsync(BackendProcess process)
    {
        await process.IntroduceAsync();
        lock (_lock)
        {
            _processes.Add(process);
            _waiters.RemoveAll(waiter =>
                Started(waiter.Name) is { } started && started.Count > waiter.Index && waiter.Found.TrySetResult(started[waiter.Index])
            );
        }
    }
}
