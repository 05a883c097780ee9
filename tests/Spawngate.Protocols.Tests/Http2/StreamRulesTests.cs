using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>RFC 9113 section 5.1 as a table: each frame in each state, in the rules and through a session.</summary>
[TestFixture]
internal sealed class StreamRulesTests
{
    private const string Accepted = "accept";
    private const string Ignored = "ignore";

    private static readonly FrameType[] Types =
    [
        FrameType.Headers,
        FrameType.Data,
        FrameType.ResetStream,
        FrameType.WindowUpdate,
        FrameType.Priority,
    ];

    /// <summary>Rows are states, columns the frames above.</summary>
    private static readonly (string Place, StreamState State, ClosedBy By, string[] Verdicts)[] Table =
    [
        (
            "idle",
            StreamState.Idle,
            ClosedBy.Unknown,
            [Accepted, "connection Protocol", "connection Protocol", "connection Protocol", Accepted]
        ),
        ("open", StreamState.Open, ClosedBy.Unknown, [Accepted, Accepted, Accepted, Accepted, Accepted]),
        ("half-closed (local)", StreamState.HalfClosedLocal, ClosedBy.Unknown, [Accepted, Accepted, Accepted, Accepted, Accepted]),
        (
            "half-closed (remote)",
            StreamState.HalfClosedRemote,
            ClosedBy.Unknown,
            ["stream StreamClosed", "stream StreamClosed", Accepted, Accepted, Accepted]
        ),
        ("closed: we reset", StreamState.Closed, ClosedBy.LocalReset, [Ignored, Ignored, Ignored, Ignored, Ignored]),
        (
            "closed: client reset",
            StreamState.Closed,
            ClosedBy.PeerReset,
            ["connection StreamClosed", "stream StreamClosed", Ignored, Ignored, Ignored]
        ),
        (
            "closed: both ended",
            StreamState.Closed,
            ClosedBy.End,
            ["connection StreamClosed", "connection StreamClosed", Ignored, Ignored, Ignored]
        ),
        (
            "closed: forgotten",
            StreamState.Closed,
            ClosedBy.Unknown,
            ["connection Protocol", "stream StreamClosed", Ignored, Ignored, Ignored]
        ),
    ];

    private static IEnumerable<TestCaseData> Cells() =>
        from row in Table
        from column in Enumerable.Range(0, Types.Length)
        select new TestCaseData(row.Place, row.State, row.By, Types[column], row.Verdicts[column]).SetName(
            $"{{m}}: {Types[column]} when {row.Place}"
        );

    [TestCaseSource(nameof(Cells))]
    public void The_rules(string place, StreamState state, ClosedBy by, FrameType type, string expected)
    {
        var verdict = StreamRules.Judge(type, state, by, out var code);
        Assert.That(
            verdict switch
            {
                FrameVerdict.Accept => Accepted,
                FrameVerdict.Ignore => Ignored,
                FrameVerdict.StreamError => $"stream {code}",
                _ => $"connection {code}",
            },
            Is.EqualTo(expected),
            place
        );
    }

    [TestCaseSource(nameof(Cells))]
    public void The_session(string place, StreamState state, ClosedBy by, FrameType type, string expected)
    {
        foreach (bool released in by == ClosedBy.Unknown && state != StreamState.Closed ? new[] { false } : [false, true])
        {
            var client = Start();
            var run = new SessionRun().Feed(client);
            BringTo(run, client, state, by, released);
            int events = run.Events.Count;
            run.Sent.Clear();
            run.Feed(
                type switch
                {
                    FrameType.Headers => client.Headers(1, state == StreamState.Idle ? Get : [("a", "b")]),
                    FrameType.Data => client.Data(1, "x"),
                    FrameType.ResetStream => client.Reset(1),
                    FrameType.WindowUpdate => client.Window(1, 1),
                    _ => client.Priority(1, 0),
                }
            );
            string outcome =
                run.Session.Failure is { } failure ? $"connection {failure}"
                : run.Sent.FirstOrDefault(line => line.StartsWith("RST", StringComparison.Ordinal)) is { } reset
                    ? "stream" + reset["RST 1".Length..]
                : run.Events.Count > events ? Accepted
                : Ignored;

            // Frames that are accepted in silence.
            bool silent = type == FrameType.Priority || (type == FrameType.WindowUpdate && expected == Accepted);
            Assert.That(outcome, Is.EqualTo(silent ? Ignored : expected), $"{place}, released: {released}\n{run}");
            Assert.That(run.Session.ActiveStreams, Is.InRange(0, 1 + (type == FrameType.Headers && state == StreamState.Idle ? 1 : 0)));
        }
    }

    private static void BringTo(SessionRun run, ClientBytes client, StreamState state, ClosedBy by, bool released)
    {
        switch (state, by)
        {
            case (StreamState.Idle, _):
                return;
            case (StreamState.HalfClosedRemote, _):
                run.Feed(client.Request(1));
                return;
            case (StreamState.Closed, ClosedBy.Unknown):
                run.Feed(client.Request(3));
                return;
        }

        run.Feed(client.Upload(1));
        switch (state, by)
        {
            case (StreamState.HalfClosedLocal, _):
                run.Respond(1, 200, end: true);
                break;
            case (_, ClosedBy.LocalReset):
                run.Session.Reset(run.Slots[1], ErrorCode.Cancel);
                break;
            case (_, ClosedBy.PeerReset):
                run.Feed(client.Reset(1));
                break;
            case (_, ClosedBy.End):
                run.Respond(1, 200, end: true);
                run.Feed(client.Data(1, "", end: true));
                break;
        }

        if (released)
        {
            run.Release(1);
        }

        run.Drain();
        Assert.That(run.Session.ActiveStreams, Is.EqualTo(state == StreamState.Closed ? 0 : 1));
    }

    [Test]
    public void Transitions()
    {
        Assert.That(StreamRules.Opened(endStream: false), Is.EqualTo(StreamState.Open));
        Assert.That(StreamRules.Opened(endStream: true), Is.EqualTo(StreamState.HalfClosedRemote));
        foreach (var state in Enum.GetValues<StreamState>())
        {
            StreamState? remote =
                state == StreamState.Open ? StreamState.HalfClosedRemote
                : state == StreamState.HalfClosedLocal ? StreamState.Closed
                : null;
            StreamState? local =
                state == StreamState.Open ? StreamState.HalfClosedLocal
                : state == StreamState.HalfClosedRemote ? StreamState.Closed
                : null;
            AssertStep(() => StreamRules.RemoteEnded(state), remote);
            AssertStep(() => StreamRules.LocalEnded(state), local);
            AssertStep(() => StreamRules.Reset(state), state is StreamState.Idle or StreamState.Closed ? null : StreamState.Closed);
            Assert.That(StreamRules.MaySend(state), Is.EqualTo(local is not null));
        }
    }

    private static void AssertStep(Func<StreamState> step, StreamState? expected)
    {
        if (expected is { } state)
        {
            Assert.That(step(), Is.EqualTo(state));
        }
        else
        {
            Assert.That(() => step(), Throws.InvalidOperationException);
        }
    }
}
