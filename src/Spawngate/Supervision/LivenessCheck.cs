using System.Net;
using System.Net.Sockets;
using Spawngate.Clients;
using Spawngate.Platform;
using Spawngate.Runtime;
using Spawngate.Transport;

namespace Spawngate.Supervision;

/// <summary>
/// Whether the gateway does its work: its clock ticks, which shows that the threads of its pool run and that no tick hangs, and its proxy
/// port answers a request, which shows that it accepts and that the threads of its sockets run. The request has no Host, so the answer is
/// the gateway's own and no backend is woken.
/// </summary>
/// <remarks>
/// Only silence counts against the gateway. When it is full, it leaves connections in the queue on purpose; when the question itself cannot
/// be asked (no descriptor is free, or this process may not connect to its own port), that says nothing: it would be wrong to have a
/// gateway killed that serves its clients.
/// </remarks>
internal sealed class LivenessCheck : IDisposable
{
    private readonly CoarseClock _clock;
    private readonly ClientListener _listener;
    private readonly ILogger _log;
    private TaskCompletionSource? _ticked;
    private bool _hasAnswered;
    private bool _hasComplained;

    /// <summary>Makes a check.</summary>
    /// <param name="clock">The gateway's clock.</param>
    /// <param name="listener">Its proxy.</param>
    /// <param name="log">Log of category <c>spawngate.supervisor</c>.</param>
    public LivenessCheck(CoarseClock clock, ClientListener listener, ILogger log)
    {
        _clock = clock;
        _listener = listener;
        _log = log;

        // Behind all others: it hears of a tick when they have done their part.
        clock.Tick += OnTick;
    }

    /// <summary>Looks once.</summary>
    /// <param name="limit">When silence counts.</param>
    /// <returns>Null when it lives; else what does not.</returns>
    public async Task<string?> FindFaultAsync(CancellationToken limit)
    {
        var ticked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _ticked, ticked);
        try
        {
            await ticked.Task.WaitAsync(limit).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return "the clock stands still";
        }

        foreach (var address in _listener.Addresses)
        {
            if (!_listener.TakesMore)
            {
                break;
            }

            if (await AskAsync(address, limit).ConfigureAwait(false) is { } fault && _listener.TakesMore)
            {
                return fault;
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _clock.Tick -= OnTick;

    private async Task<string?> AskAsync(EndPoint address, CancellationToken limit)
    {
        bool connected = false;
        try
        {
            var target = address is IPEndPoint ip ? LocalAddress.Of(ip.Address, ip.Port) : address;
            using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(target, limit).ConfigureAwait(false);
            connected = true;
            await socket
                .SendAsync("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"u8.ToArray(), SocketFlags.None, limit)
                .ConfigureAwait(false);
            byte[] answer = new byte[TransportLimits.SmallBufferBytes];
            if (await socket.ReceiveAsync(answer, SocketFlags.None, limit).ConfigureAwait(false) == 0)
            {
                return $"{address} ends connections without an answer";
            }

            _hasAnswered = true;
            return null;
        }
        catch (OperationCanceledException)
        {
            return $"{address} does not answer";
        }
        catch (SocketException e) when (connected || (_hasAnswered && e.SocketErrorCode == SocketError.ConnectionRefused))
        {
            return $"{address}: {e.Message}";
        }
        catch (SocketException e)
        {
            if (!_hasComplained)
            {
                _hasComplained = true;
                SupervisionLog.CannotAsk(_log, address.ToString()!, e.Message);
            }

            return null;
        }
    }

    private void OnTick() => Interlocked.Exchange(ref _ticked, null)?.TrySetResult();
}
