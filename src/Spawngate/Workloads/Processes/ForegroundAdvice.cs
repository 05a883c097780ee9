using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// What to tell people whose program goes into the background: it exits with 0 and leaves processes behind, which is right under a script
/// of init and wrong under a supervisor, to which the exit is the end.
/// </summary>
internal static class ForegroundAdvice
{
    // By the beginning of the name: php-fpm8.3 and apache2ctl are among them.
    private static readonly (string Name, string Advice)[] Known =
    [
        ("nginx", "nginx with args = [\"-g\", \"daemon off;\"]"),
        ("apache", "Apache with args = [\"-D\", \"FOREGROUND\"]"),
        ("httpd", "Apache with args = [\"-D\", \"FOREGROUND\"]"),
        ("redis-server", "redis-server with --daemonize no"),
        ("valkey-server", "valkey-server with --daemonize no"),
        ("php-fpm", "php-fpm with args = [\"-F\"]"),
        ("gunicorn", "gunicorn without --daemon"),
        ("uwsgi", "uwsgi without --daemonize"),
        ("unitd", "unitd with --no-daemon"),
        ("puma", "puma without --daemon"),
        ("unicorn", "unicorn without --daemonize"),
        ("thin", "thin without --daemonize"),
        ("lighttpd", "lighttpd with -D"),
        ("haproxy", "haproxy without -D"),
        ("varnishd", "varnishd with -F"),
        ("squid", "squid with --foreground"),
        ("memcached", "memcached without -d"),
        ("mongod", "mongod without --fork"),
        ("pg_ctl", "postgres -D FOLDER in the place of pg_ctl start"),
        ("postgres", "postgres -D FOLDER in the place of pg_ctl start"),
        ("caddy", "caddy run in the place of caddy start"),
        ("catalina", "catalina.sh run in the place of start"),
        ("startup.sh", "catalina.sh run in the place of startup.sh"),
        ("supervisord", "supervisord with --nodaemon"),
        ("pm2", "pm2-runtime in the place of pm2 start"),
    ];

    /// <summary>How many of those that were seen are of an instance; what shows no token may be.</summary>
    public static List<LeftProcess> LeftBy(InstanceToken? token, IReadOnlyList<LeftProcess> seen) =>
        [.. seen.Where(process => process.IsInGroup || process.Token is null || process.Token == token)];

    /// <summary>What happened, behind the words about the exit: <c> and left 2 processes behind</c>.</summary>
    public static string Describe(IReadOnlyList<LeftProcess> left) =>
        left.Count == 1 ? " and left 1 process behind" : $" and left {left.Count} processes behind";

    /// <summary>What to do about it.</summary>
    /// <param name="command">The configured program.</param>
    /// <param name="left">What it left behind: behind a shell or a script, they tell what the program is.</param>
    public static string Of(string command, IReadOnlyList<LeftProcess> left)
    {
        const string Rule = "run it in the foreground";
        foreach (string name in left.Select(static process => process.Name).Prepend(Path.GetFileName(command)))
        {
            foreach (var (program, advice) in Known)
            {
                if (name.StartsWith(program, StringComparison.OrdinalIgnoreCase))
                {
                    return $"{Rule} ({advice})";
                }
            }
        }

        return Rule;
    }
}
