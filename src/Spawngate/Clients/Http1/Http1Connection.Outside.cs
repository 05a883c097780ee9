using Spawngate.Forwarding;
using Spawngate.Overload;

namespace Spawngate.Clients.Http1;

/// <content>What comes from outside of the connection's task: the tick, the drain, and what its sockets tell.</content>
internal sealed partial class Http1Connection
{
    /// <inheritdoc/>
    public override long OnTick(long nowMs)
    {
        _watch.OnTick(nowMs);
        return _holding.Measure(nowMs);
    }

    /// <inheritdoc/>
    public override void AddTo(HoldingSurvey survey, long held) => _holding.AddTo(survey, held);

    /// <inheritdoc/>
    public override void AddTo(ActiveRequestSearch search) => _exchange.AddTo(search);

    /// <inheritdoc/>
    public override void CloseIfIdle() => _watch.CloseIfIdle();

    /// <inheritdoc/>
    public override void Abort() => _exchange.Abort(ProxyError.ClientGone);

    /// <inheritdoc/>
    public override void OnReceiveUnobserved() => _watch.OnReceiveUnobserved();

    /// <inheritdoc/>
    public void OnProgress() => _watch.OnProgress();

    private void Cut()
    {
        Abort();
        _client.Abort(reset: true);
    }
}
