namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Backends that are more than one process, made with a shell around TestBackend.</summary>
internal static class Trees
{
    /// <summary>
    /// A shell leaves two daemons behind, forked twice and in sessions of their own: <c>obedient</c> ends at SIGTERM, <c>stubborn</c> does
    /// not. Then it becomes the backend, with <paramref name="args"/>.
    /// </summary>
    public static string[] WithDaemons(string prefix = "", string backend = "backend", string args = "") =>
        Shell(
            $"""
            (setsid sh -c '"$0" --mode=sleep --name={prefix}obedient & exit 0' "$0" &)
            (setsid sh -c '"$0" --mode=sleep --name={prefix}stubborn --ignore-sigterm & exit 0' "$0" &)
            exec "$0" --name={backend} {args}
            """
        );

    /// <summary>A shell that stays the parent of the backend, as <c>npm start</c> does.</summary>
    public static string[] UnderShell(string args) => Shell($"\"$0\" {args}; exit $?");

    /// <summary>The lines of a backend that runs a script, in which <c>$0</c> is TestBackend.</summary>
    public static string[] Shell(string script) =>
        ["command = \"/bin/sh\"", $"args = [\"-c\", '''{script}''', {ConfigFile.Quote(Executables.Backend)}]"];
}
