using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>Decides whether something named in backticks in a document exists.</summary>
internal static class TidyDocs
{
    /// <summary>
    /// True for what is found, and for what is no name of code or file (a command, a header, a key). A name is found when the code
    /// uses it as an identifier: a type that was renamed away leaves none behind.
    /// </summary>
    public static bool Exists(string name, HashSet<string> identifiers)
    {
        if (Regex.IsMatch(name, @"^(src|tests|bench|docs|\.ci)/[\w./-]*$"))
        {
            return Path.Exists(Repository.PathOf(name));
        }

        if (Regex.IsMatch(name, @"^[\w.-]+\.(cs|csproj|md|toml|sh|sln|props)$"))
        {
            return name.Contains('/') || Directory.EnumerateFiles(Repository.Root, name, SearchOption.AllDirectories).Any();
        }

        var isCodeName = Regex.IsMatch(name, @"^[A-Z][a-z0-9]\w*(\.\w+)*(<.*>)?(\(.*\))?$|^I[A-Z][a-z]\w*$");
        return !isCodeName || Regex.Replace(name, @"[<(].*$", "").Split('.').Where(part => char.IsUpper(part[0])).All(identifiers.Contains);
    }
}
