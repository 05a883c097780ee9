using Spawngate.Config;
using Spawngate.Logging;
using Spawngate.Telemetry;

namespace Spawngate.Tests;

/// <summary>The keys that say what is told of requests, and where.</summary>
internal sealed class ObservationKeysTests
{
    [TestCase(
        "access_log = 'stdou'",
        "2:14: server.access_log: found the string \"stdou\", allowed is \"off\", \"stdout\" or the path of a file"
    )]
    [TestCase("access_log = ''", "2:14: server.access_log: found an empty string, allowed is \"off\"")]
    [TestCase("access_log = true", "2:14: server.access_log: found true, allowed is \"off\"")]
    [TestCase("access_log = '/'", "2:14: server.access_log: found the string \"/\", which is a folder, allowed is \"off\"")]
    [TestCase(
        "access_log = '/no/such/access.log'",
        "2:14: server.access_log: found the string \"/no/such/access.log\", which is in a folder that does not exist"
    )]
    [TestCase(
        "access_log_format = 'common'",
        "2:21: server.access_log_format: found the string \"common\", allowed is \"combined\" or \"json\""
    )]
    [TestCase("log_format = 'xml'", "2:14: server.log_format: found the string \"xml\", allowed is \"text\" or \"json\"")]
    [TestCase("server_timing = 1", "2:17: server.server_timing: found 1, allowed is true or false, without quotes")]
    [TestCase(
        "otlp_endpoint = 'collector:4318'",
        "2:17: server.otlp_endpoint: found the string \"collector:4318\", allowed is the address of an OTLP collector over HTTP"
    )]
    [TestCase("otlp_endpoint = 'https://collector:4318'", "2:17: server.otlp_endpoint: found the string")]
    [TestCase("otlp_endpoint = 'http://collector/?a'", "2:17: server.otlp_endpoint: found the string")]
    [TestCase("otlp_endpoint = 'http://user:secret@collector/'", "2:17: server.otlp_endpoint: found the string")]
    [TestCase("otlp_endpoint = '/v1'", "2:17: server.otlp_endpoint: found the string")]
    public void A_wrong_value_is_named_with_what_is_allowed(string line, string error)
    {
        var errors = ConfigSource.Load($"[server]\n{line}\n").Errors;
        Assert.That(errors, Has.Count.EqualTo(1));
        Assert.That(errors[0].ToString(), Does.StartWith("c.toml:" + error));
    }

    [Test]
    public void Values_are_read()
    {
        string path = Path.Combine(Path.GetTempPath(), "access.log");
        var server = ConfigSource
            .Valid(
                $"[server]\naccess_log = '{path}'\naccess_log_format = 'json'\nlog_format = 'json'\nserver_timing = true\n"
                    + "otlp_endpoint = 'http://collector:4318/base/'\n"
            )
            .Server;
        Assert.That(
            (server.AccessLog, server.AccessLogFormat, server.LogFormat, server.ServerTiming),
            Is.EqualTo((path, AccessLogFormat.Json, LogFormat.Json, true))
        );
        Assert.That(SpanExporter.UrlOf(server.OtlpEndpoint!), Is.EqualTo(new Uri("http://collector:4318/base/v1/traces")));
        Assert.That(SpanExporter.UrlOf(new Uri("http://collector:4318")), Is.EqualTo(new Uri("http://collector:4318/v1/traces")));
    }

    [Test]
    public void Everything_is_off_by_default()
    {
        var server = ConfigSource.Valid("[server]\n").Server;
        Assert.That(
            (server.AccessLog, server.AccessLogFormat, server.LogFormat, server.ServerTiming, server.OtlpEndpoint),
            Is.EqualTo((ServerConfig.AccessLogOff, AccessLogFormat.Combined, LogFormat.Text, false, null as Uri))
        );
    }
}
