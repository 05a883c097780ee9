using Spawngate.EndToEnd.Tests.Harness;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>
/// A backend that closes, resets or stalls at each point of its response, with both framings: the client learns the truth, and nobody else
/// notices.
/// </summary>
[LongRunning]
internal sealed class BackendFaultTests() : FaultTest(patient: false)
{
    private int _asked;

    [Test]
    public async Task The_client_learns_what_became_of_its_answer([Values] FaultPoint at, [Values] FaultKind how, [Values] bool chunked)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync(Response(at, chunked));
                await FailAsync(peer, how);
                ended.TrySetResult();
                return false;
            }
        );
        if (at == FaultPoint.AfterBody && how == FaultKind.Stall)
        {
            // To do nothing more is what a backend does between two requests.
            Backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(Response(at, chunked));
                    return true;
                }
            );
        }

        using RawClient client = await ConnectAsync();
        await client.SendAsync(Head());

        switch (at)
        {
            case FaultPoint.BeforeHead or FaultPoint.InHead:
                RawResponse error = await client.ReadResponseAsync();
                (int Status, string Code) expected =
                    how == FaultKind.Stall ? (504, "REQUEST_TIMEOUT")
                    : at == FaultPoint.InHead ? (502, "BAD_BACKEND_RESPONSE")
                    : (502, "CONNECTION_FAILED");
                Assert.That((error.Status, error.Header("X-Proxy-Error")), Is.EqualTo((expected.Status, expected.Code)));
                break;
            case FaultPoint.AfterHead or FaultPoint.InBody:
                Assert.That(async () => await client.ReadResponseAsync(), Throws.InstanceOf<IncompleteMessageException>());
                Assert.That(await client.EndsAsync());
                break;
            default:
                Assert.That((await client.ReadResponseAsync()).Text, Is.EqualTo("0123456789"));
                Assert.That((await client.ExchangeAsync(Backend.Host, "/")).Text, Is.EqualTo("ok"), "the client's connection goes on");
                break;
        }

        if (at != FaultPoint.AfterBody)
        {
            await ended.Task.InTimeAsync("the gateway gives the connection up");
        }
    }

    [TestCase("GET", true, 2)]
    [TestCase("HEAD", true, 2)]
    [TestCase("PUT", true, 2)]
    [TestCase("DELETE", true, 2)]
    [TestCase("OPTIONS", true, 2)]
    [TestCase("POST", false, 1)]
    [TestCase("PATCH", false, 1)]
    [TestCase("MOVE", false, 1)]
    public async Task Only_an_idempotent_request_is_sent_a_second_time(string method, bool served, int asked)
    {
        Backend.Answers(
            async (peer, _) =>
            {
                if (Interlocked.Increment(ref _asked) == 1)
                {
                    peer.Close();
                    return false;
                }

                await peer.SendAsync(FaultyBackend.Ok[..^(method == "HEAD" ? 2 : 0)]);
                return true;
            }
        );
        using RawClient client = await ConnectAsync();

        RawResponse response = await client.ExchangeAsync(Backend.Host, "/fault", method);

        Assert.That((response.Status, _asked), Is.EqualTo((served ? 200 : 502, asked)));
    }

    [TestCase(10)]
    public async Task A_request_that_is_not_idempotent_is_served_although_the_idle_connection_had_just_closed(int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Backend.Answers(
                async (peer, _) =>
                {
                    await peer.SendAsync(FaultyBackend.Ok);
                    peer.Close();
                    closed.TrySetResult();
                    return false;
                }
            );
            using RawClient client = await ConnectAsync();
            Assert.That((await client.ExchangeAsync(Backend.Host, "/fault", "POST")).Status, Is.EqualTo(200), $"round {i}");

            // A request that arrives before the close and is not answered may have had an effect: that one is not repeated.
            await closed.Task.InTimeAsync("the backend has closed");
            Assert.That((await client.ExchangeAsync(Backend.Host, "/fault", "POST")).Status, Is.EqualTo(200), $"round {i}");
        }
    }

    [Test]
    public async Task An_early_answer_reaches_a_client_that_is_still_sending(
        [Values] bool chunked,
        [Values(FaultKind.Close, FaultKind.Stall)] FaultKind how
    )
    {
        Backend.Answers(
            async (peer, _) =>
            {
                await peer.SendAsync("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge");
                if (how == FaultKind.Close)
                {
                    peer.Close();
                    return false;
                }

                await peer.EndedAsync();
                return false;
            }
        );
        using RawClient client = await ConnectAsync();
        await client.SendAsync(
            Head("POST", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 1000000\r\n")
                + (chunked ? "f4240\r\n" : "")
                + "only the beginning"
        );

        RawResponse response = await client.ReadResponseAsync();

        Assert.That((response.Status, response.Text), Is.EqualTo((413, "large")));
    }

    private static async Task FailAsync(UpstreamPeer peer, FaultKind how)
    {
        switch (how)
        {
            case FaultKind.Close:
                peer.Close();
                break;
            case FaultKind.Reset:
                peer.Reset();
                break;
            default:
                await peer.EndedAsync();
                break;
        }
    }

    private static string Response(FaultPoint at, bool chunked)
    {
        string head = $"HTTP/1.1 200 OK\r\n{(chunked ? "Transfer-Encoding: chunked" : "Content-Length: 10")}\r\n\r\n";
        return at switch
        {
            FaultPoint.BeforeHead => "",
            FaultPoint.InHead => head[..25],
            FaultPoint.AfterHead => head,
            FaultPoint.InBody => head + (chunked ? "a\r\n01234" : "01234"),
            _ => head + (chunked ? "a\r\n0123456789\r\n0\r\n\r\n" : "0123456789"),
        };
    }
}
