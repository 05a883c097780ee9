namespace Spawngate.Clients.Shared;

/// <summary>Tells all connections that the gateway drains: from then on every response is the last of its connection.</summary>
internal sealed class DrainSignal
{
    private volatile bool _isOn;

    /// <summary>True once the gateway drains; it stays so.</summary>
    public bool IsOn => _isOn;

    /// <summary>The drain begins.</summary>
    public void Set() => _isOn = true;
}
