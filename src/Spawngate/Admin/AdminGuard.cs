using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Spawngate.Admin;

/// <summary>
/// Who may talk to the admin API. Three questions are asked of a request, in this order: is its Host an address of ours
/// (a web page can make a browser send any request to 127.0.0.1, but not with our Host, unless it rebinds its own name);
/// does it know the admin token; and, if it changes something, does it come from a web page of another origin.
/// </summary>
internal sealed class AdminGuard
{
    private const string BearerPrefix = "Bearer ";

    private readonly IPAddress _bind;
    private readonly byte[]? _token;

    /// <summary>Makes the guard of one admin listener.</summary>
    /// <param name="bind">The address it is bound to.</param>
    /// <param name="adminToken">The configured token; null when none is asked for.</param>
    public AdminGuard(IPAddress bind, string? adminToken)
    {
        _bind = Canonical(bind);
        _token = adminToken is null ? null : Encoding.UTF8.GetBytes(adminToken);
    }

    /// <summary>Whether a token is configured at all.</summary>
    public bool AsksForToken => _token is not null;

    /// <summary>Whether the request proves to know the configured admin token. False when none is configured.</summary>
    public bool KnowsAdminToken(HttpRequest request)
    {
        StringValues header = request.Headers.Authorization;
        if (
            _token is null
            || header.Count != 1
            || header[0] is not { } value
            || !value.StartsWith(BearerPrefix, StringComparison.OrdinalIgnoreCase)
        )
        {
            return false;
        }

        // As many bytes are compared as the token has, whatever was presented: neither content nor length shows in the time it takes.
        byte[] presented = Encoding.UTF8.GetBytes(value[BearerPrefix.Length..].Trim());
        byte[] fitted = new byte[_token.Length];
        presented.AsSpan(0, Math.Min(presented.Length, fitted.Length)).CopyTo(fitted);
        return CryptographicOperations.FixedTimeEquals(fitted, _token) & presented.Length == _token.Length;
    }

    /// <summary>
    /// Whether a Host header names this machine's loopback or the bound address. When bound to all addresses every IP
    /// literal is accepted: rebinding works with names only, and which of our addresses a NAT shows is not ours to know.
    /// </summary>
    /// <param name="host">Value of the Host header, with or without port.</param>
    public bool AllowsHost(string host)
    {
        if (!TryStripPort(host, out string name))
        {
            return false;
        }

        if (IPAddress.TryParse(name, out IPAddress? literal))
        {
            literal = Canonical(literal);
            return IPAddress.IsLoopback(literal) || literal.Equals(_bind) || IsWildcard(_bind);
        }

        name = name.EndsWith('.') ? name[..^1] : name;
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// Whether a request that changes something may come from where it says it comes from. Browsers send Origin with every
    /// POST, and Sec-Fetch-Site when they know it; programs send neither. Another port of 127.0.0.1 is "same-site" to a
    /// browser but not ours (a backend's page, for example), so only "same-origin" and "none" pass.
    /// </summary>
    public static bool AllowsOrigin(HttpRequest request)
    {
        StringValues site = request.Headers["Sec-Fetch-Site"];
        if (site.Count > 0 && site != "same-origin" && site != "none")
        {
            return false;
        }

        StringValues origin = request.Headers.Origin;
        if (origin.Count == 0)
        {
            return true;
        }

        string? authority = request.Host.Value;
        return string.Equals(origin, "http://" + authority, StringComparison.OrdinalIgnoreCase)
            || string.Equals(origin, "https://" + authority, StringComparison.OrdinalIgnoreCase);
    }

    private static bool IsWildcard(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private static IPAddress Canonical(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static bool TryStripPort(string host, out string name)
    {
        int bracket = host.LastIndexOf(']');
        int colon = host.IndexOf(':', bracket + 1);
        name = colon < 0 ? host : host[..colon];
        ReadOnlySpan<char> port = colon < 0 ? default : host.AsSpan(colon + 1);
        return name.Length > 0 && !port.ContainsAnyExceptInRange('0', '9');
    }
}
