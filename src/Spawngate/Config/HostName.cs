using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Spawngate.Config;

/// <summary>
/// The keys of <c>[backends]</c>: a host name, an IPv4 address, an IPv6 address in brackets, <c>*.domain</c> or <c>*</c>, brought
/// into the one form in which hosts are compared.
/// </summary>
internal static class HostName
{
    private const string Allowed = "allowed are a host name, an IPv4 address, an IPv6 address in brackets, *.domain and *";

    /// <summary>Brings a key into the form used for routing: ASCII lower case, without trailing dot; IPv6 as RFC 5952 writes it.</summary>
    /// <returns>Null, or what is wrong with the key.</returns>
    public static string? Normalise(string key, out string host)
    {
        host = key;
        if (key.Length == 0)
        {
            return $"found an empty name, {Allowed}";
        }

        if (key == "*")
        {
            return null;
        }

        if (key.Contains("://", StringComparison.Ordinal) || key.Contains('/', StringComparison.Ordinal))
        {
            return $"found a URL or path, {Allowed}; requests are routed by host alone";
        }

        return key.Contains(':', StringComparison.Ordinal) || key[0] == '[' ? NormaliseIPv6(key, out host) : NormaliseName(key, out host);
    }

    private static string? NormaliseIPv6(string key, out string host)
    {
        host = key;
        if (key[0] != '[')
        {
            return IPAddress.TryParse(key, out _)
                ? $"found an IPv6 address without brackets, allowed is \"[{key}]\""
                : PortError(key, key.IndexOf(':', StringComparison.Ordinal));
        }

        var close = key.IndexOf(']', StringComparison.Ordinal);
        var inner = close < 0 ? "" : key[1..close];
        if (
            inner.Contains('%', StringComparison.Ordinal)
            || !IPAddress.TryParse(inner, out var address)
            || address.AddressFamily != AddressFamily.InterNetworkV6
        )
        {
            return $"found {ConfigText.Quote(key)}, which is no IPv6 address in brackets, {Allowed}";
        }

        host = $"[{address}]";
        return close == key.Length - 1 ? null : PortError(key, close + 1);
    }

    private static string PortError(string key, int portAt)
    {
        var host = key[..portAt];
        return key[portAt..].StartsWith(':') && Normalise(host, out _) is null
            ? $"found a port, allowed is \"{host}\": hosts are compared without their port"
            : $"found {ConfigText.Quote(key)}, {Allowed}";
    }

    private static string? NormaliseName(string key, out string host)
    {
        host = key.EndsWith('.') ? key[..^1] : key;
        host = host.ToLowerInvariant();
        var isWildcard = host.StartsWith("*.", StringComparison.Ordinal);
        var name = isWildcard ? host[2..] : host;
        if (!Ascii.IsValid(name))
        {
            return NonAsciiError(isWildcard ? "*." : "", name);
        }

        if (name.Contains('*', StringComparison.Ordinal))
        {
            return $"found {ConfigText.Quote(key)}, a * may stand only for everything (\"*\") or for the labels before a domain (\"*.example.com\")";
        }

        return LengthError(name) ?? CharacterError(key, name) ?? NumberError(key, name, isWildcard);
    }

    private static string? LengthError(string name)
    {
        if (name.Length > ConfigLimits.HostNameCharsMax)
        {
            return $"found a name of {name.Length} characters, allowed are {ConfigLimits.HostNameCharsMax}";
        }

        foreach (var label in name.AsSpan().Split('.'))
        {
            var length = label.End.Value - label.Start.Value;
            if (length is 0 or > ConfigLimits.HostLabelCharsMax)
            {
                return $"found a label of {length} characters between dots, allowed are 1 to {ConfigLimits.HostLabelCharsMax}";
            }
        }

        return null;
    }

    /// <summary>
    /// Underscores and hyphens are allowed anywhere: names of containers and previews contain them, and browsers send them.
    /// </summary>
    private static string? CharacterError(string key, string name)
    {
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))
            {
                return $"found {ConfigText.Quote(key)}, a host name consists of letters, digits, - and _, separated by dots; {Allowed}";
            }
        }

        return null;
    }

    /// <summary>A name whose last label is a number is read as an IPv4 address by every client, so it must be one.</summary>
    private static string? NumberError(string key, string name, bool isWildcard)
    {
        var lastLabel = name.AsSpan(name.LastIndexOf('.') + 1);
        if (lastLabel.ContainsAnyExceptInRange('0', '9'))
        {
            return null;
        }

        return !isWildcard && ServerKeys.TryParseAddress(name, out _)
            ? null
            : $"found {ConfigText.Quote(key)}, which ends in a number but is no IPv4 address, {Allowed}";
    }

    private static string NonAsciiError(string prefix, string name)
    {
        try
        {
            return $"found characters outside ASCII, allowed is the form that clients send: \"{prefix}{new IdnMapping().GetAscii(name)}\"";
        }
        catch (ArgumentException)
        {
            return $"found characters outside ASCII, {Allowed}; names in other scripts are written in their xn-- form";
        }
    }
}
