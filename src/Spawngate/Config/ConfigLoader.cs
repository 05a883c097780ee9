using Spawngate.Config.Toml;

namespace Spawngate.Config;

/// <summary>Turns a configuration file into a <see cref="GatewayConfig"/>, or into the list of everything that is wrong with it.</summary>
internal static class ConfigLoader
{
    private const string ServerKey = "server";
    private const string AdminPortKey = "admin_port";
    private const string AdminKeys = "server.admin_";

    private static readonly string[] Sections = ["server", "defaults", "backends", SessionKeys.Section];

    /// <summary>Reads and checks a file. A file that cannot be read is an error like any other, at line 1, column 1.</summary>
    /// <param name="path">The file; errors and <see cref="GatewayConfig.Path"/> repeat it as given.</param>
    /// <param name="kinds">The kinds that its backends may have.</param>
    public static ConfigLoadResult LoadFile(string path, BackendKinds kinds)
    {
        using var content = new FileContent(ConfigLimits.ReadChunkBytes, ConfigLimits.FileBytesMax);
        var problem = TryRead(path, content);
        return problem is null
            ? Load(path, content.Bytes, kinds, Directory.Exists)
            : new ConfigLoadResult(null, [new ConfigError(path, new TomlPosition(1, 1), "", problem)]);
    }

    /// <summary>
    /// Reads of a file only where its admin API listens and which token opens it. What is wrong elsewhere does not matter to those who want
    /// to talk to a gateway that runs with an earlier version of the file.
    /// </summary>
    /// <param name="path">The file; errors repeat it as given.</param>
    /// <param name="server">Settings of which those of the admin API are valid.</param>
    /// <returns>What is wrong with these settings; empty when they can be used.</returns>
    public static IReadOnlyList<ConfigError> LoadAdminAddress(string path, out ServerConfig server)
    {
        server = new ServerConfig();
        using var content = new FileContent(ConfigLimits.ReadChunkBytes, ConfigLimits.FileBytesMax);
        if (TryRead(path, content) is { } problem)
        {
            return [new ConfigError(path, new TomlPosition(1, 1), "", problem)];
        }

        var document = TomlReader.Read(content.Bytes, ConfigLimits.DepthMax, ConfigLimits.SyntaxErrorsMax);
        List<ConfigError> errors = [];
        var root = new ConfigTable(new ConfigReading(path, errors, BackendKinds.None), document.Root);
        var table = root.Table(ServerKey);
        server = table is null ? server : ServerKeys.Read(table);
        if (table is null || (table.Toml.IsIncomplete && table.Find(AdminPortKey) is null))
        {
            // The port may stand in what could not be read.
            errors.AddRange(
                document.Errors.Where(MayHideServer).Select(error => new ConfigError(path, error.Position, error.KeyPath, error.Message))
            );
            return errors;
        }

        return errors.FindAll(static error => error.KeyPath.StartsWith(AdminKeys, StringComparison.Ordinal));
    }

    /// <summary>Checks a text that is already in memory.</summary>
    /// <param name="path">Its name, for errors and <see cref="GatewayConfig.Path"/>.</param>
    /// <param name="utf8">The text.</param>
    /// <param name="kinds">The kinds that its backends may have.</param>
    /// <param name="folderExists">Says whether a <c>working_dir</c> exists.</param>
    public static ConfigLoadResult Load(string path, ReadOnlySpan<byte> utf8, BackendKinds kinds, Func<string, bool> folderExists)
    {
        var document = TomlReader.Read(utf8, ConfigLimits.DepthMax, ConfigLimits.SyntaxErrorsMax);
        var errors = document.Errors.Select(error => new ConfigError(path, error.Position, error.KeyPath, error.Message)).ToList();
        var root = new ConfigTable(new ConfigReading(path, errors, kinds), document.Root);
        root.ReportUnknown(Sections, "the top level");
        var server = ReadServer(root);
        var defaults = root.Table("defaults") is { } table ? ReadDefaults(table) : new BackendTimings();
        var backends = BackendKeys.ReadAll(root, defaults, folderExists);
        var sessions = SessionKeys.Read(root, defaults, folderExists);
        ConfigCrossChecks.Check(root, server, backends);
        if (errors.Count > 0)
        {
            return new ConfigLoadResult(null, [.. errors.OrderBy(error => error.Position)]);
        }

        var configs = backends.ConvertAll(static read => read.Config);
        return new ConfigLoadResult(
            new GatewayConfig
            {
                Path = path,
                Server = server,
                Defaults = defaults,
                Backends = configs,
                Sessions = sessions,
            },
            []
        );
    }

    private static bool MayHideServer(TomlError error) =>
        !Sections.Any(section => section != ServerKey && error.KeyPath.StartsWith(section, StringComparison.Ordinal));

    private static ServerConfig ReadServer(ConfigTable root) =>
        root.Table(ServerKey) is { } table ? ServerKeys.Read(table) : new ServerConfig();

    private static BackendTimings ReadDefaults(ConfigTable table)
    {
        table.ReportUnknown(TimingKeys.All, "[defaults]");
        return TimingKeys.Read(table, new BackendTimings());
    }

    private static string? TryRead(string path, FileContent content)
    {
        if (Directory.Exists(path))
        {
            return "found a folder, a configuration file is needed";
        }

        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            return content.TryRead(file)
                ? null
                : $"found more than {ConfigLimits.FileBytesMax / (1024 * 1024)} MiB, a configuration file may not be larger";
        }
        catch (Exception problem) when (problem is FileNotFoundException or DirectoryNotFoundException)
        {
            return "found no such file";
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return $"the file cannot be read: {problem.Message}";
        }
    }
}
