using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>The working folder of a program: a copy of its sources that is ready to run.</summary>
internal static class ProgramFolder
{
    /// <summary>Length of the large file that servers of files have.</summary>
    public const int LargeFileBytes = 64 * 1024 * 1024;

    /// <summary>Name of the large file.</summary>
    public const string LargeFileName = "large.bin";

    private const string Sources = "tests/Spawngate.EndToEnd.Tests/Programs";
    private static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(5);

    /// <summary>Makes the folder, builds what is to be built, and returns its path.</summary>
    public static async Task<string> MakeAsync(Scene scene, RealProgram program)
    {
        string? packages = program.Needs.Where(Requirements.IsNpm).Select(Requirements.NpmFolder).FirstOrDefault();
        string folder = program.InsidePackages ? Inside(packages!, program.Name) : scene.NewFolder("app");
        Copy(Path.Combine(Executables.Repository, Sources, "apps", program.App), folder, program.OwnPort);
        if (packages is not null && !program.InsidePackages)
        {
            Directory.CreateSymbolicLink(Path.Combine(folder, "node_modules"), packages);
        }

        if (program.Build is { } build)
        {
            await BuildAsync(folder, build);
        }

        if (program.Files is { } files)
        {
            using FileStream large = File.Create(Path.Combine(folder, files, LargeFileName));
            large.SetLength(LargeFileBytes);
        }

        return folder;
    }

    // The port that the sources name becomes a free one.
    private static void Copy(string from, string to, int? ownPort)
    {
        string port = Ports.Free().ToString(CultureInfo.InvariantCulture);
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
            if (ownPort is { } own)
            {
                File.WriteAllText(target, Regex.Replace(File.ReadAllText(file), $@"\b{own}\b", port));
            }
        }
    }

    // Beside the packages, where the one of the last run is replaced.
    private static string Inside(string packages, string name)
    {
        string folder = Path.Combine(Path.GetDirectoryName(packages)!, "run", name.Replace(' ', '-'));
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return Directory.CreateDirectory(folder).FullName;
    }

    private static async Task BuildAsync(string folder, string command)
    {
        var info = new ProcessStartInfo("/bin/sh", ["-c", $"cd \"$0\" && {command} 2>&1", folder])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(info)!;
        process.StandardInput.Close();
        string output = await process.StandardOutput.ReadToEndAsync().InTimeAsync(command, BuildLimit);
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, $"{command}\n{output}");
    }
}
