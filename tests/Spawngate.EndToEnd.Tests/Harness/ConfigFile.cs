using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>A configuration in the making: lines of TOML by table, with free ports and this test's executables filled in.</summary>
internal sealed class ConfigFile
{
    private readonly List<string> _server = [];
    private readonly List<string> _defaults = [];
    private readonly List<(string Host, string Body)> _backends = [];
    private readonly List<string> _sections = [];

    /// <summary>Port of the proxy.</summary>
    public int Port { get; init; } = Ports.Free();

    /// <summary>Port of the admin API.</summary>
    public int AdminPort { get; init; } = Ports.Free();

    /// <summary>Adds lines to <c>[server]</c>.</summary>
    public ConfigFile Server(params string[] lines)
    {
        _server.AddRange(lines);
        return this;
    }

    /// <summary>Adds lines to <c>[defaults]</c>.</summary>
    public ConfigFile Defaults(params string[] lines)
    {
        _defaults.AddRange(lines);
        return this;
    }

    /// <summary>Adds a backend that runs TestBackend with these arguments on a port of its own choice.</summary>
    public ConfigFile TestBackend(string host, params string[] args) => TestBackendWith(host, [], args);

    /// <summary>Adds a backend that runs TestBackend with these arguments, and further lines of its table.</summary>
    public ConfigFile TestBackendWith(string host, string[] lines, params string[] args) =>
        Backend(host, [$"command = {Quote(Executables.Backend)}", $"args = [{string.Join(", ", args.Select(Quote))}]", .. lines]);

    /// <summary>Adds a backend by the lines of its table.</summary>
    public ConfigFile Backend(string host, params string[] lines)
    {
        _backends.Add((host, string.Join('\n', lines)));
        return this;
    }

    /// <summary>Adds a section of any kind, with its header.</summary>
    public ConfigFile Section(params string[] lines)
    {
        _sections.Add(string.Join('\n', lines));
        return this;
    }

    /// <summary>Adds a template of sessions that runs TestBackend with these arguments, and further lines of its table.</summary>
    public ConfigFile Template(string name, string[] lines, params string[] args) =>
        Section([
            $"[sessions.templates.{name}]",
            $"command = {Quote(Executables.Backend)}",
            $"args = [{string.Join(", ", args.Select(Quote))}]",
            .. lines,
        ]);

    /// <summary>Takes a backend out again.</summary>
    public ConfigFile Without(string host)
    {
        _backends.RemoveAll(each => each.Host == host);
        return this;
    }

    /// <summary>The whole file.</summary>
    public override string ToString()
    {
        var text = new StringBuilder($"[server]\nport = {Port}\nbind = \"127.0.0.1\"\nadmin_port = {AdminPort}\n");
        _server.ForEach(line => text.Append(line).Append('\n'));
        text.Append("\n[defaults]\n");
        _defaults.ForEach(line => text.Append(line).Append('\n'));
        foreach ((string host, string body) in _backends)
        {
            text.Append($"\n[backends.{Quote(host)}]\n{body}\n");
        }

        _sections.ForEach(section => text.Append('\n').Append(section).Append('\n'));
        return text.ToString();
    }

    /// <summary>A TOML basic string.</summary>
    public static string Quote(string text) =>
        "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
