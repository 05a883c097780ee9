using System.Net;
using Spawngate.Config;

namespace Spawngate.Tests;

/// <summary>Where the admin API of a running gateway is, read from a file that may have become wrong since the gateway read it.</summary>
[TestFixture]
internal sealed class AdminAddressTests
{
    private const string Server = "[server]\nadmin_port = 1234\nadmin_bind = '127.0.0.2'\nadmin_token = 'secret'\n";

    [TestCase("", TestName = "A whole file")]
    [TestCase("[backends.'a.test']\nprot = 1\n", TestName = "Errors in a backend")]
    [TestCase("prot = 80\nbind = 7\nmax_headers = 'many'\n", TestName = "Errors in other keys of the server")]
    [TestCase("[nonsense]\n", TestName = "A section that does not exist")]
    [TestCase("[defaults]\nidle_timeout_secs = = 5\n", TestName = "A syntax error further down")]
    [TestCase("[backends.'a.test']\ncommand = \"sl", TestName = "A file that is being written")]
    public void Does_not_depend_on_the_rest(string rest)
    {
        Assert.That(Load(Server + rest, out ServerConfig server), Is.Empty);
        Assert.That((server.AdminPort, server.AdminBind, server.AdminToken), Is.EqualTo((1234, IPAddress.Parse("127.0.0.2"), "secret")));
    }

    [TestCase("[backends.'a.test']\ncommand = 'x'\n")]
    [TestCase("[backends.'a.test']\ncommand = \"sl")]
    [TestCase("[server]\nport = 80\n[backends.'a.te")]
    public void Is_the_default_where_the_file_names_none(string text)
    {
        Assert.That(Load(text, out ServerConfig server), Is.Empty);
        Assert.That((server.AdminPort, server.AdminBind, server.AdminToken), Is.EqualTo((9999, IPAddress.Loopback, (string?)null)));
    }

    [TestCase("[server]\nadmin_port = 70000\n", "server.admin_port: found")]
    [TestCase("[server]\nadmin_bind = 'localhost'\n", "server.admin_bind: found")]
    [TestCase("[server]\nadmin_token = ''\n", "server.admin_token: found")]
    [TestCase("server = 7\n", "server: found")]
    [TestCase("[server\nadmin_port = 1234\n", ":1:")]
    [TestCase("[server]\nadmin_port = = 1234\n", ":2:")]
    [TestCase("[serv", ":1:")]
    public void Is_unknown_where_the_file_may_have_meant_another(string text, string says)
    {
        IReadOnlyList<ConfigError> errors = Load(text, out _);
        Assert.That(errors, Is.Not.Empty);
        Assert.That(string.Join('\n', errors), Does.Contain(says));
    }

    [Test]
    public void Is_unknown_without_a_file() =>
        Assert.That(
            ConfigLoader.LoadAdminAddress("no-such-file.toml", out _).Select(error => error.ToString()),
            Is.EqualTo(["no-such-file.toml:1:1: found no such file"])
        );

    private static IReadOnlyList<ConfigError> Load(string text, out ServerConfig server)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, text);
            return ConfigLoader.LoadAdminAddress(path, out server);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
