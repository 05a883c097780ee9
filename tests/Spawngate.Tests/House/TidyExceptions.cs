namespace Spawngate.Tests;

/// <summary>
/// Where a house rule is knowingly not followed, each with its reason. An entry that no longer excuses anything fails the
/// test, so the lists cannot rot.
/// </summary>
internal static class TidyExceptions
{
    /// <summary>Files over the limit of lines, by path from the repository root: tables.</summary>
    public static readonly Dictionary<string, string> LongFiles = [];

    /// <summary>Functions that are too long or nest too deep, as <c>path: name</c>.</summary>
    public static readonly Dictionary<string, string> Functions = [];

    /// <summary>Types with a role in their name, by name.</summary>
    public static readonly Dictionary<string, string> TypeNames = [];

    /// <summary>Bounds outside of Limits.cs, as <c>path: name or literal</c>.</summary>
    public static readonly Dictionary<string, string> Bounds = [];

    /// <summary>Calls that are banned elsewhere, as <c>path: rule</c>.</summary>
    public static readonly Dictionary<string, string> Calls = new()
    {
        ["src/Spawngate/Config/ReloadMemory.cs: GC.Collect"] =
            "left to itself the collector moves the tree of a large file in the middle of a reload, which requests wait 60 "
            + "to 200 ms for; after it, 15",
        ["src/Spawngate/Overload/YoungHeap.cs: GC.Collect"] =
            "left to itself the collector lets tens of megabytes of garbage become resident before it looks at them for the first time",
        ["src/Spawngate/Overload/HeapTrimmer.cs: GC.Collect"] =
            "left to itself the collector keeps the memory of a burst until as much has been allocated anew, which may take hours",
    };

    /// <summary>Members without XML docs, as <c>path: name</c>.</summary>
    public static readonly Dictionary<string, string> Docs = [];

    /// <summary>Names in backticks in docs/ARCHITECTURE.md that are no type of this repository, by name.</summary>
    public static readonly Dictionary<string, string> DocumentedNames = [];
}
