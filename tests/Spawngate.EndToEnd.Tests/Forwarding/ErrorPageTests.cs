using Spawngate.EndToEnd.Tests.Harness;
using Spawngate.EndToEnd.Tests.Http2;

namespace Spawngate.EndToEnd.Tests.Forwarding;

/// <summary>Errors for people in browsers, and for programs, over both protocols.</summary>
internal sealed class ErrorPageTests : SharedGatewayTest
{
    private const string Browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    [Test]
    public async Task A_browser_gets_a_page_and_a_program_JSON([Values] bool overHttp2, [Values] bool byBrowser)
    {
        using H2Client http2 = await H2Client.ConnectAsync(Port);
        foreach ((string host, string path, int status, string code) in Failing)
        {
            string accept = byBrowser ? Browser : "*/*";
            RawResponse response = overHttp2
                ? await http2.ExchangeAsync(host, path, ("accept", accept))
                : await RawClient.RequestAsync(Port, host, path, headers: $"Accept: {accept}\r\n");

            Assert.That(
                (response.Status, response.Header("X-Proxy-Error"), response.Header("Vary"), response.Header("Content-Type")),
                Is.EqualTo((status, code, "Accept", byBrowser ? "text/html; charset=utf-8" : "application/json"))
            );
            Assert.That(response.Text, Does.StartWith(byBrowser ? "<!doctype html>" : $"{{\"code\":\"{code}\",").And.Contain(code));
        }
    }

    private static readonly (string Host, string Path, int Status, string Code)[] Failing =
    [
        ("nowhere.test", "/", 404, "UNKNOWN_HOST"),
        (Host, "/close?at=before-head", 502, "CONNECTION_FAILED"),
        ("impatient.test", "/slow?headMs=60000", 504, "REQUEST_TIMEOUT"),
    ];
}
