using System.Globalization;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Endurance;

/// <summary>
/// How long and how hard the endurance tests try: shortly in every run, at length when <c>SPAWNGATE_ENDURANCE_SECS</c> says for how many
/// seconds. The framework-dependent build, whose children take ten times as long to start, gets a shorter run than the native one.
/// </summary>
internal static class Effort
{
    private static readonly int Asked = int.Parse(
        Environment.GetEnvironmentVariable("SPAWNGATE_ENDURANCE_SECS") is { Length: > 0 } text ? text : "0",
        CultureInfo.InvariantCulture
    );

    /// <summary>True for a long run.</summary>
    public static bool IsLong => Asked > 0;

    /// <summary>
    /// Seconds for a test: as asked, else <paramref name="native"/> for the native build and <paramref name="managed"/> for the other.
    /// </summary>
    public static TimeSpan Span(int native, int managed) =>
        TimeSpan.FromSeconds(
            IsLong ? Asked
            : Executables.GatewayIsNative ? native
            : managed
        );

    /// <summary>A quantity for a long run, for the native build, and for the other.</summary>
    public static int Scale(int @long, int native, int managed) =>
        IsLong ? @long
        : Executables.GatewayIsNative ? native
        : managed;

    /// <summary>
    /// Randomness that a failed run can be repeated with: the seed is in the output, and <c>SPAWNGATE_ENDURANCE_SEED</c> sets it.
    /// </summary>
    public static async Task<Random> SeededAsync()
    {
        string? given = Environment.GetEnvironmentVariable("SPAWNGATE_ENDURANCE_SEED");
        int seed = given is { Length: > 0 } ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        await TestContext.Out.WriteLineAsync($"seed {seed} (SPAWNGATE_ENDURANCE_SEED)");
        return new Random(seed);
    }
}
