using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>A connection whose bytes Kestrel moves: the <see cref="IDuplexPipe"/> of a <see cref="ConnectionContext"/>.</summary>
/// <remarks>
/// What a pipe cannot do, end one side of a connection or ask the kernel about it, is done with the socket under it. The pipes may be
/// touched only while the connection lives: each such moment counts as a use, and it is over (<see cref="Ended"/>) when it is closed and
/// the last use has ended. A receive that begins before the pipes are attached waits for them.
/// </remarks>
internal sealed partial class KestrelSocket : StreamSocket, ICallbackOwner
{
    private const int ClosedMark = 1 << 30;

    private readonly Socket _socket;
    private readonly DescriptorUse _use;
    private readonly KestrelTransport? _connects;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action _onRead;
    private readonly Action _onFlushed;
    private ConnectionContext? _context;
    private PipeReader? _input;
    private PipeWriter? _output;
    private int _uses;
    private volatile bool _connected;
    private volatile bool _sendShut;
    private volatile bool _peerHasEnded;

    /// <summary>Takes over a client's socket, whose pipes are yet to be attached.</summary>
    public KestrelSocket(Socket accepted, ConnectionContext context)
        : this(accepted, DescriptorUse.Client)
    {
        _connected = true;
        _context = context;
        Watch(context);
    }

    /// <summary>Takes over a socket to be connected to a backend.</summary>
    public KestrelSocket(Socket socket, KestrelTransport transport)
        : this(socket, DescriptorUse.Upstream)
    {
        _connects = transport;
    }

    private KestrelSocket(Socket socket, DescriptorUse use)
    {
        _socket = socket;
        _use = use;
        _onRead = OnRead;
        _onFlushed = OnFlushed;
    }

    /// <summary>Ends when it is closed and nothing touches its pipes any more.</summary>
    public Task Ended => _ended.Task;

    /// <inheritdoc/>
    public override SafeHandle Handle => _socket.SafeHandle;

    /// <inheritdoc/>
    public override int HeldBytes => _heldBytes + _flushing;

    /// <inheritdoc/>
    public override bool PeerHasEnded => _peerHasEnded;

    /// <inheritdoc/>
    public override bool WaitsToSend => _waitsToSend;

    /// <inheritdoc/>
    public override SocketCapabilities Capabilities => SocketCapabilities.Probe;

    /// <inheritdoc/>
    public override bool IsSelfConnected => Ask(static socket => Equals(socket.LocalEndPoint, socket.RemoteEndPoint), false);

    /// <inheritdoc/>
    public override int Available => IsClosed ? 0 : _heldBytes + Ask(static socket => socket.Available, 0);

    /// <inheritdoc/>
    public override int? Unacknowledged => Libc.IsLinux ? Ask(static socket => SocketCalls.Unacknowledged(socket.SafeHandle), 0) : null;

    /// <summary>Its pipes are there: from now on bytes come and go.</summary>
    public void Attach(IDuplexPipe pipes)
    {
        if (TryUse())
        {
            _input = pipes.Input;
            Volatile.Write(ref _output, pipes.Output);
            Read();
            EndUse();
        }
    }

    /// <inheritdoc/>
    public override bool BeginConnect(SocketOperation operation, EndPoint endpoint)
    {
        _ = ConnectAsync(operation, endpoint);
        return true;
    }

    /// <inheritdoc/>
    public override bool TryAskPeer(out TcpInfo info) => TcpInfo.TryRead(_socket.SafeHandle, out info);

    /// <inheritdoc/>
    public override bool IsReadable() =>
        Volatile.Read(ref _readState) == Ready || Ask(static socket => socket.Poll(0, SelectMode.SelectRead), true);

    /// <inheritdoc/>
    public override bool? TrySend(byte value)
    {
        try
        {
            if (!_socket.Poll(0, SelectMode.SelectWrite))
            {
                return null;
            }

            _socket.Send([value], SocketFlags.None, out var error);
            NoteFault(error);
            return error == SocketError.Success;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public override void KeepAlive()
    {
        try
        {
            _socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            _socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, TransportLimits.HalfCloseKeepAliveSecs);
            _socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, TransportLimits.HalfCloseKeepAliveSecs);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone already, or not done there.
        }
    }

    /// <inheritdoc/>
    public override void Shutdown(SocketShutdown how)
    {
        _sendShut |= how != SocketShutdown.Receive;
        try
        {
            _socket.Shutdown(how);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection is gone already; the pending receive says so itself.
        }
    }

    /// <inheritdoc/>
    public override void Close(bool reset)
    {
        if (!TryUse())
        {
            return;
        }

        if ((Interlocked.Or(ref _uses, ClosedMark) & ClosedMark) == 0)
        {
            CloseOnce(reset);
        }

        EndUse();
    }

    /// <summary>Its owner finds the connection broken.</summary>
    void ICallbackOwner.OnCallbackFault() => Close(reset: true);

    private bool IsClosed => (Volatile.Read(ref _uses) & ClosedMark) != 0;

    /// <summary>False when it is closed. Else the pipes may be touched until <see cref="EndUse"/>.</summary>
    private bool TryUse()
    {
        int uses = Volatile.Read(ref _uses);
        while ((uses & ClosedMark) == 0)
        {
            int seen = Interlocked.CompareExchange(ref _uses, uses + 1, uses);
            if (seen == uses)
            {
                return true;
            }

            uses = seen;
        }

        return false;
    }

    private void EndUse()
    {
        if (Interlocked.Decrement(ref _uses) == ClosedMark)
        {
            _ended.TrySetResult();
        }
    }

    private void CloseOnce(bool reset)
    {
        CloseSocket(reset);
        DescriptorBudget.Shared.Release(_use);
        if (_input is null && TryEndWait())
        {
            // No read of a pipe is under way that would end it. Whoever closes is not who waits: it goes on elsewhere.
            Take();
            ThreadPool.UnsafeQueueUserWorkItem(static socket => socket.Complete(socket._receive!), this, preferLocal: false);
        }
    }

    private void CloseSocket(bool reset)
    {
        if (!reset)
        {
            if (_connected)
            {
                // A socket that is disposed of during an operation is otherwise closed with a reset, which would destroy what was sent.
                Shutdown(SocketShutdown.Send);
            }

            _socket.Dispose();
        }
        else if (_context is null)
        {
            _socket.Close(timeout: 0);
        }

        // Ends both loops of the transport; what was not closed above is closed by a reset.
        _context?.Abort(new ConnectionAbortedException("closed by Spawngate"));
    }

    /// <summary>Connects, and keeps the connection until it is closed.</summary>
    private async Task ConnectAsync(SocketOperation operation, EndPoint endpoint)
    {
        try
        {
            var error = await TryConnectAsync(endpoint).ConfigureAwait(false);
            ConnectionContext? context = null;
            if (error == SocketError.Success)
            {
                context = TryAdopt();
                error = context is null ? Fault : error;
            }

            operation.SetResult(0, error);
            Complete(operation);
            if (context is not null)
            {
                await Ended.ConfigureAwait(false);
                await context.DisposeAsync().ConfigureAwait(false);
            }
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(KestrelSocket), this);
        }
    }

    private async Task<SocketError> TryConnectAsync(EndPoint endpoint)
    {
        try
        {
            await _socket.ConnectAsync(endpoint).ConfigureAwait(false);
            _connected = true;
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            NoteFault(e.SocketErrorCode);
            return e.SocketErrorCode;
        }
        catch (ObjectDisposedException)
        {
            return SocketError.OperationAborted;
        }
    }

    /// <summary>
    /// Has Kestrel move its bytes. Null when it is closed already, or the peer reset it: Kestrel asks for the addresses; then there is a
    /// <see cref="StreamSocket.Fault"/>.
    /// </summary>
    private ConnectionContext? TryAdopt()
    {
        try
        {
            var context = _connects!.Connect(_socket);
            Adopt(context);
            return context;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            NoteFault(SocketError.ConnectionReset);
            return null;
        }
    }

    /// <summary>Its bytes are moved by Kestrel now; a close that came meanwhile did not know.</summary>
    private void Adopt(ConnectionContext context)
    {
        Watch(context);
        _context = context;
        Attach(context.Transport);
        if (IsClosed)
        {
            context.Abort(new ConnectionAbortedException("closed by Spawngate"));
        }
    }

    /// <summary>Is told when Kestrel has read the end of the stream, or an error.</summary>
    private void Watch(ConnectionContext context) =>
        context.ConnectionClosed.UnsafeRegister(static socket => ((KestrelSocket)socket!).NoteEnd(), this);

    /// <summary>
    /// Kestrel has stopped reading. It takes what the kernel says after a send was told of an error for an end in order, and goes on after
    /// some errors of a send as if there were none. So it is asked at the first sign whether the connection is broken: one that is over
    /// though this side has not ended it.
    /// </summary>
    private void NoteEnd()
    {
        lock (_ended)
        {
            if (!_peerHasEnded && !_sendShut && !IsClosed && TryAskPeer(out var info) && info.IsGone)
            {
                NoteFault(SocketError.ConnectionReset);
            }

            _peerHasEnded = true;
        }
    }

    private void CompleteIfAny(SocketOperation? operation)
    {
        if (operation is not null)
        {
            Complete(operation);
        }
    }

    private void Complete(SocketOperation operation)
    {
        try
        {
            operation.Complete();
        }
        catch (Exception fault)
        {
            CallbackGuard.OnFault(fault, nameof(KestrelSocket), this);
        }
    }

    /// <summary>What the socket says; another value when it is closed or gone.</summary>
    private T Ask<T>(Func<Socket, T> question, T gone)
    {
        try
        {
            return question(_socket);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return gone;
        }
    }
}
