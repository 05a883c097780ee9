using FsCheck;
using FsCheck.Fluent;
using Spawngate.Protocols.Http2.Hpack;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>RFC 7541: its appendix C byte for byte, and each rule on both sides of its line.</summary>
[TestFixture]
internal sealed class HpackTests
{
    private static readonly (string, string)[] FirstRequest =
    [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "www.example.com"),
    ];
    private static readonly (string, string)[] SecondRequest = [.. FirstRequest, ("cache-control", "no-cache")];
    private static readonly (string, string)[] ThirdRequest =
    [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/index.html"),
        (":authority", "www.example.com"),
        ("custom-key", "custom-value"),
    ];

    private static readonly (string, string)[] FirstResponse =
    [
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];

    private static readonly (string, string)[] SecondResponse =
    [
        (":status", "307"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];

    private static readonly (string, string)[] ThirdResponse =
    [
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
    ];

    [TestCase("0a", 5, 10, TestName = "C.1.1: 10 with a 5-bit prefix")]
    [TestCase("1f9a0a", 5, 1337, TestName = "C.1.2: 1337 with a 5-bit prefix")]
    [TestCase("2a", 8, 42, TestName = "C.1.3: 42 at a byte's boundary")]
    [TestCase("1f00", 5, 31, TestName = "A prefix that is full, and 0")]
    [TestCase("7fffffff7f", 7, 127 + 0xFFFFFFF, TestName = "The longest")]
    [TestCase("1f80808000", 5, 31, TestName = "Zeros at the end are allowed up to the longest")]
    public void Integers_are_read(string hex, int prefix, int expected)
    {
        byte[] bytes = Hex(hex);
        int at = 0;

        Assert.That(HpackInteger.TryRead(bytes, ref at, prefix, out int value), Is.True);
        Assert.That((value, at), Is.EqualTo((expected, bytes.Length)));
    }

    [TestCase("", TestName = "Nothing")]
    [TestCase("1f", TestName = "Cut behind the prefix")]
    [TestCase("1f9a", TestName = "Cut in the middle")]
    [TestCase("1fffffffff00", TestName = "One byte too long")]
    public void Integers_are_refused(string hex)
    {
        int at = 0;
        Assert.That(HpackInteger.TryRead(Hex(hex), ref at, 5, out _), Is.False);
    }

    [Test]
    public void Integers_are_written_as_they_are_read()
    {
        byte[] target = new byte[6];
        for (int prefix = 1; prefix <= 8; prefix++)
        {
            foreach (int value in (int[])[0, 1, 30, 31, 32, 126, 127, 128, 254, 255, 256, 1337, 16383, 16384, 65535, 1 << 20, 0xFFFFFFF])
            {
                int length = HpackInteger.Write(target, 0, prefix, value);
                int at = 0;
                Assert.That(
                    HpackInteger.TryRead(target.AsSpan(0, length), ref at, prefix, out int read) && read == value && at == length,
                    $"{value} in {prefix}"
                );
            }
        }
    }

    [TestCase(
        "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
        "custom-key",
        "custom-header",
        55,
        TestName = "C.2.1: literal that is indexed"
    )]
    [TestCase("040c2f73616d706c652f70617468", ":path", "/sample/path", 0, TestName = "C.2.2: literal")]
    [TestCase("100870617373776f726406736563726574", "password", "secret", 0, TestName = "C.2.3: literal never indexed")]
    [TestCase("82", ":method", "GET", 0, TestName = "C.2.4: indexed")]
    public void Representations(string hex, string name, string value, int tableSize)
    {
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        Assert.That(Decode(decoder, Hex(hex)), Is.EqualTo(new[] { (name, value) }));
        Assert.That(decoder.TableSize, Is.EqualTo(tableSize));
    }

    [Test]
    public void Never_indexed_is_told()
    {
        foreach (
            var (hex, expected) in new[]
            {
                ("100870617373776f726406736563726574", true),
                ("000870617373776f726406736563726574", false),
                ("400870617373776f726406736563726574", false),
                ("82", false),
            }
        )
        {
            var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
            byte[] block = Hex(hex);
            int at = 0;
            decoder.Begin(block.Length);
            Assert.That(decoder.Next(block, ref at, out var field), Is.EqualTo(HpackStatus.Field));
            Assert.That(field.NeverIndexed, Is.EqualTo(expected), hex);
            decoder.End();
        }
    }

    [Test]
    public void Appendix_C3_requests_without_huffman() =>
        AssertBlocks(
            4096,
            ("828684410f7777772e6578616d706c652e636f6d", FirstRequest, 57),
            ("828684be58086e6f2d6361636865", SecondRequest, 110),
            ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", ThirdRequest, 164)
        );

    [Test]
    public void Appendix_C4_requests_with_huffman() =>
        AssertBlocks(
            4096,
            ("828684418cf1e3c2e5f23a6ba0ab90f4ff", FirstRequest, 57),
            ("828684be5886a8eb10649cbf", SecondRequest, 110),
            ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", ThirdRequest, 164)
        );

    [Test]
    public void Appendix_C5_responses_without_huffman() =>
        AssertBlocks(
            256,
            (
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f"
                    + "7777772e6578616d706c652e636f6d",
                FirstResponse,
                222
            ),
            ("4803333037c1c0bf", SecondResponse, 222),
            (
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b42"
                    + "5a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
                ThirdResponse,
                215
            )
        );

    [Test]
    public void Appendix_C6_responses_with_huffman() =>
        AssertBlocks(
            256,
            (
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                FirstResponse,
                222
            ),
            ("4883640effc1c0bf", SecondResponse, 222),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f"
                    + "3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                ThirdResponse,
                215
            )
        );

    [Test]
    public void Our_requests_are_those_of_appendix_C4()
    {
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        Assert.That(Convert.ToHexStringLower(Encode(encoder, FirstRequest)), Is.EqualTo("828684418cf1e3c2e5f23a6ba0ab90f4ff"));
        Assert.That(Convert.ToHexStringLower(Encode(encoder, SecondRequest)), Is.EqualTo("828684be5886a8eb10649cbf"));
        Assert.That(
            Convert.ToHexStringLower(Encode(encoder, ThirdRequest)),
            Is.EqualTo("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")
        );
    }

    [TestCase("80", TestName = "Index 0 (6.1)")]
    [TestCase("be", TestName = "Index behind the table (2.3.3)")]
    [TestCase("7f0001", TestName = "Name behind the table")]
    [TestCase("ffffffffff7f", TestName = "Index that is no integer")]
    [TestCase("40", TestName = "Literal without a name")]
    [TestCase("4001", TestName = "Name cut")]
    [TestCase("400161", TestName = "Literal without a value")]
    [TestCase("40016103", TestName = "Value cut")]
    [TestCase("400161026161 80", TestName = "Good, then bad")]
    [TestCase("8220", TestName = "Size update behind a field (4.2)")]
    [TestCase("202020", TestName = "Three size updates (4.2)")]
    [TestCase("3fe21f", TestName = "Size update above the limit (6.3)")]
    public void Blocks_are_refused(string hex) => Assert.That(Decode(new HpackDecoder(CodecLimits.HpackTableBytes), Hex(hex)), Is.Null);

    [TestCase("20", 0)]
    [TestCase("3fe11f", 4096)]
    [TestCase("203fe11f82", 4096)]
    [TestCase("3f00 3f01", 32)]
    public void Size_updates_are_taken(string hex, int sizeMax)
    {
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        Assert.That(Decode(decoder, Hex(hex)), Is.Not.Null);
        int fits = sizeMax - 32 - 1;
        if (fits > 0)
        {
            Decode(decoder, [0x40, 1, (byte)'a', .. LengthAnd(fits)]);
            Assert.That(decoder.TableSize, Is.EqualTo(sizeMax), "an entry of exactly that size");
        }

        Decode(decoder, [0x40, 1, (byte)'a', .. LengthAnd(Math.Max(0, fits + 1))]);
        Assert.That(decoder.TableSize, Is.Zero, "one byte more empties the table (4.4)");
    }

    [Test]
    public void A_lowered_limit_has_to_be_taken_up()
    {
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        decoder.SetTableSizeLimit(100);
        Assert.That(Decode(decoder, [0x82]), Is.Null, "no update (4.2)");

        decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        decoder.SetTableSizeLimit(100);
        Assert.That(Decode(decoder, [0x3f, 69, 0x82]), Has.Count.EqualTo(1), "100 is the limit");
        Assert.That(Decode(decoder, [0x82]), Has.Count.EqualTo(1), "once is enough");
        Assert.That(Decode(decoder, [0x3f, 70]), Is.Null, "101 is above it");
    }

    [Test]
    public void The_encoder_tells_the_smallest_and_the_last_size()
    {
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        Encode(encoder, [("a", "b")]);
        Assert.That(encoder.TableSize, Is.EqualTo(34));
        encoder.SetTableSizeLimit(4096);
        Assert.That(Encode(encoder, []), Is.Empty, "nothing changed");
        encoder.SetTableSizeLimit(10);
        encoder.SetTableSizeLimit(0);
        encoder.SetTableSizeLimit(100);
        Assert.That(encoder.TableSize, Is.Zero);
        Assert.That(Encode(encoder, []), Is.EqualTo(new byte[] { 0x20, 0x3f, 69 }));
        Assert.That(Encode(encoder, []), Is.Empty);
        encoder.SetTableSizeLimit(uint.MaxValue);
        Assert.That(Encode(encoder, []), Is.EqualTo(new byte[] { 0x3f, 0xe1, 0x1f }), "never more than our own 4,096");
    }

    [TestCase("set-cookie", "a=b", 0x1f)]
    [TestCase("authorization", "Basic eA==", 0x1f)]
    [TestCase("content-length", "123456", 0x0f)]
    [TestCase("etag", "\"1\"", 0x0f)]
    [TestCase("x-request-id", "0123", 0x40)]
    [TestCase("content-type", "text/plain", 0x5f)]
    [TestCase("x-powered-by", "us", 0x40)]
    public void Secrets_and_what_changes_stay_out_of_the_table(string name, string value, int firstByte)
    {
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        byte[] block = Encode(encoder, [(name, value)]);
        Assert.That(block[0], Is.EqualTo(firstByte));
        Assert.That(encoder.TableSize > 0, Is.EqualTo(firstByte >= 0x40));
        byte[] again = Encode(encoder, [(name, value + "x")]);
        Assert.That(again[0] >= 0x40, Is.EqualTo(name is "content-type" or "x-powered-by"), "the next value");
        Assert.That(
            Decode(new HpackDecoder(CodecLimits.HpackTableBytes), [.. block, .. again]),
            Is.EqualTo(new[] { (name, value), (name, value + "x") })
        );
    }

    [Test]
    public void A_large_field_does_not_evict_all_others()
    {
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        Encode(encoder, [("a", new string('x', 1024 - 33))]);
        Assert.That(encoder.TableSize, Is.EqualTo(1024), "a quarter of the table enters");
        Encode(encoder, [("b", new string('x', 1024 - 32))]);
        Assert.That(encoder.TableSize, Is.EqualTo(1024), "more does not");
    }

    [Test]
    public void Every_symbol_is_coded_and_decoded()
    {
        for (int symbol = 0; symbol < 256; symbol++)
        {
            foreach (int count in (int[])[1, 2, 3, 7, 8, 33])
            {
                byte[] text = [.. Enumerable.Repeat((byte)symbol, count)];
                AssertHuffman(text);
                AssertHuffman([(byte)'a', .. text, (byte)'~']);
            }
        }
    }

    [Test]
    public void Any_text_is_coded_and_decoded() =>
        Prop.ForAll(
                Gen.ListOf(Gen.OneOf(Gen.Choose(0, 255), Gen.Choose(32, 126)))
                    .Select(list => list.Select(b => (byte)b).ToArray())
                    .ToArbitrary(),
                text =>
                {
                    AssertHuffman(text);
                    return true;
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(1000));

    [TestCase("07", "0", TestName = "Padding of 3 ones (5.2)")]
    [TestCase("ff", null, TestName = "Padding of 8 ones")]
    [TestCase("07ff", null, TestName = "Padding of 11 ones")]
    [TestCase("06", null, TestName = "Padding with a zero")]
    [TestCase("00", null, TestName = "Padding with zeros")]
    [TestCase("fffffffc", null, TestName = "The end-of-string code")]
    [TestCase("ffffffff", null, TestName = "The end-of-string code and ones")]
    [TestCase("1fffffffff", null, TestName = "The end-of-string code behind a letter")]
    [TestCase("fffffff3", "\n", TestName = "A code of 30 bits")]
    [TestCase("fffffffb", "\x16", TestName = "The last code before the end-of-string")]
    [TestCase("", "", TestName = "Nothing")]
    public void Huffman_padding(string hex, string? expected)
    {
        byte[] coded = Hex(hex);
        byte[] target = new byte[HuffmanCode.DecodedLengthMax(coded.Length)];
        bool decoded = HuffmanCode.TryDecode(coded, target, out int length);
        Assert.That(decoded ? Latin(target.AsSpan(0, length)) : null, Is.EqualTo(expected));
    }

    [Test]
    public void Any_bytes_give_fields_or_are_refused() =>
        Prop.ForAll(
                Gen.ListOf(Gen.OneOf(Gen.Choose(0, 255), Gen.Elements(0x82, 0x40, 0x01, 0x61, 0xbe, 0x20, 0x3f, 0x85)))
                    .Select(list => list.Select(b => (byte)b).ToArray())
                    .ToArbitrary(),
                block =>
                {
                    var fields = Decode(new HpackDecoder(CodecLimits.HpackTableBytes), block);
                    return fields is null || fields.Count <= block.Length;
                }
            )
            .Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

    /// <summary>Both tables see the same evictions, whatever is put in and however large they are.</summary>
    [Test]
    public void Any_fields_are_told_on_small_tables()
    {
        var names = Gen.Elements("a", "content-type", "x-custom", "x-request-id", "set-cookie", "via", "a-rather-long-name-of-a-field");
        var field =
            from name in names
            from length in Gen.Choose(0, 60)
            from letter in Gen.Elements('x', 'y', '\xff')
            select (name, new string(letter, length));
        var blocks = Gen.ListOf(
            from size in Gen.Elements(-1, -1, -1, 0, 40, 100, 200, 4096)
            from fields in Gen.ListOf(field)
            select (size, fields.ToArray())
        );
        Prop.ForAll(blocks.ToArbitrary(), story =>
            {
                var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
                var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
                foreach (var (size, fields) in story)
                {
                    if (size >= 0)
                    {
                        encoder.SetTableSizeLimit((uint)size);
                        decoder.SetTableSizeLimit(size);
                    }

                    Assert.That(Decode(decoder, Encode(encoder, fields)), Is.EqualTo(fields));
                    Assert.That(decoder.TableSize, Is.EqualTo(encoder.TableSize));
                }
            })
            .Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    /// <summary>
    /// RFC 7541 section 4.4: the name may be that of the entry which the insertion evicts, also when the table moves its text.
    /// </summary>
    [Test]
    public void A_name_may_come_from_the_entry_it_evicts()
    {
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        string name = new('n', 1500);
        Decode(decoder, [0x3f, 0xe1, 0x0f, 0x40, .. LengthAnd(1500, 'n'), .. LengthAnd(400)]);
        for (int i = 0; i < 20; i++)
        {
            Assert.That(Decode(decoder, [0x7e, .. LengthAnd(400 + i)]), Is.EqualTo(new[] { (name, new string('v', 400 + i)) }));
            Assert.That(decoder.TableCount, Is.EqualTo(1));
        }
    }

    /// <summary>The text grows and moves with entries of any sizes, and none is lost.</summary>
    [Test]
    public void Entries_of_all_sizes_find_room()
    {
        int[] sizes = [1, 30, 300, 476, 700, 1023, 1500, 1600, 2000, 3000, 4063];
        foreach (int first in sizes)
        {
            foreach (int second in sizes)
            {
                var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
                Decode(decoder, [0x40, 1, (byte)'a', .. LengthAnd(first, 'x')]);
                for (int i = 0; i < 3; i++)
                {
                    Decode(decoder, [0x40, 1, (byte)'b', .. LengthAnd(second, 'y')]);
                    Decode(decoder, [0x7E, .. LengthAnd(first, 'z')]);
                    Assert.That(Decode(decoder, [0xBE]), Is.EqualTo(new[] { ("b", new string('z', first)) }), $"{first} and {second}");
                    bool fits = first + second + 66 <= CodecLimits.HpackTableBytes;
                    Assert.That(
                        Decode(decoder, [0xBF]),
                        Is.EqualTo(fits ? new[] { ("b", new string('y', second)) } : null),
                        $"{first} and {second}"
                    );
                }
            }
        }
    }

    [Test]
    public void A_full_text_makes_room_for_an_entry_longer_than_itself()
    {
        // 1,024 + 701 bytes at first, all of them in use, then 2,001 more.
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        Decode(
            decoder,
            [
                0x40,
                1,
                (byte)'a',
                .. LengthAnd(700, 'x'),
                0x40,
                1,
                (byte)'b',
                .. LengthAnd(1023, 'y'),
                0x40,
                1,
                (byte)'c',
                .. LengthAnd(2000, 'z'),
            ]
        );
        Assert.That(
            Decode(decoder, [0xC0, 0xBF, 0xBE]),
            Is.EqualTo(new[] { ("a", new string('x', 700)), ("b", new string('y', 1023)), ("c", new string('z', 2000)) })
        );
    }

    private static byte[] LengthAnd(int length, char letter = 'v')
    {
        byte[] prefix = new byte[6];
        int used = HpackInteger.Write(prefix, 0, 7, length);
        return [.. prefix[..used], .. Enumerable.Repeat((byte)letter, length)];
    }

    private static void AssertHuffman(byte[] text)
    {
        byte[] coded = new byte[HuffmanCode.EncodedLength(text)];
        Assert.That(HuffmanCode.Encode(text, coded), Is.EqualTo(coded.Length));
        byte[] target = new byte[HuffmanCode.DecodedLengthMax(coded.Length)];
        Assert.That(HuffmanCode.TryDecode(coded, target, out int length), Is.True);
        Assert.That(target.AsSpan(0, length).SequenceEqual(text), Is.True);
    }

    private static void AssertBlocks(int tableSize, params (string Hex, (string, string)[] Fields, int TableSize)[] blocks)
    {
        var decoder = new HpackDecoder(tableSize);
        foreach (var (hex, fields, size) in blocks)
        {
            Assert.That(Decode(decoder, Hex(hex)), Is.EqualTo(fields));
            Assert.That(decoder.TableSize, Is.EqualTo(size));
        }
    }
}
