using System.Globalization;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// What one start needs of what its <see cref="UnitSettings"/> say: looked up, read and made anew each time, so that what was put right
/// meanwhile counts.
/// </summary>
internal sealed class UnitStart
{
    private const string NoLogin = "nologin";

    /// <summary>That of most backends: nothing.</summary>
    private static readonly UnitStart Nothing = new();

    private UnitStart() { }

    /// <summary>What is set on the way to the program; null for nothing.</summary>
    public ExecStep? Step { get; private init; }

    /// <summary>The listening socket that it gets; null for none.</summary>
    public ActivationSocket? Socket { get; private init; }

    /// <summary>The control group that it joins; null for none.</summary>
    public ControlGroup? Group { get; private init; }

    /// <summary>Its memory limit, for people.</summary>
    public string MemoryText { get; private init; } = "";

    /// <summary>Variables that stand behind the inherited ones: of the user, then of the file.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Variables { get; private init; } = [];

    /// <summary>Variables that the instance is told whatever else is set.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Told { get; private init; } = [];

    /// <summary>Prepares a start; null, and why, when something that the file asks for cannot be had.</summary>
    public static UnitStart? Prepare(LaunchRequest request, UnitSettings unit, ControlGroups groups, out string? error)
    {
        error = null;
        if (ReferenceEquals(unit, UnitSettings.None))
        {
            return Nothing;
        }

        var variables = new List<KeyValuePair<string, string>>();
        ChildIdentity? identity = FindIdentity(unit, variables, out error);
        error ??= NiceProblem(unit);
        variables.AddRange(ReadFile(unit, out string? fileProblem));
        error ??= fileProblem;
        ExecStep step = StepOf(unit, identity);
        error ??= step.Missing;
        ControlGroup? group = null;
        if (error is null && unit.NeedsControlGroup)
        {
            group = groups.TryMake(request.Config.Name, unit.MemoryBytes, unit.NanoCpus, out string? problem);
            error = problem is null ? null : GroupProblem(problem);
            step = step with { GroupFiles = group?.ProcessFiles ?? [] };
        }

        ActivationSocket? socket = error is null && unit.PassesSocket ? ActivationSocket.TryListen(request.Port, out error) : null;
        var start = new UnitStart
        {
            Step = step == NoStep ? null : step,
            Socket = socket,
            Group = group,
            MemoryText = unit.MemoryText,
            Variables = variables,
            Told = socket is null ? [] : [new(SupervisorVariables.ListenFds, "1"), new(SupervisorVariables.ListenFdNames, "http")],
        };
        if (error is null)
        {
            return start;
        }

        start.Abandon();
        return null;
    }

    /// <summary>What would make a start fail here and now.</summary>
    public static IEnumerable<string> WarningsHere(UnitSettings unit)
    {
        ChildIdentity? identity = FindIdentity(unit, [], out string? identityProblem);
        _ = ReadFile(unit, out string? fileProblem);
        string? groupProblem = unit.NeedsControlGroup
            ? new ControlGroups("").FindProblem(unit.MemoryBytes is not null, unit.NanoCpus is not null)
            : null;
        string? missing = StepOf(unit, identity).Missing;
        string?[] all =
        [
            identityProblem,
            NiceProblem(unit),
            fileProblem,
            groupProblem is null ? null : GroupProblem(groupProblem),
            missing,
        ];
        return all.OfType<string>();
    }

    /// <summary>Takes back what was made; nothing was started, or nothing is left of it.</summary>
    public void Abandon()
    {
        Socket?.End();
        _ = Group?.TryRemove();
    }

    private static ExecStep NoStep { get; } = new();

    private static ExecStep StepOf(UnitSettings unit, ChildIdentity? identity) =>
        new()
        {
            TellsPid = unit.PassesSocket,
            Umask = unit.Umask,
            NiceBy = NiceBy(unit),
            Identity = identity,
        };

    private static string GroupProblem(string problem) => $"no control group can be had for memory and cpus: {problem}";

    private static IReadOnlyList<KeyValuePair<string, string>> ReadFile(UnitSettings unit, out string? problem)
    {
        problem = null;
        if (unit.EnvFile is not { } path)
        {
            return [];
        }

        var variables = EnvironmentFile.Read(path, unit.IsEnvFileOptional, out string? fault);
        problem = fault is null ? null : $"env_file {fault}";
        return variables;
    }

    /// <summary>The user and his group as numbers, and what a login would tell him; null when nothing of it changes.</summary>
    private static ChildIdentity? FindIdentity(UnitSettings unit, List<KeyValuePair<string, string>> variables, out string? problem)
    {
        problem = null;
        if (unit.User is null && unit.Group is null)
        {
            return null;
        }

        UserAccount? account = unit.User is null ? null : Accounts.FindUser(unit.User);
        long? user = account?.User;
        if (unit.User is not null && account is null)
        {
            bool isNumber = Accounts.TryNumber(unit.User, out long number);
            user = number;
            problem =
                !isNumber ? $"user: found \"{unit.User}\", which is no user in /etc/passwd; allowed are those, and numbers"
                : unit.Group is null ? $"user: {unit.User} is not in /etc/passwd, so group has to say in which group it is"
                : null;
        }

        long? group = unit.Group is null ? account?.Group : Accounts.FindGroup(unit.Group);
        if (unit.Group is not null && group is null)
        {
            problem ??= $"group: found \"{unit.Group}\", which is no group in /etc/group; allowed are those, and numbers";
        }

        if (account is not null)
        {
            variables.AddRange(VariablesOf(account));
        }

        if (problem is not null || IsOurs(user, group))
        {
            return null;
        }

        problem = RootPower.CoversOthers
            ? null
            : "user and group need the right to become somebody else: Spawngate has to be root, or to have CAP_SETUID, CAP_SETGID "
                + "and CAP_KILL";
        return new ChildIdentity(user, group, account is not null);
    }

    // Root has groups of its own to lose.
    private static bool IsOurs(long? user, long? group) =>
        Libc.EffectiveUser() is var self and not 0 && (user ?? self) == self && (group ?? Libc.EffectiveGroup()) == Libc.EffectiveGroup();

    /// <summary>What is inherited would be that of our user.</summary>
    private static IEnumerable<KeyValuePair<string, string>> VariablesOf(UserAccount account)
    {
        bool hasShell = account.Shell.Length > 0 && Path.GetFileName(account.Shell) is not (NoLogin or "false");
        return
        [
            new("HOME", account.Home.Length == 0 ? "/" : account.Home),
            new("USER", account.Name),
            new("LOGNAME", account.Name),
            new("SHELL", hasShell ? account.Shell : "/bin/sh"),
        ];
    }

    private static int NiceBy(UnitSettings unit) => unit.Nice is { } nice ? nice - Niceness.Own : 0;

    private static string? NiceProblem(UnitSettings unit) =>
        unit.Nice is { } nice && nice < Niceness.Lowest
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"nice: {nice} needs the right to run before others (CAP_SYS_NICE); without it {Niceness.Lowest} is the least"
            )
            : null;
}
