using System.Diagnostics;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>Whether what a program needs is installed, by <c>Programs/install</c> or otherwise.</summary>
internal static class Requirements
{
    /// <summary>Set to 1 where all small programs must be there: a missing one fails its test then, instead of skipping it.</summary>
    private const string RequiredVariable = "SPAWNGATE_REQUIRE_PROGRAMS";

    /// <summary>
    /// The folders that programs are looked up in: first those of the system, since its packages are installed for its own interpreters.
    /// </summary>
    public static string SearchPath { get; } =
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + Environment.GetEnvironmentVariable("PATH");

    /// <summary>Skips or fails the test where something is missing, and names it.</summary>
    public static void Check(RealProgram program)
    {
        if (program.Needs.Append(program.Command).FirstOrDefault(need => !IsThere(need)) is not { } missing)
        {
            return;
        }

        string reason = $"{missing} is not installed (tests/Spawngate.EndToEnd.Tests/Programs/install)";
        if (Environment.GetEnvironmentVariable(RequiredVariable) == "1" && ProgramTable.Small.Any(each => each.Name == program.Name))
        {
            Assert.Fail($"{reason}, and {RequiredVariable} is set");
        }

        Assert.Ignore(reason);
    }

    /// <summary>Whether it is a package of npm.</summary>
    public static bool IsNpm(string need) =>
        need.StartsWith("npm:", StringComparison.Ordinal) || need.StartsWith("npm-large:", StringComparison.Ordinal);

    /// <summary>Where the packages of <c>npm:NAME</c> or <c>npm-large:NAME</c> are.</summary>
    public static string NpmFolder(string need) =>
        Path.Combine(Executables.Repository, "artifacts/programs", need.Split(':')[0], "node_modules");

    private static bool IsThere(string need) =>
        need.Split(':') switch
        {
            ["python", var module] => Succeeds("python3", "-c", $"import {module}"),
            ["ruby", var library] => Succeeds("ruby", "-e", $"require '{library}'"),
            [_, var package] => Directory.Exists(Path.Combine(NpmFolder(need), package)),
            _ when need.StartsWith("./", StringComparison.Ordinal) => true,
            _ => SearchPath.Split(':').Any(folder => File.Exists(Path.Combine(folder, need))),
        };

    private static bool Succeeds(string program, params string[] args)
    {
        string? path = SearchPath.Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            return false;
        }

        using Process process = Process.Start(
            new ProcessStartInfo(path, args) { RedirectStandardError = true, RedirectStandardOutput = true }
        )!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
