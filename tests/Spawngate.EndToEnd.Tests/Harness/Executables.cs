using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Which executables are under test: those that the environment names, else those that were built with the tests.</summary>
internal static class Executables
{
    /// <summary>The gateway: <c>SPAWNGATE_EXE</c>, else the one built beside the tests.</summary>
    public static string Gateway { get; } = Existing("SPAWNGATE_EXE", "GatewayExecutable");

    /// <summary>The child server: <c>TESTBACKEND_EXE</c>, else the one built beside the tests.</summary>
    public static string Backend { get; } = Existing("TESTBACKEND_EXE", "BackendExecutable");

    /// <summary>Root of the source tree.</summary>
    public static string Repository { get; } = Metadata("RepositoryRoot");

    /// <summary>True when the gateway is one native file: a framework-dependent one has its assembly beside it.</summary>
    public static bool GatewayIsNative { get; } = !File.Exists(Gateway + ".dll");

    /// <summary>
    /// Where the runtime of this very test process lives, so that framework-dependent executables find it on any machine.
    /// </summary>
    public static string DotnetRoot { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary>Full path of a program on PATH; null without one.</summary>
    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);

    /// <summary>Full path of a program on PATH; the test is skipped, with its name, where it is absent.</summary>
    public static string FindOrSkip(string program)
    {
        string? path = Find(program);
        if (path is null)
        {
            Assert.Ignore($"{program} is not installed");
        }

        return path!;
    }

    /// <summary>
    /// A python that has a library; the test is skipped, with its name, where there is none. The system's is asked first, since packages
    /// are installed for it.
    /// </summary>
    public static string PythonWithOrSkip(string library)
    {
        string[] candidates = ["/usr/bin/python3", Find("python3") ?? ""];
        foreach (string python in candidates.Where(File.Exists))
        {
            using Process process = Process.Start(
                new ProcessStartInfo(python, ["-c", $"import {library}"]) { RedirectStandardError = true }
            )!;
            process.WaitForExit();
            if (process.ExitCode == 0)
            {
                return python;
            }
        }

        Assert.Ignore($"the python library {library} is not installed");
        return "";
    }

    private static string Existing(string variable, string metadata)
    {
        string path = Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named ? Path.GetFullPath(named) : Metadata(metadata);
        return File.Exists(path) ? path : throw new FileNotFoundException($"no executable to test ({variable})", path);
    }

    private static string Metadata(string key) =>
        typeof(Executables).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(each => each.Key == key).Value!;
}
