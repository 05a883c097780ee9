using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Runtime;

namespace Spawngate.Transport;

/// <summary>
/// Accepts on one <see cref="EventLoop"/> until it has more clients than the others, then on another: whoever accepts a client keeps it.
/// </summary>
/// <remarks>
/// <code>
///  somebody accepts ──▶ watched by the loop that is to have the next client ── event: accept4 ──▶ the client lives there
///                                       ▲                                           │ found nothing (another process took it, or it left)
///                                       └───────────────────────────────────────────┘
/// </code>
/// Events are told as long as clients wait (level-triggered). One that comes while nobody accepts, because <c>max_connections</c> are open,
/// switches them off until somebody does: clients then stay in the kernel's queue. A loop that is busy comes to its next event late. It
/// then takes several clients at once.
/// </remarks>
internal sealed class EpollListener : StreamListener, IEventTarget, IThreadPoolWorkItem, ICallbackOwner
{
    private const int FamilyIPv4 = 2;
    private const int FamilyIPv6 = 10;
    private const int IPv4Offset = 4;
    private const int IPv4Bytes = 4;
    private const int IPv6Offset = 8;
    private const int IPv6Bytes = 16;
    private const int ScopeOffset = 24;

    private readonly Lock _gate = new();
    private readonly SafeHandle _handle;
    private readonly int _fd;
    private readonly SocketOperation _accept = new(null);
    private readonly byte[] _address = new byte[TransportLimits.SocketAddressBytes];
    private EventLoop _loop = EventLoop.Next();
    private StreamSocket? _accepted;
    private int _more;
    private bool _waits;
    private bool _watched;
    private bool _stopped;

    /// <summary>Accepts on a bound and listening socket.</summary>
    public EpollListener(Socket socket)
    {
        socket.Blocking = false;
        if (socket.AddressFamily != AddressFamily.Unix)
        {
            // What is accepted inherits it.
            socket.NoDelay = true;
        }

        _handle = socket.SafeHandle;
        _fd = (int)_handle.DangerousGetHandle();
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<StreamSocket?> AcceptAsync()
    {
        if (Begin() && await _accept.WaitAsync().ConfigureAwait(false) < 0)
        {
            throw new SocketException((int)_accept.Error);
        }

        return _accepted;
    }

    /// <inheritdoc/>
    public override StreamSocket? TryAccept()
    {
        int fd = Accept();
        return fd >= 0 ? EpollSocket.Accepted(fd, EventLoop.ForClient())
            : fd == -Libc.EAGAIN ? null
            : throw new SocketException((int)SocketCalls.Translate(-fd));
    }

    /// <inheritdoc/>
    public override void Stop()
    {
        EventLoop loop;
        lock (_gate)
        {
            _stopped = true;
            loop = _loop;
        }

        loop.Post(this);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        // An event that was taken already must not remove whoever has the number next.
        lock (_gate)
        {
            if (_watched)
            {
                _watched = false;
                _loop.Remove(_fd, this);
            }
        }
    }

    /// <summary>On a loop's thread.</summary>
    void IThreadPoolWorkItem.Execute() => OnEvents(0);

    /// <inheritdoc/>
    public void OnEvents(uint events)
    {
        lock (_gate)
        {
            if (!_waits)
            {
                if (events != 0 && _watched)
                {
                    _watched = false;
                    _loop.Remove(_fd, this);
                }

                return;
            }

            _accepted = null;
            _more = TransportLimits.AcceptMoreMax;
            _accept.SetResult(0, SocketError.Success);
            if (!_stopped && !TryComplete())
            {
                return;
            }

            _waits = false;
        }

        _accept.Complete();
    }

    /// <summary>The accept fails, as it does when the system has nothing left; the listener stays.</summary>
    void ICallbackOwner.OnCallbackFault()
    {
        lock (_gate)
        {
            if (!_waits)
            {
                return;
            }

            _waits = false;
            _accept.SetResult(0, SocketError.NoBufferSpaceAvailable);
        }

        _accept.Complete();
    }

    /// <summary>True when an event will complete it; false when it has a client already, or is stopped.</summary>
    private bool Begin()
    {
        lock (_gate)
        {
            _accepted = null;
            if (_stopped || TryTakeMore())
            {
                return false;
            }

            int error = WatchOn(EventLoop.ForClient());
            if (error != 0)
            {
                throw new SocketException((int)SocketCalls.Translate(error));
            }

            // An event that has come already waits at the gate.
            _accept.Arm();
            _waits = true;
            return true;
        }
    }

    /// <summary>0, else the errno.</summary>
    private int WatchOn(EventLoop loop)
    {
        if (_watched && !ReferenceEquals(loop, _loop))
        {
            _watched = false;
            _loop.Remove(_fd, this);
        }

        _loop = loop;
        int error = _watched ? 0 : loop.Add(_fd, this, EpollInstance.In);
        _watched = error == 0;
        return error;
    }

    /// <summary>Takes a client without an event, where the next one would be late.</summary>
    private bool TryTakeMore()
    {
        if (_more == 0 || EventLoop.Current is not { BatchEvents: >= TransportLimits.AcceptMoreFromEvents })
        {
            return false;
        }

        int fd = Accept();
        _more = fd >= 0 ? _more - 1 : 0;
        _accepted = fd >= 0 ? EpollSocket.Accepted(fd, EventLoop.ForClient()) : null;
        return fd >= 0;
    }

    /// <summary>True when there is a result, which may be an error.</summary>
    private bool TryComplete()
    {
        int fd = Accept();
        if (fd is -SocketCalls.ECONNABORTED || fd == -Libc.EAGAIN || fd == -Libc.EINTR)
        {
            return false; // Another took it, or it left: the next event tells.
        }

        try
        {
            _accepted = fd >= 0 ? EpollSocket.Accepted(fd, EventLoop.Current ?? _loop) : null;
            _accept.SetResult(0, fd >= 0 ? SocketError.Success : SocketCalls.Translate(-fd));
        }
        catch (SocketException e)
        {
            _accept.SetResult(0, e.SocketErrorCode);
        }

        return true;
    }

    private int Accept()
    {
        try
        {
            int fd = SocketCalls.Accept(_handle, _address, out int length);
            Peer = fd >= 0 ? ReadAddress(_address.AsSpan(0, length)) : null;
            return fd;
        }
        catch (ObjectDisposedException)
        {
            return -SocketCalls.EBADF;
        }
    }

    /// <summary>struct sockaddr_in and sockaddr_in6 of Linux.</summary>
    private static IPAddress? ReadAddress(ReadOnlySpan<byte> address)
    {
        int family = address.Length > 1 ? MemoryMarshal.Read<ushort>(address) : 0;
        return family switch
        {
            FamilyIPv4 when address.Length >= IPv4Offset + IPv4Bytes => new IPAddress(address.Slice(IPv4Offset, IPv4Bytes)),
            FamilyIPv6 when address.Length >= ScopeOffset + sizeof(uint) => new IPAddress(
                address.Slice(IPv6Offset, IPv6Bytes),
                MemoryMarshal.Read<uint>(address[ScopeOffset..])
            ),
            _ => null,
        };
    }
}
