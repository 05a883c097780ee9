namespace Spawngate.Forwarding;

/// <content>What a tunnel has that other exchanges have not.</content>
internal sealed partial class Exchange
{
    private WebSocketWatch? _webSocket;

    /// <summary>
    /// Who follows the frames of this tunnel; null when nobody does. Only between <see cref="WatchWebSocket"/> and the end.
    /// </summary>
    public WebSocketWatch? WebSocket => _webSocket;

    /// <summary>
    /// Protocols are about to be switched: looks whether frames have to be told apart. Null when they have not, as in everything but a
    /// WebSocket of a backend with <c>websocket_idle_secs</c>.
    /// </summary>
    public WebSocketWatch? WatchWebSocket()
    {
        int idleSecs = _offer is { IsWebSocket: true } && !_countedPassive ? _backend!.Config.WebSocketIdleSecs : 0;
        _webSocket = idleSecs > 0 ? new WebSocketWatch(Upstream, idleSecs * 1000L) : null;
        return _webSocket;
    }

    /// <summary>Protocols were switched: from now on it is a tunnel. Behind <see cref="WatchWebSocket"/>.</summary>
    public void BecomeTunnel()
    {
        Go(ExchangeState.Tunnelling);
        _isTunnel = true;
        Record.Stage = ExchangeStage.Tunnel;
        _backend!.Traffic.ChangeTunnels(1);
        _lease.BecomeTunnel();
        if (_webSocket is { } watch)
        {
            watch.Begin(_lease.WatchTunnel(watch.QuietMs, watch.Close));
        }
    }

    /// <summary>Lets go of what only a tunnel has; it was counted as one.</summary>
    public void ForgetTunnel() => _webSocket = null;
}
