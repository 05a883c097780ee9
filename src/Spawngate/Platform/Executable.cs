using System.Text;

namespace Spawngate.Platform;

/// <summary>A command to run: the program as the user wrote it, and everything it gets.</summary>
/// <param name="Program">
/// A path if it has a slash (relative to <paramref name="WorkingDirectory"/>), else a name to look up in the child's PATH.
/// </param>
/// <param name="Arguments">Arguments after the program's own name.</param>
/// <param name="Environment">The whole environment, <c>NAME=value</c> entries.</param>
/// <param name="WorkingDirectory">Directory to start in; null means ours.</param>
internal sealed record ChildCommand(
    string Program,
    IReadOnlyList<string> Arguments,
    IReadOnlyList<byte[]> Environment,
    string? WorkingDirectory
)
{
    /// <summary>
    /// Whether its stdin is a pipe that nothing is written to, open until <see cref="ChildProcess.StdinFd"/> is closed; else /dev/null.
    /// </summary>
    public bool HasOpenStdin { get; init; }

    /// <summary>Becomes the child's 0; negative for /dev/null.</summary>
    internal int StdinFd { get; init; } = -1;

    /// <summary>What is set on the way to the program that <c>posix_spawn</c> cannot set; null for nothing.</summary>
    public ExecStep? Step { get; init; }

    /// <summary>The listening socket that becomes the child's descriptor 3; null for none.</summary>
    public ActivationSocket? Socket { get; init; }
}

/// <summary>
/// Finds the file behind a command and starts it the way <c>execvp</c> would, but says precisely why it could not. PATH is that of the
/// child, so a PATH in a backend's [env] counts. A script without <c>#!</c> is run by /bin/sh.
/// </summary>
internal static class Executable
{
    private const string DefaultPath = "/usr/local/bin:/bin:/usr/bin";
    private const string Shell = "/bin/sh";

    /// <summary>Starts <paramref name="command"/>.</summary>
    /// <param name="command">What to run.</param>
    /// <param name="stdoutFd">Becomes the child's 1.</param>
    /// <param name="stderrFd">Becomes the child's 2.</param>
    /// <param name="pid">The child.</param>
    /// <returns>Null when it runs, else the cause: <c>not found in PATH</c>.</returns>
    public static string? Start(ChildCommand command, int stdoutFd, int stderrFd, out int pid)
    {
        pid = 0;
        if (Malformed(command) is { } fault)
        {
            return fault;
        }

        if (DirectoryFault(command.WorkingDirectory) is { } directoryFault)
        {
            return directoryFault;
        }

        bool byPath = command.Program.Contains('/');
        string? refusal = null;
        foreach (string candidate in byPath ? [command.Program] : CandidatesOf(command))
        {
            string full = Locate(candidate, command.WorkingDirectory);
            if (!byPath && Unfit(full) is { } why)
            {
                refusal ??= why.Length == 0 ? null : $"{full} {why}";
                continue;
            }

            string? cause = TryStart(command, candidate, full, stdoutFd, stderrFd, out pid);
            if (cause is null)
            {
                return null;
            }

            refusal ??= byPath ? cause : $"{full} {cause}";
        }

        // The directory may have gone since it was looked at, and the errno does not tell it from a missing program.
        return DirectoryFault(command.WorkingDirectory) ?? refusal ?? (byPath ? "not found" : "not found in PATH");
    }

    /// <summary>
    /// Why a command would not start, as far as that can be told without starting it: <c>not found in PATH</c>. Null when nothing speaks
    /// against it.
    /// </summary>
    public static string? FindFault(ChildCommand command)
    {
        if ((Malformed(command) ?? DirectoryFault(command.WorkingDirectory)) is { } fault)
        {
            return fault;
        }

        bool byPath = command.Program.Contains('/');
        string? refusal = null;
        foreach (string candidate in byPath ? [command.Program] : CandidatesOf(command))
        {
            string full = Locate(candidate, command.WorkingDirectory);
            if (Unfit(full) is not { } why)
            {
                return null;
            }

            refusal ??=
                why.Length > 0 ? (byPath ? why : $"{full} {why}")
                : byPath && Directory.Exists(full) ? "is a directory"
                : null;
        }

        return refusal ?? (byPath ? "not found" : "not found in PATH");
    }

    private static string? Malformed(ChildCommand command)
    {
        if (command.Program.Length == 0)
        {
            return "the command is empty";
        }

        bool hasNul =
            command.Program.Contains('\0')
            || command.Arguments.Any(static argument => argument.Contains('\0'))
            || command.Environment.Any(static entry => entry.AsSpan().Contains((byte)0));
        return hasNul ? "command, arguments and environment must not contain NUL characters" : null;
    }

    private static string? DirectoryFault(string? directory)
    {
        if (directory is null)
        {
            return null;
        }

        if (!Directory.Exists(directory))
        {
            return $"working directory \"{directory}\" {(File.Exists(directory) ? "is not a directory" : "not found")}";
        }

        return Libc.Access(directory, Libc.X_OK) == 0 ? null : $"working directory \"{directory}\": permission denied";
    }

    private static IEnumerable<string> CandidatesOf(ChildCommand command)
    {
        string path = ChildEnvironment.Find(command.Environment, "PATH") ?? DefaultPath;
        foreach (string directory in path.Split(':'))
        {
            // An empty entry means the current directory (POSIX 8.3), which after the change of directory is the working directory.
            yield return directory.Length == 0 ? "./" + command.Program : $"{directory.TrimEnd('/')}/{command.Program}";
        }
    }

    private static string Locate(string candidate, string? workingDirectory) =>
        Path.Combine(workingDirectory ?? Environment.CurrentDirectory, candidate);

    // Null: worth executing. Empty: nothing there. Else: there, but not to be executed, which execvp remembers while it searches on.
    private static string? Unfit(string full)
    {
        if (!File.Exists(full))
        {
            return "";
        }

        return Libc.Access(full, Libc.X_OK) == 0 ? null : "is not executable";
    }

    private static string? TryStart(ChildCommand command, string candidate, string full, int stdoutFd, int stderrFd, out int pid)
    {
        string[] argv = [command.Program, .. command.Arguments];
        var plan = new SpawnPlan(candidate, argv, command.Environment, command.WorkingDirectory, stdoutFd, stderrFd)
        {
            StdinFd = command.StdinFd,
            PassedFd = command.Socket?.Descriptor ?? -1,
        };
        if (command.Step is { } step)
        {
            return StartBehind(step, plan, command.Arguments, full, out pid);
        }

        int errno = PosixSpawn.Run(plan, out pid);
        if (errno == Libc.ENOEXEC)
        {
            if (IsBinary(full))
            {
                return "is not a program that this machine can run";
            }

            string[] shellArgv = [Shell, candidate, .. command.Arguments];
            errno = PosixSpawn.Run(plan with { Path = Shell, Arguments = shellArgv }, out pid);
        }

        return errno == 0 ? null : Explain(errno, full);
    }

    /// <summary>Why the program would not start is looked at before: behind the step nobody could tell it from another end.</summary>
    private static string? StartBehind(ExecStep step, SpawnPlan plan, IReadOnlyList<string> arguments, string full, out int pid)
    {
        pid = 0;
        if (Directory.Exists(full))
        {
            return "is a directory";
        }

        if (Unfit(full) is { } why)
        {
            return why.Length == 0 ? "not found" : why;
        }

        if (Interpreter(full) is { } interpreter && !File.Exists(interpreter))
        {
            return $"its interpreter \"{interpreter}\" was not found";
        }

        IReadOnlyList<string> words = step.WordsBefore(plan.Environment);
        string[] argv = [.. words, plan.Path, .. arguments];
        int errno = PosixSpawn.Run(plan with { Path = words[0], Arguments = argv }, out pid);
        return errno == 0 ? null : $"the step before it cannot be executed: {Explain(errno, words[0])}";
    }

    private static string Explain(int errno, string full)
    {
        switch (errno)
        {
            case Libc.ENOENT or Libc.ENOTDIR when !File.Exists(full):
                return "not found";
            case Libc.EACCES when Directory.Exists(full):
                return "is a directory";
            case Libc.EACCES when File.Exists(full) && Libc.Access(full, Libc.X_OK) != 0:
                return "is not executable";
            case Libc.ENOENT or Libc.ENOTDIR or Libc.EACCES when Interpreter(full) is { } interpreter:
                return $"its interpreter \"{interpreter}\" {(errno == Libc.EACCES ? "is not executable" : "was not found")}";
            case Libc.ENOENT:
                return "its dynamic loader was not found (built for another C library?)";
            case Libc.E2BIG:
                return "arguments and environment are too long";
            case Libc.ETXTBSY:
                return "is being written to";
            default:
                return OpenFiles.Explain(errno);
        }
    }

    private static string? Interpreter(string full)
    {
        byte[] head = ReadHead(full);
        if (!head.AsSpan().StartsWith("#!"u8))
        {
            return null;
        }

        int end = head.AsSpan().IndexOf((byte)'\n');
        string line = Encoding.UTF8.GetString(head, 2, (end < 0 ? head.Length : end) - 2).Trim(' ', '\t');
        int space = line.AsSpan().IndexOfAny(' ', '\t');

        // A carriage return at the end of the line is part of the name to the kernel, and the usual reason why it is not found.
        return (space < 0 ? line : line[..space]).Replace("\r", "\\r", StringComparison.Ordinal);
    }

    private static bool IsBinary(string full) => ReadHead(full).AsSpan().Contains((byte)0);

    private static byte[] ReadHead(string full)
    {
        try
        {
            using FileStream file = File.OpenRead(full);
            byte[] head = new byte[PlatformLimits.ExecutableHeadBytes];
            int length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            return head[..length];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
