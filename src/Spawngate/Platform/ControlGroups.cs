using System.Globalization;
using System.Text;

namespace Spawngate.Platform;

/// <summary>
/// Makes control groups (cgroups(7)) below our own, of either version: what is set for us holds for them, too.
/// <code>
///   version 1, for each controller:  /sys/fs/cgroup/memory/OURS/spawngate-ID-PID.N-NAME
///   version 2:                       /sys/fs/cgroup/OURS/spawngate-ID-PID.N-NAME, and we move to OURS/gateway
/// </code>
/// </summary>
/// <remarks>
/// In version 2 a group with processes cannot hand controllers down, so we leave ours for one of its own beside those of the backends, as
/// programs do to which a service manager delegates a group (<c>Delegate=</c>). That is done only when nobody else is in it.
/// </remarks>
/// <param name="identity">Which gateway we are, over all restarts: nobody else removes our groups.</param>
/// <param name="root">Where the file system begins; another folder in tests.</param>
/// <param name="isOurs">Whether a process is us, or was started below us.</param>
internal sealed class ControlGroups(string identity, string root = "/", Func<int, bool>? isOurs = null)
{
    private const string MemoryController = "memory";
    private const string CpuController = "cpu";
    private const string OwnLeaf = "gateway";
    private const string ControllersFile = "cgroup.controllers";
    private const string HandedDownFile = "cgroup.subtree_control";
    private const string ProcessesFile = "cgroup.procs";
    private const long PeriodUs = 100_000; // The kernel's own period of quotas.
    private const long NanoPerUs = 1_000_000_000 / PeriodUs;

    private readonly Func<int, bool> _isOurs = isOurs ?? IsBelowUs;
    private readonly string _prefix = $"spawngate-{Fingerprint(identity):x16}-";
    private readonly Lock _gate = new();
    private int _made;

    /// <summary>Why there could be no group with these limits in this moment; null when there could.</summary>
    public string? FindProblem(bool memory, bool cpu)
    {
        foreach (string controller in Wanted(memory, cpu))
        {
            if (Locate(controller) is not { } place)
            {
                return NoController(controller);
            }

            if (Libc.Access(place.Folder, Libc.W_OK) != 0)
            {
                return $"{place.Folder} cannot be written to";
            }

            if (place.IsUnified && Blocker(place.Folder, controller) is { } blocker)
            {
                return blocker;
            }
        }

        return null;
    }

    /// <summary>Makes a group.</summary>
    /// <param name="name">Whose it is, for people.</param>
    /// <param name="memoryBytes">Memory that its processes may have together; null for no limit.</param>
    /// <param name="nanoCpus">Processor time, in billionths of a core; null for no limit.</param>
    /// <param name="problem">Why there is none.</param>
    public ControlGroup? TryMake(string name, long? memoryBytes, long? nanoCpus, out string? problem)
    {
        string folder = $"{_prefix}{Environment.ProcessId}.{Interlocked.Increment(ref _made)}-{Plain(name)}";
        List<string> made = [];
        try
        {
            problem = null;
            foreach (string controller in Wanted(memoryBytes is not null, nanoCpus is not null))
            {
                if (Locate(controller) is not { } place)
                {
                    problem = NoController(controller);
                    break;
                }

                string path = Path.Combine(place.Folder, folder);
                problem = place.IsUnified ? HandDown(place.Folder, controller) : null;
                if (problem is not null)
                {
                    break;
                }

                if (!made.Contains(path))
                {
                    Directory.CreateDirectory(path);
                    made.Add(path);
                }

                Limit(path, controller, place.IsUnified, (controller == MemoryController ? memoryBytes : nanoCpus)!.Value);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = e.Message;
        }

        var group = new ControlGroup(made);
        if (problem is null)
        {
            return group;
        }

        _ = group.TryRemove();
        return null;
    }

    /// <summary>Removes the groups that this gateway left behind when it was killed, as far as nothing is in them.</summary>
    public void RemoveLeftovers()
    {
        foreach (string controller in Wanted(memory: true, cpu: true))
        {
            try
            {
                string[] left = Locate(controller) is { } place ? Directory.GetDirectories(place.Folder, _prefix + "*") : [];
                _ = new ControlGroup([.. left.Where(static path => !IsOfThisProcess(path))]).TryRemove();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // None of them can be ours.
            }
        }
    }

    /// <summary>FNV-1a: short, always the same, and nobody gains by another text of the same number.</summary>
    private static ulong Fingerprint(string text)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (byte octet in Encoding.UTF8.GetBytes(text))
        {
            hash = (hash ^ octet) * 0x100000001b3;
        }

        return hash;
    }

    private static bool IsOfThisProcess(string path) =>
        Path.GetFileName(path).Contains($"-{Environment.ProcessId}.", StringComparison.Ordinal);

    private static IEnumerable<string> Wanted(bool memory, bool cpu) =>
        [.. memory ? [MemoryController] : Array.Empty<string>(), .. cpu ? [CpuController] : Array.Empty<string>()];

    private static string NoController(string controller) => $"this system has no controller of control groups for {controller}";

    private static string Plain(string name) =>
        string.Create(Math.Min(name.Length, PlatformLimits.ControlGroupNameChars), name, static (target, name) =>
        {
            for (int i = 0; i < target.Length; i++)
            {
                target[i] = char.IsAsciiLetterOrDigit(name[i]) || name[i] is '.' or '-' ? name[i] : '_';
            }
        });

    private static void Limit(string folder, string controller, bool isUnified, long amount)
    {
        if (controller == MemoryController)
        {
            Write(folder, isUnified ? "memory.max" : "memory.limit_in_bytes", Number(amount));
            return;
        }

        string quota = Number(Math.Max(PlatformLimits.CpuQuotaUsMin, amount / NanoPerUs));
        if (isUnified)
        {
            Write(folder, "cpu.max", $"{quota} {Number(PeriodUs)}");
        }
        else
        {
            Write(folder, "cpu.cfs_period_us", Number(PeriodUs));
            Write(folder, "cpu.cfs_quota_us", quota);
        }
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static void Write(string folder, string file, string text) => File.WriteAllText(Path.Combine(folder, file), text);

    /// <summary>What a control file says, in words; none when it cannot be read.</summary>
    internal static string[] Words(string folder, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, file)).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Why a controller could not be handed down to groups below a folder; null when it could.</summary>
    private string? Blocker(string folder, string controller)
    {
        if (Words(folder, HandedDownFile).Contains(controller))
        {
            return null;
        }

        if (!Words(folder, ControllersFile).Contains(controller))
        {
            return $"the controller {controller} is not available in {folder} (systemd: Delegate=cpu memory)";
        }

        string? other = Array.Find(Words(folder, ProcessesFile), text => int.TryParse(text, out int pid) && !_isOurs(pid));
        return other is null || IsTop(folder)
            ? null
            : $"{folder} has processes of others, such as pid {other} (systemd: Delegate=cpu memory)";
    }

    // The group at the top may have processes, and is the only one that does not say of which type it is.
    private static bool IsTop(string folder) => !File.Exists(Path.Combine(folder, "cgroup.type"));

    /// <summary>Has the groups below a folder get a controller. Why they do not; null when they do.</summary>
    private string? HandDown(string folder, string controller)
    {
        lock (_gate)
        {
            if (Words(folder, HandedDownFile).Contains(controller))
            {
                return null;
            }

            if (Blocker(folder, controller) is { } blocker)
            {
                return blocker;
            }

            if (!IsTop(folder))
            {
                MoveToLeaf(folder);
            }

            Write(folder, HandedDownFile, $"+{controller}");
            return null;
        }
    }

    /// <summary>One that is started meanwhile comes along at the next round.</summary>
    private static void MoveToLeaf(string folder)
    {
        string leaf = Path.Combine(folder, OwnLeaf);
        Directory.CreateDirectory(leaf);
        for (int round = 0; round < PlatformLimits.ControlGroupMoves && Words(folder, ProcessesFile) is { Length: > 0 } pids; round++)
        {
            foreach (string pid in pids)
            {
                try
                {
                    Write(leaf, ProcessesFile, pid);
                }
                catch (IOException)
                {
                    // It has ended.
                }
            }
        }
    }

    private static bool IsBelowUs(int pid)
    {
        for (int depth = 0; pid > 1 && depth < PlatformLimits.ProcessDepthMax; depth++)
        {
            if (pid == Environment.ProcessId)
            {
                return true;
            }

            pid = ProcessTable.Find(pid)?.Parent ?? 0;
        }

        return pid == Environment.ProcessId;
    }

    /// <summary>The folder in which groups with a controller are made; null when there is no such controller.</summary>
    private Place? Locate(string controller)
    {
        Mount? unified = null;
        foreach (string line in Lines("proc/self/mountinfo"))
        {
            if (Mount.Parse(line) is not { } mount)
            {
                continue;
            }

            if (!mount.IsUnified && mount.Options.Contains(controller))
            {
                return new Place(FolderOf(mount, controller), IsUnified: false);
            }

            unified ??= mount.IsUnified ? mount : null;
        }

        if (unified is null)
        {
            return null;
        }

        string folder = FolderOf(unified, "");
        return new Place(Path.GetFileName(folder) == OwnLeaf ? Path.GetDirectoryName(folder)! : folder, IsUnified: true);
    }

    /// <summary>Lines of <c>/proc/self/cgroup</c> are <c>4:cpu,cpuacct:/PATH</c>, of version 2 <c>0::/PATH</c>.</summary>
    private string FolderOf(Mount mount, string controller)
    {
        string own = "/";
        foreach (string line in Lines("proc/self/cgroup"))
        {
            string[] fields = line.Split(':', 3);
            if (fields.Length == 3 && fields[1].Split(',').Contains(controller))
            {
                own = fields[2];
            }
        }

        // In a container the mount may begin further down.
        string below = mount.Root != "/" && own.StartsWith(mount.Root, StringComparison.Ordinal) ? own[mount.Root.Length..] : own;
        return Path.TrimEndingDirectorySeparator($"{root.TrimEnd('/')}{mount.Point}/{below.TrimStart('/')}");
    }

    private IEnumerable<string> Lines(string file)
    {
        try
        {
            return File.ReadAllLines(Path.Combine(root, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private sealed record Place(string Folder, bool IsUnified);

    /// <summary>A line of <c>/proc/self/mountinfo</c> (proc_pid_mountinfo(5)) about control groups.</summary>
    private sealed record Mount(string Root, string Point, bool IsUnified, string[] Options)
    {
        private const int RootField = 3;
        private const int PointField = 4;
        private const int TypeField = 0; // of those behind the hyphen
        private const int OptionsField = 2;

        public static Mount? Parse(string line)
        {
            int hyphen = line.IndexOf(" - ", StringComparison.Ordinal);
            string[] before = line[..Math.Max(0, hyphen)].Split(' ');
            string[] behind = hyphen < 0 ? [] : line[(hyphen + " - ".Length)..].Split(' ');
            return before.Length > PointField && behind.Length > OptionsField && behind[TypeField] is "cgroup" or "cgroup2"
                ? new Mount(before[RootField], before[PointField], behind[TypeField] == "cgroup2", behind[OptionsField].Split(','))
                : null;
        }
    }
}

/// <summary>The control group of one instance: a folder, or one for each controller.</summary>
/// <param name="folders">Its folders.</param>
internal sealed class ControlGroup(IReadOnlyList<string> folders)
{
    /// <summary>The files to which a process writes its number to join it, and all that it starts from then on.</summary>
    public IReadOnlyList<string> ProcessFiles => [.. folders.Select(static folder => Path.Combine(folder, "cgroup.procs"))];

    /// <summary>How many of its processes the kernel has killed because the memory limit was reached.</summary>
    public int OutOfMemoryKills
    {
        get
        {
            foreach (string folder in folders)
            {
                string[] words = [.. ControlGroups.Words(folder, "memory.oom_control"), .. ControlGroups.Words(folder, "memory.events")];
                int at = Array.IndexOf(words, "oom_kill");
                if (at >= 0 && at + 1 < words.Length && int.TryParse(words[at + 1], out int kills))
                {
                    return kills;
                }
            }

            return 0;
        }
    }

    /// <summary>Removes it; false when something is still in it.</summary>
    public bool TryRemove()
    {
        bool isGone = true;
        foreach (string folder in folders)
        {
            try
            {
                Directory.Delete(folder, recursive: false);
            }
            catch (DirectoryNotFoundException)
            {
                // Somebody else has removed it.
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                isGone = false;
            }
        }

        return isGone;
    }

    /// <summary>The same, again and again for a while: what has ended a moment ago is still in it.</summary>
    public async Task RemoveAsync(TimeProvider time)
    {
        for (int attempt = 0; !TryRemove() && attempt < PlatformLimits.ControlGroupRemovals; attempt++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(PlatformLimits.ControlGroupRemovalMs), time).ConfigureAwait(false);
        }
    }
}
