namespace Spawngate.Telemetry;

/// <summary>Exact times of the steps of a start.</summary>
/// <param name="Woken">When the request or call that woke it arrived.</param>
/// <param name="Spawned">When the process or container was there.</param>
/// <param name="Ready">When it was ready; 0 when there was no start to wait for.</param>
internal readonly record struct StartSteps(long Woken, long Spawned, long Ready);
