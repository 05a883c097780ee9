namespace Spawngate.Protocols.Tests;

/// <summary>Finds the public test vectors that lie beside the repository.</summary>
internal static class TestData
{
    /// <summary>The folder <c>../shared/data/{name}</c> seen from the repository root, or null where it is absent.</summary>
    public static string? Find(string name)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Spawngate.sln")))
        {
            folder = folder.Parent;
        }

        var data = folder?.Parent is null ? null : Path.Combine(folder.Parent.FullName, "shared", "data", name);
        return Directory.Exists(data) ? data : null;
    }
}
