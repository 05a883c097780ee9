using System.Globalization;
using System.Text.RegularExpressions;
using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>A backend that sends an answer more than it was asked for: the next request does not get it.</summary>
internal sealed partial class UnsolicitedTests() : FaultTest(patient: true)
{
    private const string Twice = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong";
    private int _asked;

    [TestCase("along with the answer")]
    [TestCase("while nobody asks")]
    public async Task Bytes_that_nobody_asked_for_answer_no_request(string when)
    {
        long before = await CountAsync();
        Backend.Answers(
            async (peer, _) =>
            {
                string answer = $"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{Interlocked.Increment(ref _asked):00}";
                if (when == "along with the answer")
                {
                    await peer.SendAsync(answer + Twice);
                    return true;
                }

                await peer.SendAsync(answer);
                await peer.SendAsync(Twice);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();
        for (int i = 1; i <= 12; i++)
        {
            Assert.That((await client.ExchangeAsync(Backend.Host, "/fault")).Text, Is.EqualTo($"{i:00}"));
            await Http1Gateway.Gateway.UntilAsync("the connection is dropped, and counted", async () => await CountAsync() == before + i);
        }

        Assert.That(
            Http1Gateway.Gateway.Log.Lines.Count(line =>
                line.Text.Contains($"hostname=\"{Backend.Host}\"", StringComparison.Ordinal)
                && line.Text.Contains("no request had asked for", StringComparison.Ordinal)
            ),
            Is.EqualTo(1),
            "told once for each run"
        );
    }

    private async Task<long> CountAsync()
    {
        string page = await Http1Gateway.Gateway.Admin.TextAsync("/metrics");
        Match found = Counted().Matches(page).FirstOrDefault(each => each.Groups[1].Value == Backend.Host) ?? Match.Empty;
        return found.Success ? long.Parse(found.Groups[2].Value, CultureInfo.InvariantCulture) : 0;
    }

    [GeneratedRegex(@"spawngate_upstream_unsolicited_total\{hostname=""([^""]+)""\} (\d+)")]
    private static partial Regex Counted();
}
