namespace Spawngate.Telemetry;

/// <summary>What clients hold, and what was done about it.</summary>
internal sealed record OverloadNumbers
{
    /// <summary>Bytes that clients make the gateway hold.</summary>
    public required long HeldBytes { get; init; }

    /// <summary>Bytes that they may.</summary>
    public required long HeldBytesMax { get; init; }

    /// <summary>Client addresses that something is counted for.</summary>
    public required int Addresses { get; init; }

    /// <summary>Each resource, and whether it runs low.</summary>
    public required IReadOnlyList<(string Resource, bool IsLow)> Resources { get; init; }

    /// <summary>Connections closed, and requests answered with an error, each with the reason.</summary>
    public required IReadOnlyList<(string What, string Reason, long Count)> Refused { get; init; }
}
