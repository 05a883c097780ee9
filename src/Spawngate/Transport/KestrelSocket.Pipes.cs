using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Spawngate.Transport;

/// <content>Bytes that come out of one pipe and go into the other.</content>
/// <remarks>
/// <code>
///  receiving:   Reading ── the pipe has bytes, an end or an error ──▶ Ready ── all bytes taken ──▶ Reading
///                 │  ▲                                                  ▲
///           begun │  │ all bytes taken, by the receive                  │ begun: takes what is held
///                 ▼  │                                                  │
///               Waiting ── the pipe has something: it is taken ─────────┘
/// </code>
/// The pipe is read ahead of need, one read at a time: what comes is noticed at once, and what was read before an error is not lost by it.
/// A send is a flush, which ends when all of it is with the kernel, so nothing is left in a pipe that a shutdown could cut off.
/// </remarks>
internal sealed partial class KestrelSocket
{
    private const int Reading = 0;
    private const int Waiting = 1;
    private const int Ready = 2;

    private int _readState;
    private ValueTaskAwaiter<ReadResult> _read;
    private ReadOnlySequence<byte> _held;
    private volatile int _heldBytes;
    private bool _isLast;
    private SocketError _readError;
    private SocketOperation? _receive;
    private byte[] _receiveBuffer = [];
    private int _receiveOffset;
    private int _receiveCount;

    private ValueTaskAwaiter<FlushResult> _flush;
    private SocketOperation? _send;
    private byte[] _sendBuffer = [];
    private int _sendOffset;
    private int _sendCount;
    private int _sent;
    private volatile int _flushing;
    private volatile bool _waitsToSend;

    /// <inheritdoc/>
    public override bool BeginReceive(SocketOperation operation, byte[] buffer, int offset, int count)
    {
        _receive = operation;
        _receiveBuffer = buffer;
        _receiveOffset = offset;
        _receiveCount = count;
        if (Interlocked.CompareExchange(ref _readState, Waiting, Reading) == Reading && !(IsClosed && TryEndWait()))
        {
            return true;
        }

        Take();
        return false;
    }

    /// <inheritdoc/>
    public override bool BeginSend(SocketOperation operation, byte[] buffer, int offset, int count, bool more)
    {
        if (!TryUse())
        {
            operation.SetResult(0, SocketError.OperationAborted);
            return false;
        }

        _send = operation;
        _sendBuffer = buffer;
        _sendOffset = offset;
        _sendCount = count;
        _sent = 0;
        if (!Flush())
        {
            return true;
        }

        EndUse();
        return false;
    }

    /// <summary>Reads the pipe ahead of need, unless it is closed. From state Reading or Waiting; Ready when that has ended.</summary>
    private void Read()
    {
        if (!TryUse())
        {
            CompleteIfAny(Settle());
            return;
        }

        try
        {
            _read = _input!.ReadAsync().GetAwaiter();
        }
        catch (Exception e)
        {
            Hold(default, Translate(e));
            EndRead();
            return;
        }

        if (_read.IsCompleted)
        {
            OnRead();
        }
        else
        {
            _read.UnsafeOnCompleted(_onRead);
        }
    }

    private void OnRead()
    {
        try
        {
#pragma warning disable VSTHRD002 // Nothing is waited for: it has completed.
            Hold(_read.GetResult(), SocketError.Success);
#pragma warning restore VSTHRD002
        }
        catch (Exception e)
        {
            Hold(default, Translate(e));
        }

        EndRead();
    }

    /// <summary>This is there to be taken: bytes, an end, or an error.</summary>
    private void Hold(ReadResult result, SocketError error)
    {
        NoteFault(error);
        _held = result.Buffer;
        _heldBytes = (int)_held.Length;
        _isLast = error != SocketError.Success || result.IsCompleted || result.IsCanceled;
        if (_isLast)
        {
            NoteEnd();

            // The kernel tells an error once, and then says end of stream.
            _readError = error == SocketError.Success ? Fault : error;
        }
    }

    private void EndRead()
    {
        var waiting = Settle();
        EndUse();
        CompleteIfAny(waiting);
    }

    /// <summary>The state is Ready from now on. The receive that waited for it, with its result; null when none did.</summary>
    private SocketOperation? Settle()
    {
        if (Interlocked.Exchange(ref _readState, Ready) != Waiting)
        {
            return null;
        }

        Take();
        return _receive;
    }

    /// <summary>True when a receive waited, which is then the caller's to end.</summary>
    private bool TryEndWait() => Interlocked.CompareExchange(ref _readState, Ready, Waiting) == Waiting;

    /// <summary>Gives the receive its result of what is held; the state is Ready.</summary>
    private void Take()
    {
        if (!TryUse())
        {
            _receive!.SetResult(0, SocketError.OperationAborted);
            return;
        }

        if (_heldBytes == 0)
        {
            _receive!.SetResult(0, _readError); // The end, or why there is none.
        }
        else
        {
            int count = Math.Min(_receiveCount, _heldBytes);
            _held.Slice(0, count).CopyTo(_receiveBuffer.AsSpan(_receiveOffset, count));
            _held = _held.Slice(count);
            _heldBytes -= count;
            _receive!.SetResult(count, SocketError.Success);
            if (_heldBytes == 0)
            {
                _input!.AdvanceTo(_held.End);
                if (!_isLast)
                {
                    Volatile.Write(ref _readState, Reading);
                    Read();
                }
            }
        }

        EndUse();
    }

    /// <summary>Goes on with the send. False while it waits for the peer to take what was sent before.</summary>
    private bool Flush()
    {
        try
        {
            if (Volatile.Read(ref _output) is not { } output)
            {
                _send!.SetResult(0, SocketError.NotConnected);
                return true;
            }

            while (_sent < _sendCount)
            {
                _flushing = Math.Min(_sendCount - _sent, TransportLimits.LargeBufferBytes);
                _flush = output.WriteAsync(_sendBuffer.AsMemory(_sendOffset + _sent, _flushing)).GetAwaiter();
                if (!_flush.IsCompleted)
                {
                    _waitsToSend = true;
                    _flush.UnsafeOnCompleted(_onFlushed);
                    return false;
                }

                if (!EndFlush())
                {
                    return true;
                }
            }

            _send!.SetResult(_sent, SocketError.Success);
        }
        catch (Exception e)
        {
            Fail(Translate(e));
        }

        return true;
    }

    private void OnFlushed()
    {
        bool ended;
        _waitsToSend = false;
        try
        {
            ended = !EndFlush() || Flush();
        }
        catch (Exception e)
        {
            Fail(Translate(e));
            ended = true;
        }

        if (ended)
        {
            var operation = _send!;
            EndUse();
            Complete(operation);
        }
    }

    /// <summary>A piece is sent. False when it is not, which is then the result.</summary>
    private bool EndFlush()
    {
#pragma warning disable VSTHRD002 // Nothing is waited for: it has completed.
        bool isOver = _flush.GetResult().IsCompleted;
#pragma warning restore VSTHRD002
        _sent += _flushing;
        _flushing = 0;
        if (isOver)
        {
            // The transport's sending loop has ended, and does not say why. What had come in order before stays so.
            _send!.SetResult(0, IsClosed ? SocketError.OperationAborted : SocketError.ConnectionReset);
        }

        return !isOver;
    }

    private void Fail(SocketError error)
    {
        _flushing = 0;
        error = IsClosed ? SocketError.OperationAborted : error;
        NoteFault(error);
        _send!.SetResult(0, error);
    }

    /// <summary>The error that an exception of a pipe stands for.</summary>
    private SocketError Translate(Exception e) =>
        IsClosed ? SocketError.OperationAborted
        : e is ConnectionResetException ? SocketError.ConnectionReset
        : (e as SocketException ?? e.InnerException as SocketException)?.SocketErrorCode ?? SocketError.ConnectionAborted;
}
