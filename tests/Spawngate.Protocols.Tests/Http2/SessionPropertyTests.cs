using FsCheck;
using FsCheck.Fluent;
using Spawngate.Protocols.Http1;
using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>What holds for any bytes, any frames, and in steady state.</summary>
[TestFixture]
internal sealed class SessionPropertyTests
{
    private static readonly Gen<Action<ClientBytes>> AnyFrame = Gen.OneOf(
        from type in Gen.Choose(0, 17)
        from flags in Gen.Elements(0, 1, 4, 5, 8, 9, 0x20, 0x2D)
        from id in Gen.Elements(0, 1, 1, 2, 3, 5, 7)
        from payload in Gen.ListOf(Gen.Elements(0, 0, 0, 1, 5, 0x82, 0x84, 0x86, 0x41, 0x61, 0xBE, 0xFF))
        select (Action<ClientBytes>)(client => client.Frame((FrameType)type, flags, id, [.. payload.Select(b => (byte)b)])),
        from id in Gen.Elements(1, 3, 5, 7, 9)
        from what in Gen.Choose(0, 8)
        select (Action<ClientBytes>)(
            client =>
                _ = what switch
                {
                    0 => client.Request(id),
                    1 => client.Upload(id),
                    2 => client.Data(id, "data"),
                    3 => client.Data(id, "data", end: true),
                    4 => client.Headers(id, [("a", "b")]),
                    5 => client.Reset(id),
                    6 => client.Window(id, 100),
                    7 => client.Data(id, "", end: true),
                    _ => client.Settings((SettingId.InitialWindowSize, (uint)(id * 10))),
                }
        )
    );

    [Test]
    public void Any_frames_give_the_same_events_wherever_they_are_cut()
    {
        var inputs =
            from frames in Gen.ListOf(AnyFrame)
            from cuts in Gen.ListOf(Gen.Choose(0, 400))
            select (Bytes: BytesOf(frames), Cuts: cuts.ToArray());
        int accepted = 0;
        Prop.ForAll(inputs.ToArbitrary(), input =>
            {
                var whole = SessionRun.Of(input.Bytes);
                accepted += whole.Events.Count(line => line.StartsWith("request", StringComparison.Ordinal));
                var cut = SessionRun.Of(input.Bytes, [.. input.Cuts.Where(c => c <= input.Bytes.Length).Order()]);
                Assert.That(cut.ToString(), Is.EqualTo(whole.ToString()));
                AssertSound(whole);
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1500));
        Assert.That(accepted, Is.GreaterThan(100));
    }

    [Test]
    public void Any_bytes_give_events_or_one_error()
    {
        var inputs =
            from bytes in Gen.ListOf(Gen.OneOf(Gen.Choose(0, 255), Gen.Elements(0, 0, 0, 1, 4, 5, 9)))
            select (byte[])[.. Start().Bytes, .. bytes.Select(b => (byte)b)];
        Prop.ForAll(inputs.ToArbitrary(), bytes =>
            {
                var whole = SessionRun.Of(bytes);
                Assert.That(SessionRun.Of(bytes, [.. Enumerable.Range(1, bytes.Length - 1)]).ToString(), Is.EqualTo(whole.ToString()));
                AssertSound(whole);
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    /// <summary>What must hold at the end of any run: also used by the fuzz target.</summary>
    internal static void AssertSound(SessionRun run)
    {
        Assert.That(
            run.Events.Count(line => line.StartsWith("error", StringComparison.Ordinal)),
            Is.EqualTo(run.Session.Failure is null ? 0 : 1)
        );
        Assert.That(run.Session.ActiveStreams, Is.InRange(0, run.Slots.Count));
        run.Slots.Keys.ToList().ForEach(run.Release);
        Assert.That(run.Session.ActiveStreams, Is.Zero);
        run.Drain();
        int goAway = run.Sent.FindIndex(line => line.StartsWith("GOAWAY", StringComparison.Ordinal));
        Assert.That(goAway, Is.EqualTo(run.Session.Failure is null ? -1 : run.Sent.Count - 1), "it is the last word");
    }

    /// <summary>Requests with bodies, answers, acknowledgements: not a byte once tables and buffers are there.</summary>
    [Test]
    public void Steady_state_allocates_nothing()
    {
        var client = Start();
        var session = new Http2Session(SessionRun.Limits, 0);
        var head = new RequestHead();
        head.Reset();
        byte[] target = new byte[4096];
        Feed(session, head, client.Take(), target);
        const int Requests = 1200;
        byte[][] rounds =
        [
            .. Enumerable
                .Range(0, Requests)
                .Select(i =>
                    client
                        .Upload((2 * i) + 1, ("user-agent", "test"), ("x-number", $"{i}"))
                        .Data((2 * i) + 1, new string('d', 100), end: true)
                        .Window(0, 100)
                        .Ping()
                        .Take()
                ),
        ];
        long least = long.MaxValue;
        for (int pass = 0; pass < 4; pass++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = pass * Requests / 4; i < (pass + 1) * Requests / 4; i++)
            {
                Feed(session, head, rounds[i], target);
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.That(session.Failure, Is.Null);
        Assert.That(least, Is.Zero);
    }

    private static byte[] BytesOf(IEnumerable<Action<ClientBytes>> frames)
    {
        var client = Start();
        foreach (var frame in frames)
        {
            frame(client);
        }

        return client.Bytes;
    }

    private static void Feed(Http2Session session, RequestHead head, ReadOnlySpan<byte> input, Span<byte> target)
    {
        int slot = -1;
        Http2EventKind kind;
        while ((kind = session.Read(input, head, 0, out int consumed, out var found)) != Http2EventKind.NeedMore)
        {
            if (kind == Http2EventKind.Request)
            {
                slot = found.Slot;
            }
            else if (kind == Http2EventKind.Data)
            {
                session.ConsumeData(found.Slot, found.Length);
            }

            input = input[consumed..];
        }

        if (slot >= 0)
        {
            session.WriteControl(target);
            var writer = session.BeginHead(target, slot);
            writer.Status(200);
            writer.Field("content-type"u8, "text/plain"u8);
            writer.Field("content-length"u8, 13);
            session.EndHead(slot, ref writer, endStream: false);
            session.WriteDataHeader(target, slot, 13, endStream: true);
            session.Release(slot);
        }

        session.WriteControl(target);
    }
}
