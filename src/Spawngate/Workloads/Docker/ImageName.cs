namespace Spawngate.Workloads.Docker;

/// <summary>An image reference, taken apart as Docker does it: <c>[registry/]name[:tag][@digest]</c>.</summary>
/// <param name="Repository">Registry and name, as written.</param>
/// <param name="Tag">The digest if there is one, else the tag, else <c>latest</c>: without any, the engine would pull all tags.</param>
internal readonly record struct ImageName(string Repository, string Tag)
{
    private const string Hub = "docker.io";

    /// <summary>
    /// The registry that has it: the first part when that looks like a host (a dot, a port, or localhost), else Docker Hub.
    /// </summary>
    public string Registry
    {
        get
        {
            var slash = Repository.IndexOf('/', StringComparison.Ordinal);
            var first = slash < 0 ? "" : Repository[..slash];
            return first == "localhost" || first.AsSpan().ContainsAny('.', ':') ? first : Hub;
        }
    }

    /// <summary>Takes a reference apart.</summary>
    public static ImageName Parse(string reference)
    {
        var at = reference.IndexOf('@', StringComparison.Ordinal);
        var name = at < 0 ? reference : reference[..at];
        var colon = name.IndexOf(':', name.LastIndexOf('/') + 1);
        var repository = colon < 0 ? name : name[..colon];
        return new ImageName(
            repository,
            at >= 0 ? reference[(at + 1)..]
                : colon >= 0 ? name[(colon + 1)..]
                : "latest"
        );
    }
}
