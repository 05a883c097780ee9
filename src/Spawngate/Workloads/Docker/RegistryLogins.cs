using System.Buffers;
using System.Text;
using System.Text.Json;

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
    /// The value of X-Registry-Auth for a registry; null when there is no login for it. Read anew each time, as people log in while we
    /// instance.
    /// </summary>
    public string? Find(string registry)
    {
        using var stored = Read();
        var auths = stored?.RootElement.Part("auths");
        var login = auths?.Part(registry) ?? auths?.Part($"https://{registry}") ?? (registry == "docker.io" ? auths?.Part(HubKey) : null);
        return login is { } found && Split(found.Text("auth")) is var (user, password)
            ? Encode(registry == "docker.io" ? HubKey : registry, user, password, found.Text("identitytoken"))
            : null;
    }

    private static string Encode(string server, string user, string password, string? token)
    {
        var bytes = new ArrayBufferWriter<byte>(DockerLimits.EngineReadBytes);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("username", user);
            json.WriteString(token is null ? "password" : "identitytoken", token ?? password);
            json.WriteString("serveraddress", server);
            json.WriteEndObject();
        }

        return Convert.ToBase64String(bytes.WrittenSpan).Replace('+', '-').Replace('/', '_');
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
