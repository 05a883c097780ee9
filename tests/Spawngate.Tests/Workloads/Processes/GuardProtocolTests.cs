using System.Text;
using Spawngate.Platform;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

internal sealed class GuardProtocolTests
{
    private static readonly InstanceToken Token = new(1, ulong.MaxValue, 0x0123456789abcdef);
    private const string Digits = "0000000000000001ffffffffffffffff0123456789abcdef";

    [Test]
    public void A_record_comes_out_as_it_went_in(
        [Values] bool isStart,
        [Values(0, 2, int.MaxValue)] int pid,
        [Values(0, 10_000, int.MaxValue)] int graceMs
    )
    {
        var record = new GuardRecord(isStart ? GuardRecordKind.Start : GuardRecordKind.End, Token, pid, graceMs);
        Assert.That(GuardRecord.Read(Bytes(record)), Is.EqualTo(record));
    }

    [TestCase(1)]
    [TestCase(-1)]
    [TestCase(int.MinValue)]
    public void A_pid_whose_group_would_be_everybody_is_no_record(int pid) =>
        Assert.That(GuardRecord.Read(Bytes(new GuardRecord(GuardRecordKind.Start, Token, pid, 0))), Is.Null);

    [Test]
    public void A_negative_grace_period_is_no_record() =>
        Assert.That(GuardRecord.Read(Bytes(new GuardRecord(GuardRecordKind.Start, Token, 0, -1))), Is.Null);

    [Test]
    public void Other_bytes_are_no_record([Values(0, 'x', 0x2B00)] int kind)
    {
        byte[] bytes = Bytes(new GuardRecord(GuardRecordKind.Start, Token, 7, 1));
        BitConverter.TryWriteBytes(bytes, kind);
        Assert.That(GuardRecord.Read(bytes), Is.Null);
        Assert.That(new GuardList(static _ => 0).Take(bytes), Is.False);
    }

    [Test]
    public void The_list_follows_the_records_in_pieces_of_any_size([Range(1, 3 * GuardRecord.Bytes)] int piece)
    {
        var gone = new InstanceToken(9, 9, 9);
        byte[] stream =
        [
            .. Bytes(new GuardRecord(GuardRecordKind.Start, gone, 0, 5)),
            .. Bytes(new GuardRecord(GuardRecordKind.Start, Token, 0, 1000)),
            .. Bytes(new GuardRecord(GuardRecordKind.Start, gone, 99, 5)),
            .. Bytes(new GuardRecord(GuardRecordKind.Start, Token, 42, 1000)),
            .. Bytes(new GuardRecord(GuardRecordKind.End, gone, 0, 0)),
        ];
        var list = new GuardList(static pid => pid * 100);
        foreach (byte[] bytes in stream.Chunk(piece))
        {
            Assert.That(list.Take(bytes), Is.True);
        }

        Assert.That(list.Instances, Is.EqualTo(new Dictionary<InstanceToken, GuardedInstance> { [Token] = new(42, 4200, 1000) }));
    }

    [Test]
    public void An_expected_run_is_on_the_list_without_a_process()
    {
        var list = new GuardList(static _ => throw new InvalidOperationException("nothing to look at"));
        list.Take(Bytes(new GuardRecord(GuardRecordKind.Start, Token, 0, 1)));
        Assert.That(list.Instances[Token], Is.EqualTo(new GuardedInstance(0, 0, 1)));
    }

    [Test]
    public void Ten_thousand_records_allocate_nothing_once_the_table_has_its_size()
    {
        var list = new GuardList(static _ => 1);
        byte[] start = Bytes(new GuardRecord(GuardRecordKind.Start, Token, 42, 1000));
        byte[] end = Bytes(new GuardRecord(GuardRecordKind.End, Token, 0, 0));
        Assert.That(Allocations.Least(Feed), Is.Zero);

        void Feed()
        {
            for (int i = 0; i < 5_000; i++)
            {
                list.Take(start);
                list.Take(end);
            }
        }
    }

    [TestCase("http://127.0.0.1:9999/ready/app.test?token=" + Digits, true)]
    [TestCase("token=" + Digits, true)]
    [TestCase("http://h/?token=other&token=" + Digits, true)]
    [TestCase("http://h/?token=" + Digits + "0", false)]
    [TestCase("http://h/?token=" + Digits + "&x=1", false)]
    [TestCase("http://h/?token=g000000000000001ffffffffffffffff0123456789abcdef", false)]
    [TestCase("http://h/" + Digits, false)]
    [TestCase("", false)]
    public void The_token_is_read_from_the_ready_URL(string url, bool isToken) =>
        Assert.That(InstanceToken.OfReadyUrl(url), Is.EqualTo(isToken ? Token : (InstanceToken?)null));

    [TestCase("PATH=/bin|SERVERLESS_PROXY_READY_URL=http://h/?token=" + Digits + "|", true)]
    [TestCase("SERVERLESS_PROXY_READY_URL=http://h/?token=" + Digits + "|HOME=/|", true)]
    [TestCase("SERVERLESS_PROXY_READY_URL=nothing|A=1|SERVERLESS_PROXY_READY_URL=http://h/?token=" + Digits + "|", true)]
    [TestCase("SERVERLESS_PROXY_READY_URL=http://h/?token=" + Digits, false)]
    [TestCase("READY_URL=http://h/?token=" + Digits + "|", false)]
    [TestCase("SERVERLESS_PROXY_READY_URL=|X=token=" + Digits + "|", false)]
    [TestCase("", false)]
    public void The_token_is_found_in_an_environment(string environment, bool isThere)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(environment.Replace('|', '\0'));
        Assert.That(InstanceToken.Find(bytes), Is.EqualTo(isThere ? Token : (InstanceToken?)null));
    }

    private static byte[] Bytes(GuardRecord record)
    {
        byte[] bytes = new byte[GuardRecord.Bytes];
        record.Write(bytes);
        return bytes;
    }
}
