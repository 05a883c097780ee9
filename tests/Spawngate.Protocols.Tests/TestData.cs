namespace Spawngate.Protocols.Tests;

/// <summary>
/// Finds the public test vectors, which are no part of the repository: <c>SPAWNGATE_TEST_VECTORS</c> names the folder that has them, see
/// <see cref="PublicVectorTests"/>.
/// </summary>
internal static class TestData
{
    public const string Variable = "SPAWNGATE_TEST_VECTORS";

    /// <summary>The folder of all of them; null when none is named, and then whatever needs one has no cases.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? folder : null;

    /// <summary>The folder of that name in it; null when none is named.</summary>
    public static string? Find(string name) => Folder is { } folder ? Path.Combine(folder, name) : null;
}
