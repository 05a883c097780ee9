using Spawngate.Protocols.Http2;
using static Spawngate.Protocols.Tests.Http2.ClientBytes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>RFC 9113 section 6.9, both directions.</summary>
[TestFixture]
internal sealed class FlowControlTests
{
    [Test]
    public void The_opening_tells_what_we_allow() =>
        Assert.That(new SessionRun().Opening, Is.EqualTo(new[] { "SETTINGS 5", "WINDOW 0 +196609" }));

    [Test]
    public void What_is_consumed_is_told_by_half_windows()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false }.Feed(client.Upload(1).Data(1, 16384).Data(1, 16383));
        run.Sent.Clear();
        run.Session.ConsumeData(run.Slots[1], 32767);
        run.Drain();
        Assert.That(run.Sent, Is.Empty, "one byte less than half");
        run.Feed(client.Data(1, 1));
        run.Session.ConsumeData(run.Slots[1], 1);
        run.Drain();
        Assert.That(run.Sent, Is.EqualTo(new[] { "WINDOW 1 +32768" }));
        Assert.That(
            () => run.Session.ConsumeData(run.Slots[1], 1),
            Throws.InstanceOf<ArgumentOutOfRangeException>(),
            "nothing is held any more"
        );
    }

    [Test]
    public void An_end_without_data_lies_in_its_place_behind_frames_that_say_nothing()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1).Data(1, "hello"));
        for (int i = 0; i < 20; i++)
        {
            client.Window(0, 1);
        }

        run.Feed(client.Data(1, "", end: true));
        Assert.That(run.Events[^1], Is.EqualTo("data 1 hello end"));
    }

    [Test]
    public void A_stream_may_send_its_window_and_no_byte_more()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false }.Feed(client.Upload(1).Data(1, 16384).Data(1, 16384).Data(1, 16384).Data(1, 16384));
        Assert.That(run.Session.Stream(run.Slots[1]).HeldBytes, Is.EqualTo(65536));
        run.Feed(client.Data(1, "", end: false).Data(1, 1));
        Assert.That(run.Sent[^1], Is.EqualTo("RST 1 FlowControl"));
        Assert.That(run.Events[^1], Is.EqualTo("reset 1 FlowControl"));
    }

    [Test]
    public void A_connection_may_send_its_window_and_no_byte_more()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false };
        for (int id = 1; id < 9; id += 2)
        {
            run.Feed(client.Upload(id).Data(id, 16384).Data(id, 16384).Data(id, 16384).Data(id, 16384));
        }

        Assert.That(run.Session.Failure, Is.Null);
        run.Feed(client.Upload(9).Data(9, 1));
        Assert.That(run.Events[^1], Is.EqualTo("error FlowControl"));
    }

    [Test]
    public void What_a_released_stream_held_is_given_back_to_the_connection()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false };
        for (int id = 1; id < 200; id += 2)
        {
            run.Feed(client.Upload(id).Data(id, 16384).Data(id, 16384, end: true));
            run.Finish(id);
            run.Drain();
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(
            run.Sent.Where(line => line.StartsWith("WINDOW 0", StringComparison.Ordinal))
                .Sum(line => int.Parse(line["WINDOW 0 +".Length..])),
            Is.InRange((100 * 32768) - 131072, 100 * 32768)
        );
    }

    [Test]
    public void Padding_counts_and_is_given_back_at_once()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false }.Feed(client.Upload(1));
        for (int i = 0; i < 600; i++)
        {
            run.Feed(client.Frame(FrameType.Data, 8, 1, [200, 1, .. new byte[200]]));
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(run.Session.Stream(run.Slots[1]).HeldBytes, Is.EqualTo(600));
        Assert.That(run.Sent, Has.Some.EqualTo("WINDOW 1 +32964"), "201 bytes of each frame, 164 frames");
    }

    [Test]
    public void Data_for_streams_that_we_reset_is_given_back_to_the_connection()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false };
        for (int id = 1; id < 40; id += 2)
        {
            run.Feed(client.Upload(id));
            run.Session.Reset(run.Slots[id], ErrorCode.Cancel);
            run.Feed(client.Data(id, 16384).Data(id, 16384));
            run.Release(id);
            run.Feed(client.Data(id, 16384).Data(id, 16384, end: true));
        }

        Assert.That(run.Session.Failure, Is.Null);
        Assert.That(run.Sent.Count(line => line.StartsWith("WINDOW 0 +131072", StringComparison.Ordinal)), Is.EqualTo(10));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void More_data_than_can_have_been_under_way_ends_the_connection(bool released)
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1));
        run.Session.Reset(run.Slots[1], ErrorCode.Cancel);
        if (released)
        {
            run.Release(1);
        }

        run.Feed(client.Data(1, 16384).Data(1, 16384).Data(1, 16384).Data(1, 16384));
        Assert.That(run.Session.Failure, Is.Null);
        run.Feed(client.Data(1, 1));
        Assert.That(run.Events[^1], Is.EqualTo("error StreamClosed"));
    }

    [Test]
    public void A_stream_reset_in_the_middle_of_a_frame_gets_no_more_of_it()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Upload(1));
        byte[] data = client.Data(1, "hello world", end: true).Ping().Take();
        run.Feed(data[..14]);
        Assert.That(run.Events[^1], Is.EqualTo("data 1 hello"));
        run.Release(1);
        run.Feed(data[14..]);
        Assert.That(run.Events[^1], Is.EqualTo("data 1 hello"));
        Assert.That(run.Sent, Is.EqualTo(new[] { "SETTINGS ACK", "RST 1 Internal", "PING ACK 7" }));
    }

    [Test]
    public void Windows_can_be_widened()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false }.Feed(client.Upload(1));
        run.Sent.Clear();
        run.Session.WidenWindow(run.Slots[1], 1 << 20, 4 << 20);
        run.Drain();
        Assert.That(run.Sent, Is.EqualTo(new[] { $"WINDOW 1 +{(1 << 20) - 65536}", $"WINDOW 0 +{(4 << 20) - 262144}" }));
        for (int i = 0; i < 64; i++)
        {
            run.Feed(client.Data(1, 16384));
        }

        Assert.That(run.Session.Failure, Is.Null);
        run.Feed(client.Data(1, 1));
        Assert.That(run.Sent[^1], Is.EqualTo("RST 1 FlowControl"));
    }

    [Test]
    public void We_send_what_stream_connection_and_frame_allow()
    {
        var client = Start();
        var run = new SessionRun().Feed(
            client.Settings((SettingId.InitialWindowSize, 20000), (SettingId.MaxFrameSize, 18000)).Request(1).Request(3)
        );
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.EqualTo(18000));
        run.Respond(1, 200, end: false);
        run.SendData(1, 18000, end: false);
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.EqualTo(2000));
        run.SendData(1, 2000, end: false);
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.Zero);
        Assert.That(
            () => run.Session.WriteDataHeader(new byte[9], run.Slots[1], 1, false),
            Throws.InstanceOf<ArgumentOutOfRangeException>()
        );
        run.SendData(1, 0, end: true);
        Assert.That(() => run.Session.WriteDataHeader(new byte[9], run.Slots[1], 0, false), Throws.InvalidOperationException);

        run.Feed(client.Settings((SettingId.InitialWindowSize, 1 << 20), (SettingId.MaxFrameSize, 1 << 20)));
        Assert.That(run.Session.SendQuota(run.Slots[3]), Is.EqualTo(45535), "what the connection has left");
    }

    [Test]
    public void Windows_may_go_negative_and_open_again()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Request(1));
        run.Respond(1, 200, end: false);
        run.SendData(1, 16384, end: false);
        run.Feed(client.Settings((SettingId.InitialWindowSize, 10000)));
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.Zero, "6.9.2: 10,000 - 16,384");
        run.Feed(client.Window(1, 6384));
        Assert.That(run.Events[^1], Is.EqualTo("settings"), "still shut");
        run.Feed(client.Window(1, 1));
        Assert.That(run.Events[^1], Is.EqualTo("window 1"));
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.EqualTo(1));
    }

    [Test]
    public void A_connection_that_was_shut_says_when_it_opens()
    {
        var client = Start();
        var run = new SessionRun().Feed(client.Settings((SettingId.InitialWindowSize, 1 << 20)).Request(1));
        run.Respond(1, 200, end: false);
        for (int left = 65535; left > 0; left -= Math.Min(left, 16384))
        {
            run.SendData(1, Math.Min(left, 16384), end: false);
        }

        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.Zero);
        run.Feed(client.Window(0, 5).Window(0, 5));
        Assert.That(run.Events[3..], Is.EqualTo(new[] { "window 0" }), "once");
        Assert.That(run.Session.SendQuota(run.Slots[1]), Is.EqualTo(10));
    }

    /// <summary>Updates wait for room in the outbox, and are not lost.</summary>
    [Test]
    public void Updates_that_find_no_room_are_told_later()
    {
        var client = Start();
        var run = new SessionRun { Consumes = false }.Feed(client.Upload(1).Data(1, 16384).Data(1, 16384));
        run.Sent.Clear();
        while (run.Session.TryPing(1)) { }

        run.Session.ConsumeData(run.Slots[1], 32768);
        run.Drain();
        Assert.That(run.Sent[^1], Is.EqualTo("WINDOW 1 +32768"));
        Assert.That(run.Session.Failure, Is.Null);
    }
}
