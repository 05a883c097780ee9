namespace Spawngate.Composition;

/// <summary>The bounds of the gateway as a whole, each with the reasoning behind its value.</summary>
internal static class CompositionLimits
{
    /// <summary>
    /// Clients at once below which a warning is due even if nobody asked for more: what one page with many visitors needs.
    /// </summary>
    public const int ClientsFew = 1000;
}
