using System.Formats.Tar;
using System.Text;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Docker;

/// <summary>The file system of an image in the making.</summary>
internal sealed class ImageFiles
{
    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101;
    private readonly MemoryStream _tar = new();
    private readonly TarWriter _writer;

    /// <summary>Begins with nothing.</summary>
    public ImageFiles() => _writer = new TarWriter(_tar, TarEntryFormat.Pax, leaveOpen: true);

    /// <summary>Adds a copy of a file; links are followed.</summary>
    public ImageFiles Copy(string source, string target)
    {
        using FileStream content = File.OpenRead(source);
        return Add(target, content);
    }

    /// <summary>Adds a file of this text, which everybody may execute.</summary>
    public ImageFiles Text(string target, string text) => Add(target, new MemoryStream(Encoding.UTF8.GetBytes(text)));

    /// <summary>Adds a folder that everybody may write to.</summary>
    public ImageFiles Folder(string target)
    {
        _writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, target.TrimStart('/')) { Mode = (UnixFileMode)0b1_111_111_111 });
        return this;
    }

    /// <summary>Adds a symbolic link.</summary>
    public ImageFiles Link(string name, string target)
    {
        _writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, name.TrimStart('/')) { LinkName = target });
        return this;
    }

    /// <summary>Adds busybox with the usual commands.</summary>
    public ImageFiles Busybox()
    {
        string? busybox = new[] { "/bin/busybox", "/usr/bin/busybox" }.FirstOrDefault(File.Exists);
        if (busybox is null)
        {
            DockerEngine.Without("busybox-static is not installed");
        }

        Copy(busybox!, "/bin/busybox");
        foreach (
            string applet in new[]
            {
                "sh",
                "sleep",
                "cat",
                "echo",
                "id",
                "ls",
                "ps",
                "kill",
                "setsid",
                "wget",
                "true",
                "false",
                "touch",
                "httpd",
                "nc",
                "env",
                "grep",
                "dd",
                "yes",
            }
        )
        {
            Link("/bin/" + applet, "busybox");
        }

        return this;
    }

    /// <summary>Adds a native executable and the shared libraries that it needs, each where the loader looks for it.</summary>
    public async Task<ImageFiles> ProgramAsync(string source, string target)
    {
        Tool ldd = await Tool.RunAsync("ldd", source);
        foreach (string line in ldd.Out.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)"
            string path = line.Split("=>", StringSplitOptions.TrimEntries)[^1].Split(' ')[0];
            if (path.StartsWith('/'))
            {
                Copy(path, path);
            }
        }

        return Copy(source, target);
    }

    /// <summary>Ends the archive and returns it, ready to be read.</summary>
    public Stream ToTar()
    {
        _writer.Dispose();
        _tar.Position = 0;
        return _tar;
    }

    private ImageFiles Add(string target, Stream content)
    {
        _writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, target.TrimStart('/')) { Mode = Executable, DataStream = content });
        return this;
    }
}
