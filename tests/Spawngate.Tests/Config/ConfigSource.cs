using System.Text;
using Spawngate.Composition;
using Spawngate.Config;

namespace Spawngate.Tests;

/// <summary>Loads configurations from texts, in a world where only /opt/api exists.</summary>
internal static class ConfigSource
{
    /// <summary>Loads a text as <c>c.toml</c>.</summary>
    public static ConfigLoadResult Load(string text) =>
        ConfigLoader.Load("c.toml", Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\n")), RegisteredKinds.All, folder =>
            folder == "/opt/api"
        );

    /// <summary>Loads a text that must be valid.</summary>
    public static GatewayConfig Valid(string text)
    {
        var result = Load(text);
        Assert.That(Lines(result), Is.Empty);
        return result.Config!;
    }

    /// <summary>The errors of a text, one a line.</summary>
    public static List<string> Errors(string text)
    {
        var result = Load(text);
        Assert.That(result.Config is null, Is.EqualTo(result.Errors.Count > 0));
        return Lines(result);
    }

    /// <summary>A local backend <c>a</c> with one more line.</summary>
    public static string Local(string line) => $"[backends.a]\ncommand = \"x\"\n{line}\n";

    /// <summary>A Docker backend <c>a</c> with one more line.</summary>
    public static string Docker(string line) => $"[backends.a]\ntype = \"docker\"\nimage = \"i\"\nport = 80\n{line}\n";

    private static List<string> Lines(ConfigLoadResult result) => [.. result.Errors.Select(error => error.ToString())];
}
