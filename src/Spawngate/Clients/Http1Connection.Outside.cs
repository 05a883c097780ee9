using Spawngate.Forwarding;
using Spawngate.Overload;

namespace Spawngate.Clients;

/// <content>What comes from outside of the connection's task: the tick, the drain, and what its sockets tell.</content>
internal sealed partial class Http1Connection
{
    /// <summary>Looks at the deadlines and at the client; on the coarse tick. Bytes that the connection holds.</summary>
    public long OnTick(long nowMs)
    {
        long held;
        if (Volatile.Read(ref _http2) is { } http2)
        {
            held = http2.OnTick(nowMs);
        }
        else
        {
            _watch.OnTick(nowMs);
            held = _holding.Measure(nowMs);
        }

        return _holding.Bytes = held + ConnectionLimits.ClientConnectionBytes;
    }

    /// <summary>Adds what it holds, and for whom; on the tick.</summary>
    public void AddTo(HoldingSurvey survey)
    {
        if (Volatile.Read(ref _http2) is { } http2)
        {
            http2.AddTo(survey, _holding.Bytes);
            return;
        }

        _holding.AddTo(survey);
    }

    /// <summary>Adds those of its requests to what holds a backend that do; from any thread.</summary>
    public void AddTo(ActiveRequestSearch search)
    {
        _exchange.AddTo(search);
        Volatile.Read(ref _http2)?.AddTo(search);
    }

    /// <summary>The gateway drains: an idle connection ends now.</summary>
    public void CloseIfIdle()
    {
        if (Volatile.Read(ref _http2) is { } http2)
        {
            http2.CloseIfIdle();
        }
        else
        {
            _watch.CloseIfIdle();
        }
    }

    /// <summary>Cuts the connection, whatever it does.</summary>
    public void Abort()
    {
        _exchange.Abort(ProxyError.ClientGone);
        _client.Abort(reset: true);
    }

    /// <inheritdoc/>
    public void OnReceiveUnobserved() => _watch.OnReceiveUnobserved();

    /// <inheritdoc/>
    public void OnProgress() => _watch.OnProgress();
}
