namespace Spawngate.Config;

/// <summary>
/// What leads requests to a backend, and what its table is called in the file: a host name, an address, <c>*.domain</c> or <c>*</c>. Two
/// that are equal are one route, which only one backend may have.
/// </summary>
/// <param name="Hostname">The host, as <see cref="HostName.Normalise"/> writes it; empty for none.</param>
internal readonly record struct BackendRoute(string Hostname)
{
    /// <summary>That of a table whose key is none, and of what no request is led to.</summary>
    public static BackendRoute None => new("");

    /// <summary>Whether it is <see cref="None"/>.</summary>
    public bool IsNone => Hostname.Length == 0;

    /// <summary>Whether it is the only host that leads there.</summary>
    public bool IsExact => !Hostname.StartsWith('*');

    /// <summary>Reads the key of a table.</summary>
    /// <param name="key">The key.</param>
    /// <param name="route">The route; <see cref="None"/> when the key is none.</param>
    /// <returns>Null, or what is wrong with the key.</returns>
    public static string? Parse(string key, out BackendRoute route)
    {
        var problem = HostName.Normalise(key, out var hostname);
        route = problem is null ? new BackendRoute(hostname) : None;
        return problem;
    }

    /// <summary>The key that leads to it.</summary>
    public override string ToString() => Hostname;
}
