using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>The runtime's sockets, with one reusable argument object for each direction.</summary>
internal sealed class PortableSocket : StreamSocket, ICallbackOwner
{
    private static readonly LingerOption ResetOnClose = new(true, 0);

    private readonly Socket _socket;
    private readonly Arguments _receive;
    private readonly Arguments _send;
    private volatile bool _connected;

    /// <summary>Takes over a socket.</summary>
    public PortableSocket(Socket socket)
    {
        _socket = socket;
        _receive = new Arguments(this, receives: true);
        _send = new Arguments(this, receives: false);
        _connected = socket.Connected;
    }

    /// <summary>See <see cref="StreamSocket.TryCreate"/>.</summary>
    public static new PortableSocket? TryCreate(AddressFamily family)
    {
        try
        {
            return new PortableSocket(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override SafeHandle Handle => _socket.SafeHandle;

    /// <inheritdoc/>
    public override bool IsSelfConnected
    {
        get
        {
            try
            {
                return Equals(_socket.LocalEndPoint, _socket.RemoteEndPoint);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return false; // Gone again already; sending tells.
            }
        }
    }

    /// <inheritdoc/>
    public override bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count)
    {
        _receive.SetBuffer(buffer, offset, count);
        return _receive.Begin(operation, _socket, static (socket, arguments) => socket.ReceiveAsync(arguments));
    }

    /// <inheritdoc/>
    public override bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more)
    {
        _send.SetBuffer(buffer, offset, count);
        return _send.Begin(operation, _socket, static (socket, arguments) => socket.SendAsync(arguments));
    }

    /// <inheritdoc/>
    public override bool BeginConnect(SocketOperation operation, EndPoint endpoint)
    {
        _send.RemoteEndPoint = endpoint;
        _send.SetBuffer(null, 0, 0);
        _connected = true; // Perhaps: to shut down a socket that is not connected does no harm.
        return _send.Begin(operation, _socket, static (socket, arguments) => socket.ConnectAsync(arguments));
    }

    /// <inheritdoc/>
    public override SocketCapabilities Capabilities => SocketCapabilities.Probe;

    /// <inheritdoc/>
    public override bool TryAskPeer(out TcpInfo info) => TcpInfo.TryRead(_socket.SafeHandle, out info);

    /// <inheritdoc/>
    public override bool IsReadable()
    {
        try
        {
            return _socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    /// <inheritdoc/>
    public override int Available
    {
        get
        {
            try
            {
                return _socket.Available;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return 0;
            }
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
    public override void Shutdown(SocketShutdown how)
    {
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
        if (reset)
        {
            try
            {
                _socket.LingerState = ResetOnClose;
            }
            catch (SocketException)
            {
                // Already reset by the peer: nothing left to tell it.
            }
        }
        else if (_connected && _send.SocketError != SocketError.ConnectionRefused)
        {
            // A socket that is disposed of during an operation, and an armed receive is one, is otherwise closed with a reset: it would
            // destroy what was sent and the peer has not read yet.
            Shutdown(SocketShutdown.Send);
        }

        _socket.Dispose();
    }

    /// <summary>Its owner finds the connection broken.</summary>
    void ICallbackOwner.OnCallbackFault() => Close(reset: true);

    private sealed class Arguments(PortableSocket owner, bool receives) : SocketAsyncEventArgs(true)
    {
        private SocketOperation? _operation;

        public bool Begin(SocketOperation operation, Socket socket, Func<Socket, SocketAsyncEventArgs, bool> begin)
        {
            _operation = operation;
            try
            {
                if (begin(socket, this))
                {
                    return true;
                }

                SetResult(operation);
            }
            catch (ObjectDisposedException)
            {
                operation.SetResult(0, SocketError.OperationAborted);
            }

            return false;
        }

        protected override void OnCompleted(SocketAsyncEventArgs e)
        {
            var operation = _operation!;
            SetResult(operation);
            try
            {
                operation.Complete();
            }
            catch (Exception fault)
            {
                CallbackGuard.OnFault(fault, nameof(PortableSocket), owner);
            }
        }

        private void SetResult(SocketOperation operation)
        {
            owner.NoteFault(SocketError);
            bool ended = receives && SocketError == SocketError.Success && BytesTransferred == 0;
            operation.SetResult(BytesTransferred, ended ? owner.Fault : SocketError);
        }
    }
}
