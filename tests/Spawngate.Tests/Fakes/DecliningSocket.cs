using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spawngate.Transport;

namespace Spawngate.Tests.Fakes;

/// <summary>A socket that can only receive, send and end, as one over TLS or over a pipe can.</summary>
internal sealed class DecliningSocket(StreamSocket inner) : StreamSocket
{
    public override SafeHandle Handle => inner.Handle;

    public override int LoopIndex => inner.LoopIndex;

    public override bool IsSelfConnected => inner.IsSelfConnected;

    public override int Available => inner.Available;

    public override bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count) =>
        inner.BeginReceive(operation, buffer, offset, count);

    public override bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more) =>
        inner.BeginSend(operation, buffer, offset, count, more);

    public override bool BeginConnect(SocketOperation operation, EndPoint endpoint) => inner.BeginConnect(operation, endpoint);

    public override int SpliceTo(int pipe, int max) => throw new InvalidOperationException("It has said that it cannot.");

    public override int SpliceFrom(int pipe, int max, bool more) => throw new InvalidOperationException("It has said that it cannot.");

    public override bool? TrySend(byte value) => throw new InvalidOperationException("It has said that it cannot.");

    public override bool IsReadable() => inner.IsReadable();

    public override void KeepAlive() => inner.KeepAlive();

    public override void Shutdown(SocketShutdown how) => inner.Shutdown(how);

    public override void Close(bool reset) => inner.Close(reset);
}
