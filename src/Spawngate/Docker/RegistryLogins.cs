using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Spawngate.Docker;

/// <summary>
/// The logins that <c>docker login</c> has stored in the user's <c>config.json</c>. Those that it gave to a credential helper, a program of its own, are not
/// available.
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

    /// <summary>The value of X-Registry-Auth for a registry; null when there is no login for it. Read anew each time, as people log in while we run.</summary>
    public string? Find(string registry)
    {
        var auths = Read()?.Auths;
        var stored = auths?.GetValueOrDefault(registry) ?? auths?.GetValueOrDefault($"https://{registry}") ?? (registry == "docker.io" ? auths?.GetValueOrDefault(HubKey) : null);
        if (stored is null || Split(stored.Auth) is not { } login)
        {
            return null;
        }

        var credentials = new RegistryCredentials
        {
            Username = login.User,
            Password = stored.IdentityToken is null ? login.Password : null,
            IdentityToken = stored.IdentityToken,
            ServerAddress = registry == "docker.io" ? HubKey : registry,
        };
        var json = JsonSerializer.SerializeToUtf8Bytes(credentials, RegistryJson.Default.RegistryCredentials);
        return Convert.ToBase64String(json).Replace('+', '-').Replace('/', '_');
    }

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

    private StoredLogins? Read()
    {
        try
        {
            return path is not null && File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), RegistryJson.Default.StoredLogins) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null; // Then the pull goes without, and the registry's answer tells whether that matters.
        }
    }
}

/// <summary>The part of Docker's <c>config.json</c> that is used.</summary>
internal sealed record StoredLogins
{
    /// <summary>By registry.</summary>
    [JsonPropertyName("auths")]
    public IReadOnlyDictionary<string, StoredLogin>? Auths { get; init; }
}

/// <summary>One stored login.</summary>
internal sealed record StoredLogin
{
    /// <summary>User and password, <c>user:password</c> in base64.</summary>
    [JsonPropertyName("auth")]
    public string? Auth { get; init; }

    /// <summary>A token in place of the password.</summary>
    [JsonPropertyName("identitytoken")]
    public string? IdentityToken { get; init; }
}

/// <summary>A login as the engine wants it.</summary>
internal sealed record RegistryCredentials
{
    /// <summary>The user.</summary>
    [JsonPropertyName("username")]
    public string? Username { get; init; }

    /// <summary>The password.</summary>
    [JsonPropertyName("password")]
    public string? Password { get; init; }

    /// <summary>A token in place of the password.</summary>
    [JsonPropertyName("identitytoken")]
    public string? IdentityToken { get; init; }

    /// <summary>The registry.</summary>
    [JsonPropertyName("serveraddress")]
    public string? ServerAddress { get; init; }
}

/// <summary>Serialisation code for logins.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StoredLogins))]
[JsonSerializable(typeof(RegistryCredentials))]
internal sealed partial class RegistryJson : JsonSerializerContext;
