using System.CommandLine;
using System.CommandLine.Invocation;
using Spawngate.Runtime;

namespace Spawngate.Commands;

/// <summary>
/// The command line: <c>spawngate [CONFIG]</c>, <c>check</c>, <c>hello</c>, <c>explain</c>, <c>--version</c>, <c>--help</c>. The first word
/// decides: a configuration file that is called like a subcommand is given as <c>./hello</c>.
/// </summary>
internal sealed class CommandLine
{
    private const string DefaultConfig = "config.toml";

    private static readonly string[] _subcommands = ["check", "hello", "explain"];

    private readonly CommandActions _actions;
    private readonly CommandConsole _console;

    private CommandLine(CommandActions actions, CommandConsole console)
    {
        _actions = actions;
        _console = console;
    }

    /// <summary>Does what the arguments ask for.</summary>
    /// <returns>The exit code, see <see cref="ExitCode"/>.</returns>
    public static async Task<int> InvokeAsync(string[] args, CommandActions actions, CommandConsole console)
    {
        var line = new CommandLine(actions, console);
        try
        {
            return await (line.ShortcutAsync(args) ?? line.ParseAsync(args));
        }
        catch (CannotRunException e)
        {
            await console.Error.WriteLineAsync($"spawngate: {e.Message}");
            return ExitCode.CannotRun;
        }
    }

    /// <summary>
    /// The calls that production makes, <c>spawngate</c>, <c>spawngate CONFIG</c> and <c>spawngate hello</c>, without the parser: building
    /// it takes several milliseconds, which a cold start and an entry point of a container can do without.
    /// </summary>
    private Task<int>? ShortcutAsync(string[] args) =>
        args switch
        {
            [] => _actions.RunAsync(DefaultConfig, _console),
            ["hello"] => HelloAsync(null, null),
            [{ Length: > 0 } only] when only[0] != '-' && !_subcommands.Contains(only) => RunFileAsync(only),
            _ => null,
        };

    // A misspelt command is taken for a file; then it has to be said that it is neither.
    private async Task<int> RunFileAsync(string file)
    {
        int code = await _actions.RunAsync(file, _console);
        if (code == ExitCode.Usage && !file.AsSpan().ContainsAny('.', '/') && !Path.Exists(file))
        {
            string known = string.Join(", ", _subcommands);
            await _console.Error.WriteLineAsync($"spawngate: {file} is no command either; commands are {known}, and --help tells more");
        }

        return code;
    }

    private async Task<int> ParseAsync(string[] args)
    {
        RootCommand root = BuildRoot();
        ParseResult result = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0)
        {
            foreach (System.CommandLine.Parsing.ParseError error in result.Errors)
            {
                await _console.Error.WriteLineAsync($"spawngate: {error.Message}");
            }

            await _console.Error.WriteLineAsync("Try 'spawngate --help'.");
            return ExitCode.Usage;
        }

        // Signals are the gateway's business, and an exception that reaches this far is a bug whose trace is wanted.
        return await result.InvokeAsync(
            new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = _console.Out,
                Error = _console.Error,
            },
            _console.Cancel
        );
    }

    private RootCommand BuildRoot()
    {
        Argument<string> config = ConfigArgument();
        var root = new RootCommand(
            """
            Spawngate starts HTTP servers when a request arrives for them, and stops them when nobody uses them.

            Without a subcommand it runs the proxy. Exit codes: 0 clean stop, 1 could not run, 2 bad usage or configuration.
            SPAWNGATE_LOG sets the log level, for example SPAWNGATE_LOG=debug.
            """
        )
        {
            config,
            CheckCommand(),
            HelloCommandLine(),
            ExplainCommandLine(),
        };
        root.Directives.Clear();
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction(_console);
        root.SetAction((parsed, _) => _actions.RunAsync(parsed.GetRequiredValue(config), _console));
        return root;
    }

    private Command CheckCommand()
    {
        Argument<string> config = ConfigArgument();
        var live = new Option<bool>("--live") { Description = "Ask the running gateway instead whether it is well: exits 0 or 1" };
        Option<string?> admin = AdminOption("Address of the admin API to ask with --live [default: as CONFIG says]");
        var check = new Command("check", "Validates a configuration file and prints the effective settings of every backend.")
        {
            config,
            live,
            admin,
        };
        check.Validators.Add(result =>
        {
            if (result.GetValue(admin) is not null && !result.GetValue(live))
            {
                result.AddError("'--admin' is of use with '--live' only.");
            }
        });
        check.SetAction(
            (parsed, _) =>
                parsed.GetValue(live)
                    ? LiveCommand.RunAsync(_actions, _console, parsed.GetValue(admin), parsed.GetRequiredValue(config))
                    : Task.FromResult(_actions.Check(parsed.GetRequiredValue(config), _console))
        );
        return check;
    }

    private Command HelloCommandLine()
    {
        var port = new Option<string?>("--port")
        {
            Description = "Port to listen on [default: the environment variable PORT]",
            HelpName = "PORT",
        };
        var bind = new Option<string?>("--bind") { Description = "Address to listen on [default: 127.0.0.1]", HelpName = "ADDRESS" };
        var hello = new Command("hello", "Runs a tiny demo backend on $PORT, to try Spawngate with.") { port, bind };
        hello.SetAction((parsed, _) => HelloAsync(parsed.GetValue(port), parsed.GetValue(bind)));
        return hello;
    }

    private Command ExplainCommandLine()
    {
        var host = new Argument<string>("HOST") { Description = "Host name, as in a request" };
        Option<string?> admin = AdminOption("Address of the admin API, for example http://127.0.0.1:9999");
        var config = new Option<string>("--config")
        {
            Description = "Configuration file to find the admin API with, unless --admin names it",
            HelpName = "FILE",
            DefaultValueFactory = _ => DefaultConfig,
        };
        var json = new Option<bool>("--json") { Description = "Print the report as the admin API gives it" };
        var explain = new Command("explain", "Says why a backend runs or not: who woke it, what holds it, when it stops.")
        {
            host,
            admin,
            config,
            json,
        };
        explain.SetAction(
            (parsed, _) =>
            {
                var command = new ExplainCommand(_actions, _console);
                return command.RunAsync(
                    parsed.GetRequiredValue(host),
                    parsed.GetValue(admin),
                    parsed.GetRequiredValue(config),
                    parsed.GetValue(json)
                );
            }
        );
        return explain;
    }

    private static Option<string?> AdminOption(string description) => new("--admin") { Description = description, HelpName = "URL" };

    private Task<int> HelloAsync(string? port, string? bind) => HelloCommand.RunAsync(port ?? _console.Variable("PORT"), bind, _console);

    /// <summary>A path that looks like an option is refused, because it is far more likely a mistyped option.</summary>
    private static Argument<string> ConfigArgument()
    {
        var config = new Argument<string>("CONFIG")
        {
            Description = "Configuration file; one that is called like a subcommand is given as ./NAME",
            DefaultValueFactory = _ => DefaultConfig,
        };
        config.Validators.Add(result =>
        {
            string value = result.Tokens.Count > 0 ? result.Tokens[0].Value : DefaultConfig;
            if (value.Length == 0)
            {
                result.AddError("The path of the configuration file is empty.");
            }
            else if (value[0] == '-')
            {
                result.AddError($"Unknown option '{value}'.");
            }
        });
        return config;
    }

    /// <summary>Prints the name with the version, as other programs of this kind do.</summary>
    private sealed class VersionAction(CommandConsole console) : SynchronousCommandLineAction
    {
        /// <inheritdoc/>
        public override int Invoke(ParseResult parseResult)
        {
            console.Out.WriteLine($"{SpawngateVersion.Name} {SpawngateVersion.Text}");
            return ExitCode.Success;
        }
    }
}
