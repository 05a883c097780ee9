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

    /// <summary>
    /// The types, and the public members of types that are not private, without XML docs. Not asked for: overrides (documented where
    /// they are first declared), constructors (by the type), names of the C library in capitals, and declarations whose attribute says it
    /// all (a log message, a C function).
    /// </summary>
    public static IEnumerable<Declaration> FindUndocumented(string source)
    {
        var lines = source.Split('\n');
        var declarations = CSharpOutline.Read(source);
        var privateTypes = declarations.Where(type => type.Kind == OutlineKind.Type && IsPrivate(type, declarations)).ToList();
        return declarations.Where(declaration =>
            !privateTypes.Any(type => type == declaration || IsInside(declaration, type))
            && IsDocumentable(declaration)
            && !IsDocumented(lines, declaration)
        );
    }

    private static bool IsInside(Declaration inner, Declaration outer) =>
        inner != outer && inner.FirstLine >= outer.FirstLine && inner.LastLine <= outer.LastLine;

    /// <summary>A nested type without a modifier is private as well.</summary>
    private static bool IsPrivate(Declaration type, List<Declaration> all) =>
        Regex.IsMatch(type.Header, @"\bprivate\b")
        || (
            !Regex.IsMatch(type.Header, @"\b(?:public|internal|protected)\b")
            && all.Any(outer => outer.Kind == OutlineKind.Type && IsInside(type, outer))
        );

    private static bool IsDocumentable(Declaration declaration) =>
        declaration.Kind == OutlineKind.Type
        || (
            Regex.IsMatch(declaration.Header, @"^public\b")
            && !Regex.IsMatch(declaration.Header, @"\boverride\b|^public\s\w+\s?\(")
            && !Regex.IsMatch(declaration.Name, "^[A-Z0-9_]{2,}$")
        );

    private static bool IsDocumented(string[] lines, Declaration declaration)
    {
        var at = declaration.FirstLine - 1;
        if (Regex.IsMatch(lines[at], @"^\s*\[(?:LoggerMessage|LibraryImport)\b"))
        {
            return true;
        }

        for (at--; at >= 0 && Regex.IsMatch(lines[at], @"^\s*(?:\[.*\]|#.*|//(?!/).*)\s*$"); at--) { }

        return at >= 0 && lines[at].TrimStart().StartsWith("///", StringComparison.Ordinal);
    }
}
