using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>The page for users says for each program what its test has in the file.</summary>
internal sealed class ProgramPageTests
{
    [Test]
    public void The_page_tells_users_what_the_tests_write()
    {
        string page = File.ReadAllText(Path.Combine(Executables.Repository, "docs/programs.md"));

        IEnumerable<string> missing = ProgramTable.Small.Concat(ProgramTable.Large).Select(Row).Where(row => !page.Contains(row));

        Assert.That(missing, Is.Empty);
    }

    private static string Row(RealProgram program)
    {
        string args = program.Args.Length == 0 ? "" : $"`[{string.Join(", ", program.Args.Select(ConfigFile.Quote))}]`";
        return $"| {program.Name} | `{program.Command}` | {args} | ";
    }
}
