using System.Text;
using Spawngate.Config;
using Spawngate.Protocols.Http1;

namespace Spawngate.Tests;

/// <summary>Which requests wake nothing: the key, and what it covers.</summary>
internal sealed class NoWakeRulesTests
{
    [TestCase("/health", "/health", true)]
    [TestCase("/health", "/health?verbose=1", true)]
    [TestCase("/health", "/health/", true)]
    [TestCase("/health", "/health/db", true)]
    [TestCase("/health", "/healthz", false)]
    [TestCase("/health", "/health.html", false)]
    [TestCase("/health", "/Health", false)]
    [TestCase("/health", "/", false)]
    [TestCase("/health", "/?/health", false)]
    [TestCase("/health", "/app/health", false)]
    [TestCase("/health/", "/health", false)]
    [TestCase("/health/", "/health/db", true)]
    [TestCase("/", "/anything", true)]
    [TestCase("/", "*", true)]
    [TestCase("/healthz", "/health%7a", true)]
    [TestCase("/healthz", "/%68ealth%7A", true)]
    [TestCase("/health%7a", "/healthz", true)]
    [TestCase("/health", "/health%7a", false)]
    [TestCase("/health", "//health", true)]
    [TestCase("/health", "/./health", true)]
    [TestCase("/health", "/%2e/health", true)]
    [TestCase("/health", "/app/../health", true)]
    [TestCase("/health", "/app/%2E./health", true)]
    [TestCase("/health", "/app%2f..%2Fhealth", true)]
    [TestCase("/health", "/../../health", true)]
    [TestCase("/health", "/health/../app", false)]
    [TestCase("/health", "/health/%2e%2e/app", false)]
    [TestCase("/health", "/health%2fdb", true)]
    [TestCase("/health", "/health%252fdb", false)]
    [TestCase("/health", "/health%", false)]
    [TestCase("/health", "/health%2", false)]
    [TestCase("/health", "/health/%zz", true)]
    public void A_path_is_covered_by_whole_segments_in_its_normal_form(string entry, string target, bool covered)
    {
        Assert.That(
            Covers(entry, $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".Replace("GET *", "OPTIONS *", StringComparison.Ordinal)),
            Is.EqualTo(covered)
        );
    }

    [TestCase("UptimeRobot", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", true)]
    [TestCase("uptimerobot/", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", true)]
    [TestCase("bot", "BOT", true)]
    [TestCase("bot", "bo bobo boT", true)]
    [TestCase("Better Uptime Bot", "better uptime bot Mozilla/5.0", true)]
    [TestCase("bot", "bo", false)]
    [TestCase("bot", "Mozilla/5.0 (X11; Linux x86_64)", false)]
    [TestCase("curl", "", false)]
    public void A_user_agent_is_covered_by_a_part_of_it_without_case(string entry, string agent, bool covered)
    {
        Assert.That(Covers(entry, $"GET / HTTP/1.1\r\nHost: a\r\nuser-AGENT: {agent}\r\n\r\n"), Is.EqualTo(covered));
    }

    [Test]
    public void Other_fields_and_the_far_end_of_a_user_agent_are_not_looked_at()
    {
        Assert.That(Covers("bot", "GET / HTTP/1.1\r\nHost: a\r\nX-User-Agent: bot\r\nReferer: bot\r\n\r\n"), Is.False);
        Assert.That(Covers("bot", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Is.False, "no user agent");
        Assert.That(
            Covers("bot", $"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: {new string('b', ConfigLimits.NoWakeAgentBytes - 3)}bot\r\n\r\n"),
            Is.True
        );
        Assert.That(
            Covers("bot", $"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: {new string('b', ConfigLimits.NoWakeAgentBytes)}bot\r\n\r\n"),
            Is.False
        );
        Assert.That(Covers("bot", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nUser-Agent: bot\r\n\r\n"), Is.True, "any of several");
    }

    [Test]
    public void The_longest_paths_are_looked_at_without_a_fault()
    {
        foreach (string part in (string[])["/%2e%2e", "//", "/a", "/.", "%2f", "/%"])
        {
            string path = "/" + string.Concat(Enumerable.Repeat(part, ConfigLimits.RequestLineBytesMax / part.Length));
            byte[] normal = new byte[NormalPath.BytesNeeded(Encoding.ASCII.GetBytes(path))];
            Assert.That(NormalPath.Write(Encoding.ASCII.GetBytes(path), normal), Is.InRange(1, path.Length + 1));
            Assert.That(Covers("/health", $"GET {path}/health HTTP/1.1\r\nHost: a\r\n\r\n"), Is.AnyOf(true, false), part);
        }
    }

    [Test]
    public void The_normal_form_of_a_path_is_its_own()
    {
        var random = new Random(7);
        string[] parts = ["/", ".", "..", "a", "%2e", "%2F", "%61", "%", "//", "b%20", "%25"];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] path = Encoding.ASCII.GetBytes(
                "/" + string.Concat(Enumerable.Range(0, random.Next(9)).Select(_ => parts[random.Next(parts.Length)]))
            );
            string once = Normal(path);
            Assert.That(
                once,
                Does.StartWith("/").And.Not.Contain("//").And.Not.Contain("/./").And.Not.Contain("/../"),
                Encoding.ASCII.GetString(path)
            );
            Assert.That(
                NormalPath.IsNormal(path) ? once : null,
                Is.EqualTo(NormalPath.IsNormal(path) ? Encoding.ASCII.GetString(path) : null)
            );
        }

        static string Normal(byte[] path)
        {
            byte[] normal = new byte[NormalPath.BytesNeeded(path)];
            return Encoding.ASCII.GetString(normal, 0, NormalPath.Write(path, normal));
        }
    }

    [Test]
    public void Asking_allocates_nothing()
    {
        var rules = NoWakeRules.Of(["/health", "/status/", "UptimeRobot", "bot"])!;
        var heads = new[] { "/", "/app/%2e%2e/x", "/healthy" }
            .Select(static path => Read($"GET {path} HTTP/1.1\r\nHost: a\r\nUser-Agent: Mozilla/5.0 (b bo) Gecko\r\n\r\n"))
            .ToArray();
        long Ask()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            bool any = false;
            for (int i = 0; i < 3000; i++)
            {
                any |= rules.Cover(heads[i % 3].Request, heads[i % 3].Bytes);
            }

            return any ? -1 : GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Ask();
        Assert.That(Ask(), Is.Zero);
    }

    [Test]
    public void The_key_is_taken_from_defaults_unless_a_backend_has_its_own()
    {
        var backends = ConfigSource
            .Valid(
                """
                [defaults]
                no_wake = ["/health", "UptimeRobot"]
                [backends.a]
                command = "x"
                [backends.b]
                command = "x"
                no_wake = ["bot"]
                [backends.c]
                command = "x"
                no_wake = []
                """
            )
            .Backends;

        Assert.That(
            backends.Select(static backend => backend.NoWake?.Entries),
            Is.EqualTo(new string[]?[] { ["/health", "UptimeRobot"], ["bot"], null })
        );
        Assert.That(
            backends[0]
                .HasSameSettings(
                    ConfigSource.Valid(ConfigSource.Local("no_wake = ['/health', 'UptimeRobot']")).Backends[0] with
                    {
                        Route = new BackendRoute("a"),
                        Settings = KindsInTests.Runs("x"),
                    }
                )
        );
    }

    [TestCase("no_wake = '/health'", "found the string \"/health\", allowed is an array of strings")]
    [TestCase("no_wake = ['']", "found an empty string, allowed is a path that starts with /")]
    [TestCase("no_wake = ['/a?b']", "found the string \"/a?b\", allowed is a path that starts with /")]
    [TestCase("no_wake = ['/a b']", "found the string \"/a b\"")]
    [TestCase("no_wake = [' bot']", "found the string \" bot\"")]
    [TestCase("no_wake = ['böt']", "found the string \"böt\"")]
    [TestCase("no_wake = [7]", "found 7")]
    public void What_is_wrong_is_said(string line, string said)
    {
        Assert.That(ConfigSource.Errors(ConfigSource.Local(line)).Single().ToString(), Does.Contain("no_wake").And.Contain(said));
    }

    [Test]
    public void The_number_and_length_of_entries_are_bounded()
    {
        string[] many = [.. Enumerable.Range(0, ConfigLimits.NoWakeEntriesMax + 1).Select(static i => $"'/{i}'")];
        Assert.That(
            ConfigSource.Errors(ConfigSource.Local($"no_wake = [{string.Join(',', many)}]")).Single().ToString(),
            Does.Contain("found 65 entries, allowed are 64")
        );
        Assert.That(
            ConfigSource.Valid(ConfigSource.Local($"no_wake = [{string.Join(',', many[1..])}]")).Backends[0].NoWake!.Entries,
            Has.Count.EqualTo(64)
        );
        Assert.That(NoWakeRules.IsAllowed(new string('a', ConfigLimits.NoWakeEntryChars)), Is.True);
        Assert.That(NoWakeRules.IsAllowed(new string('a', ConfigLimits.NoWakeEntryChars + 1)), Is.False);
    }

    private static bool Covers(string entry, string head)
    {
        var (request, bytes) = Read(head);
        return NoWakeRules.Of([entry])!.Cover(request, bytes);
    }

    private static (RequestHead Request, byte[] Bytes) Read(string head)
    {
        var request = new RequestHead();
        byte[] bytes = Encoding.ASCII.GetBytes(head);
        Assert.That(
            RequestHeadParser.Parse(request, bytes, new HeadLimits(2 * ConfigLimits.RequestLineBytesMax, 65536, 100)),
            Is.EqualTo(HeadStatus.Complete)
        );
        return (request, bytes);
    }
}
