using System.Runtime.InteropServices;
using System.Text;

namespace Spawngate.Platform;

/// <summary>What one <c>posix_spawn</c> call needs; strings are handed over as they are, without a shell.</summary>
/// <param name="Path">The file to execute, relative to <paramref name="WorkingDirectory"/> if it is relative.</param>
/// <param name="Arguments">All of argv, the program's own name first.</param>
/// <param name="Environment"><c>NAME=value</c> entries.</param>
/// <param name="WorkingDirectory">Directory to change to first; null keeps ours.</param>
/// <param name="StdoutFd">Becomes the child's 1.</param>
/// <param name="StderrFd">Becomes the child's 2.</param>
internal sealed record SpawnPlan(
    string Path,
    IReadOnlyList<string> Arguments,
    IReadOnlyList<byte[]> Environment,
    string? WorkingDirectory,
    int StdoutFd,
    int StderrFd
)
{
    /// <summary>Becomes the child's 0; negative for /dev/null.</summary>
    public int StdinFd { get; init; } = -1;

    /// <summary>Becomes the child's 3, the first that a service manager passes; negative for none.</summary>
    public int PassedFd { get; init; } = -1;

    /// <summary>Signals that the child starts with blocked; what it starts itself would inherit that.</summary>
    public IReadOnlyList<int> BlockedSignals { get; init; } = [];
}

/// <summary>
/// The one call of <c>posix_spawn</c>. The child leads a session of its own (hence a process group of its own, whose number is its pid),
/// starts with default handlers and, unless the plan says otherwise, an empty signal mask and /dev/null to read, and has no descriptor
/// beyond 0-2 and the passed one.
/// </summary>
internal static unsafe class PosixSpawn
{
    /// <summary>Starts the child.</summary>
    /// <returns>0 and the pid, or the errno of whichever step failed: the C library does not say which.</returns>
    public static int Run(SpawnPlan plan, out int pid)
    {
        pid = 0;
        Descriptors.SealInherited();
        byte* actions = stackalloc byte[Libc.SpawnStructBytes];
        byte* attributes = stackalloc byte[Libc.SpawnStructBytes];
        int errno = Libc.FileActionsInit(actions);
        if (errno != 0)
        {
            return errno;
        }

        errno = Libc.SpawnAttrInit(attributes);
        if (errno == 0)
        {
            errno = Prepare(plan, actions, attributes);
            errno = errno == 0 ? Execute(plan, actions, attributes, out pid) : errno;
            _ = Libc.SpawnAttrDestroy(attributes);
        }

        _ = Libc.FileActionsDestroy(actions);
        return errno;
    }

    private static int Prepare(SpawnPlan plan, byte* actions, byte* attributes)
    {
        byte* signals = stackalloc byte[Libc.SignalSetBytes];
        _ = Libc.SigEmptySet(signals);
        foreach (int signal in plan.BlockedSignals)
        {
            _ = Libc.SigAddSet(signals, signal);
        }

        int errno = Libc.SpawnAttrSetSigMask(attributes, signals);
        _ = Libc.SigFillSet(signals);

        // The runtime ignores SIGPIPE, and an ignored signal stays ignored across exec: a child must not inherit that.
        errno = errno != 0 ? errno : Libc.SpawnAttrSetSigDefault(attributes, signals);
        short flags = (short)(Libc.POSIX_SPAWN_SETSIGMASK | Libc.POSIX_SPAWN_SETSIGDEF);
        flags += (short)(Libc.POSIX_SPAWN_SETSID + Libc.POSIX_SPAWN_CLOEXEC_DEFAULT);
        errno = errno != 0 ? errno : Libc.SpawnAttrSetFlags(attributes, flags);

        errno = errno != 0 ? errno : PrepareStdin(plan.StdinFd, actions);
        errno = errno != 0 ? errno : Libc.FileActionsAddDup2(actions, plan.StdoutFd, 1);
        errno = errno != 0 ? errno : Libc.FileActionsAddDup2(actions, plan.StderrFd, 2);
        if (plan.PassedFd >= 0)
        {
            // The last, because one of the others may have this number. If it has it itself, the C library has it stay open.
            errno = errno != 0 ? errno : Libc.FileActionsAddDup2(actions, plan.PassedFd, PassedSocket.FirstDescriptor);
        }

        if (errno != 0 || plan.WorkingDirectory is null)
        {
            return errno;
        }

        fixed (byte* directory = Encoding.UTF8.GetBytes(plan.WorkingDirectory + '\0'))
        {
            return Libc.FileActionsAddChdir(actions, directory);
        }
    }

    private static int PrepareStdin(int stdinFd, byte* actions)
    {
        if (stdinFd >= 0)
        {
            return Libc.FileActionsAddDup2(actions, stdinFd, 0);
        }

        fixed (byte* devNull = "/dev/null\0"u8)
        {
            return Libc.FileActionsAddOpen(actions, 0, devNull, Libc.O_RDONLY, 0);
        }
    }

    private static int Execute(SpawnPlan plan, byte* actions, byte* attributes, out int pid)
    {
        byte** argv = Pack(plan.Arguments.Select(Encoding.UTF8.GetBytes).ToArray());
        byte** envp = Pack(plan.Environment);
        int child = 0;
        try
        {
            fixed (byte* path = Encoding.UTF8.GetBytes(plan.Path + '\0'))
            {
                long lowering = OpenFileLimit.Own.BeginSpawn(DescriptorBudget.Shared.InUse);
                int errno = Libc.PosixSpawn(&child, path, actions, attributes, argv, envp);
                pid = errno == 0 ? child : 0;
                OpenFileLimit.Own.EndSpawn(lowering, pid);
                return errno;
            }
        }
        finally
        {
            NativeMemory.Free(argv);
            NativeMemory.Free(envp);
        }
    }

    // One allocation: the pointers, a null, then the strings they point to.
    private static byte** Pack(IReadOnlyList<byte[]> strings)
    {
        nuint table = (nuint)(strings.Count + 1) * (nuint)sizeof(byte*);
        nuint total = table;
        foreach (byte[] text in strings)
        {
            total += (nuint)text.Length + 1;
        }

        byte** pointers = (byte**)NativeMemory.Alloc(total);
        byte* next = (byte*)pointers + table;
        for (int i = 0; i < strings.Count; i++)
        {
            pointers[i] = next;
            strings[i].CopyTo(new Span<byte>(next, strings[i].Length));
            next += strings[i].Length;
            *next++ = 0;
        }

        pointers[strings.Count] = null;
        return pointers;
    }
}
