using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Platform;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>A socket that has something done in front of its n-th call that receives.</summary>
internal sealed class CallCountingSocket(StreamSocket inner, int at, Action<StreamSocket> act) : StreamSocket
{
    /// <summary>Calls so far.</summary>
    public int Calls { get; private set; }

    /// <summary>True once it has been done.</summary>
    public bool HasActed => Calls >= at;

    public override SafeHandle Handle => inner.Handle;

    public override int LoopIndex => inner.LoopIndex;

    public override bool IsSelfConnected => inner.IsSelfConnected;

    public override bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count)
    {
        Count();
        return inner.BeginReceive(operation, buffer, offset, count);
    }

    public override bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more) =>
        inner.BeginSend(operation, buffer, offset, count, more);

    public override bool BeginConnect(SocketOperation operation, EndPoint endpoint) => inner.BeginConnect(operation, endpoint);

    public override int SpliceTo(int pipe, int max)
    {
        Count();
        return inner.SpliceTo(pipe, max);
    }

    public override int SpliceFrom(int pipe, int max, bool more) => inner.SpliceFrom(pipe, max, more);

    public override int Available => inner.Available;

    public override int? Unacknowledged => inner.Unacknowledged;

    public override void KeepAlive() => inner.KeepAlive();

    public override SocketCapabilities Capabilities => inner.Capabilities;

    public override bool TryAskPeer(out TcpInfo info) => inner.TryAskPeer(out info);

    public override bool IsReadable() => inner.IsReadable();

    public override bool? TrySend(byte value) => inner.TrySend(value);

    public override void Shutdown(SocketShutdown how) => inner.Shutdown(how);

    public override void Close(bool reset) => inner.Close(reset);

    private void Count()
    {
        if (++Calls == at)
        {
            act(inner);
        }
    }
}
