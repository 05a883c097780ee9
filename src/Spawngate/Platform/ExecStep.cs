using System.Globalization;
using System.Text;

namespace Spawngate.Platform;

/// <summary>Whom a child is to run as.</summary>
/// <param name="User">Number of the user; null to stay the user that we are.</param>
/// <param name="Group">Number of the group; null to stay in ours.</param>
/// <param name="HasGroups">Whether the user is in the system's table, from which his other groups come.</param>
internal sealed record ChildIdentity(long? User, long? Group, bool HasGroups);

/// <summary>
/// What a child gets on the way to its program that <c>posix_spawn</c> cannot set. Each word executes the next, so that the pid stays that
/// of the program, and whatever fails ends it with a message on stderr.
/// <code>
///   sh -c '…; exec "$@"' sh │ nice -n N  │ setpriv --reuid … │ program, arguments
///   umask, control group,   │ niceness   │ user, groups      │
///   LISTEN_PID              │            │                   │
/// </code>
/// The shell comes first, because only the gateway's own user may write to control groups. A word that nothing needs is left out.
/// </summary>
internal sealed record ExecStep
{
    // The quickest first: of what a start takes, half a millisecond or one and a half are the shell's.
    private static readonly string? QuickShell = Array.Find(["/bin/dash", "/usr/bin/dash", "/bin/sh"], File.Exists);
    private static readonly string? WholeShell = Array.Find(["/bin/bash", "/usr/bin/bash"], File.Exists);
    private static readonly Lazy<string?> SetprivPath = new(() => Find("setpriv"));
    private static readonly Lazy<string?> NicePath = new(() => Find("nice"));

    /// <summary>Whether the child is told its own pid as <c>LISTEN_PID</c>.</summary>
    public bool TellsPid { get; init; }

    /// <summary>Permissions that files it makes do not get, in octal digits; null for ours.</summary>
    public string? Umask { get; init; }

    /// <summary>How much nicer than this process it is; 0 for as nice.</summary>
    public int NiceBy { get; init; }

    /// <summary>As whom it runs; null for as we do.</summary>
    public ChildIdentity? Identity { get; init; }

    /// <summary>The files that a process writes itself to in order to join its control groups.</summary>
    public IReadOnlyList<string> GroupFiles { get; init; } = [];

    /// <summary>Which program this step needs that is missing here; null when it can be taken.</summary>
    public string? Missing
    {
        get
        {
            if (QuickShell is null && Script().Length > 0)
            {
                return "there is no shell /bin/sh here";
            }

            return NiceBy != 0 && NicePath.Value is null ? "there is no program nice here, which the key nice needs"
                : Identity is not null && SetprivPath.Value is null
                    ? "there is no program setpriv (of util-linux) here, which the keys user and group need"
                : null;
        }
    }

    /// <summary>The words that come before the program's path; the first is the path of the file to execute.</summary>
    /// <param name="environment">
    /// That of the child. Variables whose names are no names to a shell get lost in most; one that keeps them is taken, if there is one.
    /// </param>
    public IReadOnlyList<string> WordsBefore(IReadOnlyList<byte[]> environment)
    {
        var words = new List<string>();
        string script = Script();
        if (script.Length > 0)
        {
            string shell = WholeShell is not null && environment.Any(static entry => !HasShellName(entry)) ? WholeShell : QuickShell!;
            words.AddRange([shell, "-c", script + "exec \"$@\"", "sh"]);
        }

        if (NiceBy != 0)
        {
            words.AddRange([NicePath.Value!, "-n", Number(NiceBy)]);
        }

        if (Identity is { } identity)
        {
            words.Add(SetprivPath.Value!);
            words.AddRange(identity.User is { } user ? ["--reuid", Number(user)] : []);
            words.AddRange(identity.Group is { } group ? ["--regid", Number(group)] : []);
            words.Add(
                identity.User is null ? "--keep-groups"
                : identity.HasGroups ? "--init-groups"
                : "--clear-groups"
            );

            // Those that a service manager gave to us are not for him.
            words.AddRange(identity.User is > 0 ? ["--inh-caps=-all", "--ambient-caps=-all"] : []);
        }

        return words;
    }

    private string Script()
    {
        var script = new StringBuilder();
        foreach (string file in GroupFiles)
        {
            script.Append(CultureInfo.InvariantCulture, $"echo $$ >{Quoted(file)} || exit; ");
        }

        if (Umask is not null)
        {
            script.Append(CultureInfo.InvariantCulture, $"umask {Umask}; ");
        }

        if (TellsPid)
        {
            script.Append(CultureInfo.InvariantCulture, $"export {SupervisorVariables.ListenPid}=$$; ");
        }

        return script.ToString();
    }

    private static string Quoted(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static bool HasShellName(byte[] entry)
    {
        ReadOnlySpan<byte> name = entry.AsSpan(0, Math.Max(0, entry.AsSpan().IndexOf((byte)'=')));
        return name.Length > 0
            && !char.IsAsciiDigit((char)name[0])
            && name.IndexOfAnyExcept("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"u8) < 0;
    }

    /// <summary>Busybox has programs of these names, of which setpriv can do none of this.</summary>
    private static string? Find(string program)
    {
        string folders = $"{Environment.GetEnvironmentVariable("PATH")}:/usr/bin:/bin:/usr/sbin:/sbin";
        return folders
            .Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Where(static folder => folder[0] == '/')
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(path => Libc.Access(path, Libc.X_OK) == 0 && (program != "setpriv" || !IsBusybox(path)));
    }

    private static bool IsBusybox(string path) =>
        Path.GetFileName(File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName) == "busybox";
}
