using System.Runtime.InteropServices;

namespace Spawngate.Platform;

/// <summary>
/// Makes sure that 0, 1 and 2 are what everybody takes them for. A shell may start a program with one of them closed (<c>2&gt;&amp;-</c>);
/// the number then goes to whatever is opened first, and what is written to stdout would go into a pipe or a file of another part.
/// <code>
///   inherited         left as it is
///   closed            /dev/null
///   of the runtime    (opened before our first line: close-on-exec, which no inherited descriptor can be)
///                     /dev/null, and this program is executed anew: then the runtime finds 0 to 2 taken
/// </code>
/// </summary>
internal static unsafe class StandardDescriptors
{
    private const int Count = 3;
    private const short POLLNVAL = 0x20;

    private enum Holder
    {
        Inherited,
        Nobody,
        Runtime,
    }

    /// <summary>Does that. Before anything else opens a descriptor.</summary>
    public static void Secure()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        bool isRuntimes = false;
        for (int fd = 0; fd < Count; fd++)
        {
            Holder holder = HolderOf(fd);
            isRuntimes |= holder == Holder.Runtime;
            if (holder == Holder.Nobody && OpenNull() is var opened && opened != fd)
            {
                Descriptors.Close(opened); // Somebody was quicker: then it is not free any more.
            }
        }

        if (isRuntimes)
        {
            ExecuteAnew();
        }
    }

    private static Holder HolderOf(int fd)
    {
        if (Libc.IsLinux)
        {
            int flags = Libc.LinuxFcntl(fd, Descriptors.GetFlags, 0);
            return flags < 0 ? Holder.Nobody
                : flags == 0 ? Holder.Inherited
                : Holder.Runtime;
        }

        var entry = new Libc.PollFd { Fd = fd };
        return Libc.Poll(&entry, 1, 0) == 1 && (entry.Revents & POLLNVAL) != 0 ? Holder.Nobody : Holder.Inherited;
    }

    // Where there is no /dev (a chroot), a folder does: writing to it fails, and reading as well.
    private static int OpenNull() => Libc.Open("/dev/null", Libc.O_RDWR) is >= 0 and var fd ? fd : Libc.Open("/", Libc.O_RDONLY);

    // The runtime does not live to notice what was taken from it. What it has opened beyond 2 is closed by the exec.
    private static void ExecuteAnew()
    {
        byte[] path,
            arguments,
            environment;
        try
        {
            path = System.Text.Encoding.UTF8.GetBytes(OwnExecutable.FilePath + '\0');
            arguments = File.ReadAllBytes("/proc/self/cmdline");
            environment = File.ReadAllBytes("/proc/self/environ");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return; // Without /proc this goes on as it is.
        }

        int source = OpenNull();
        for (int fd = 0; source >= Count && fd < Count; fd++)
        {
            if (HolderOf(fd) == Holder.Runtime)
            {
                _ = Libc.Dup2(source, fd);
            }
        }

        Descriptors.Close(source);
        fixed (byte* program = path)
        {
            _ = Libc.Execve(program, Pointers(arguments), Pointers(environment));
        }

        Environment.FailFast("spawngate: stdin, stdout or stderr was closed, and this program cannot be executed anew");
    }

    // Never freed: on success there is nobody left to do it.
    private static byte** Pointers(byte[] block)
    {
        int count = block.AsSpan().Count((byte)0);
        byte* text = (byte*)NativeMemory.Alloc((nuint)block.Length + 1);
        block.CopyTo(new Span<byte>(text, block.Length));
        byte** pointers = (byte**)NativeMemory.Alloc((nuint)(count + 1), (nuint)sizeof(byte*));
        for (int i = 0, at = 0; i < count; i++)
        {
            pointers[i] = text + at;
            at += block.AsSpan(at).IndexOf((byte)0) + 1;
        }

        pointers[count] = null;
        return pointers;
    }
}
