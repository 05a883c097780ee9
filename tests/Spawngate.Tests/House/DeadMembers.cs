using System.Reflection.PortableExecutable;
using Spawngate.Protocols.Http1;
using Spawngate.Runtime;

namespace Spawngate.Tests;

/// <summary>
/// Nothing is kept that no code of the program refers to: what only tests call belongs to the tests. It is read from the compiled
/// assemblies.
/// <code>
///   type, method, accessor or field ──no instruction, base or signature of what is alive names it──▶ dead
///   what only dead members name ──▶ dead as well
/// </code>
/// </summary>
[Category("House")]
[TestFixture]
internal sealed class DeadMembers
{
    [Test]
    public void Everything_is_used_by_the_program()
    {
        var found = Find([typeof(CoarseClock).Assembly.Location, typeof(RequestHead).Assembly.Location]);
        var unused = TidyExceptions
            .DeadMembers.Keys.Except(found)
            .Select(static key => $"the exception \"{key}\" excuses nothing any more");
        Assert.That(string.Join('\n', found.Where(static key => !TidyExceptions.DeadMembers.ContainsKey(key)).Concat(unused)), Is.Empty);
    }

    [Test]
    public void What_only_the_dead_use_is_dead()
    {
        string[] written = ["T", "T::Main()", "T::A()", "T::B()", "T::C()", "U", "U::D()"];
        (string, string)[] uses = [("x", "T"), ("x", "T::Main()"), ("T::A()", "T::B()"), ("T::C", "U"), ("U::D()", "U::D()")];
        Assert.That(Dead(written, uses), Is.EquivalentTo(["T::A()", "T::B()", "T::C()", "U", "U::D()"]));
    }

    private static List<string> Find(string[] assemblies)
    {
        List<string> written = [];
        List<(string, string)> uses = [];
        foreach (string assembly in assemblies)
        {
            using var file = File.OpenRead(assembly);
            using var image = new PEReader(file);
            var members = new AssemblyMembers(image);
            written.AddRange(members.Written);
            uses.AddRange(members.Uses);
        }

        return Dead(written, uses);
    }

    /// <summary>
    /// Those that nobody names but themselves and the dead. A user without parameters in its name stands for all methods of that name.
    /// </summary>
    private static List<string> Dead(IReadOnlyCollection<string> written, IReadOnlyCollection<(string From, string To)> uses)
    {
        var named = uses.SelectMany(static use =>
                use.To.Contains("::", StringComparison.Ordinal) ? [use] : AssemblyMembers.Parts(use.To).Select(part => (use.From, To: part))
            )
            .Distinct()
            .ToList();
        var byName = written.ToLookup(static member => member.Split('(')[0]);
        HashSet<string> dead = [];
        while (true)
        {
            var alive = named
                .Where(use => !IsWithin(use.From, use.To, byName) && !IsDead(use.From, dead, byName))
                .Select(static use => use.To)
                .ToHashSet();
            HashSet<string> next = [.. written.Where(member => !alive.Contains(member))];
            if (next.SetEquals(dead))
            {
                return [.. next.Order(StringComparer.Ordinal)];
            }

            dead = next;
        }
    }

    private static bool IsWithin(string user, string used, ILookup<string, string> byName) =>
        user == used
        || user.StartsWith(used + "::", StringComparison.Ordinal)
        || user.StartsWith(used + "+", StringComparison.Ordinal)
        || (used.StartsWith(user + "(", StringComparison.Ordinal) && byName[user].Count() == 1);

    private static bool IsDead(string user, HashSet<string> dead, ILookup<string, string> byName)
    {
        string type = user.Split("::")[0];
        return dead.Contains(user)
            || dead.Contains(type)
            || (
                user.Contains("::", StringComparison.Ordinal)
                && !user.Contains('(', StringComparison.Ordinal)
                && byName[user].Any()
                && byName[user].All(dead.Contains)
            );
    }
}
