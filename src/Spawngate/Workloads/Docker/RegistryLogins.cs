using System.Text;
using System.Text.Json;
using Docker.DotNet.Models;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// The logins that <c>docker login</c> has stored in the user's <c>config.json</c>. Those that it gave to a credential helper, a program of
/// its own, are not available.
/// </summary>
/// <param name="path">The file; null when the user has no home.</param>
internal sealed class RegistryLogins(string? path)
{
    private const string HubKey = "https://index.docker.io/v1/";

    /// <summary>The file of this user: in <c>DOCKER_CONFIG</c>, else in the home folder.</summary>
    /// <param name="variable">Reads a variable of the environment.</param>
    public static RegistryLogins OfUser(Func<string, string?> variable)
    {
        var folder = variable("DOCKER_CONFIG") ?? (variable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".docker") : null);
        return new RegistryLogins(folder is null ? null : Path.Combine(folder, "config.json"));
    }

    /// <summary>
    /// The login for a registry; null when there is none for it. Read anew each time, as people log in while the gateway runs.
    /// </summary>
    public AuthConfig? Find(string registry)
    {
        using var stored = Read();
        var auths = Part(stored?.RootElement, "auths");
        var login = Part(auths, registry) ?? Part(auths, $"https://{registry}") ?? (registry == "docker.io" ? Part(auths, HubKey) : null);
        if (Split(Text(login, "auth")) is not var (user, password))
        {
            return null;
        }

        var token = Text(login, "identitytoken");
        return new AuthConfig
        {
            Username = user,
            Password = token is null ? password : null,
            IdentityToken = token,
            ServerAddress = registry == "docker.io" ? HubKey : registry,
        };
    }

    private static JsonElement? Part(JsonElement? json, string name) =>
        json is { ValueKind: JsonValueKind.Object } there && there.TryGetProperty(name, out var value) ? value : null;

    private static string? Text(JsonElement? json, string name) =>
        Part(json, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static (string User, string Password)? Split(string? auth)
    {
        try
        {
            var text = Encoding.UTF8.GetString(Convert.FromBase64String(auth ?? ""));
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            return colon < 0 ? null : (text[..colon], text[(colon + 1)..]);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private JsonDocument? Read()
    {
        try
        {
            return path is not null && File.Exists(path) ? JsonDocument.Parse(File.ReadAllBytes(path)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null; // Then the pull goes without, and the registry's answer tells whether that matters.
        }
    }
}
