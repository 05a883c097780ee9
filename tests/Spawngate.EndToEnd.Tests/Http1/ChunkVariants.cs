using static Spawngate.EndToEnd.Tests.Http1.SmugglingVariant;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Tricks with chunk sizes, chunk extensions, the ends of chunks, the last chunk and trailers.</summary>
internal static class ChunkVariants
{
    private const string Chunked = Post + "Transfer-Encoding: chunked\r\n\r\n";
    private const string End = "\r\n0\r\n\r\n";

    private static readonly (string Name, string Line)[] BadSizes =
    [
        ("Empty", ""),
        ("Space_after", "5 "),
        ("Tab_after", "5\t"),
        ("Space_before", " 5"),
        ("Plus", "+5"),
        ("Minus", "-5"),
        ("Hex_prefix", "0x5"),
        ("Hex_prefix_upper_case", "0X5"),
        ("Hex_suffix", "5h"),
        ("No_digit", "g"),
        ("Word", "five"),
        ("Fraction", "5.0"),
        ("Underscore", "0_5"),
        ("Comma", "5,5"),
        ("Two_numbers", "5 5"),
        ("Colon", "5:"),
        ("Quoted", "\"5\""),
        ("NUL_after", "5\0"),
        ("CR_after", "5\r"),
        ("Vertical_tab_after", "5\v"),
        ("No_break_space", "5\u00a0"),
        ("Fullwidth_digit", "\u00ef\u00bc\u0095"),
        ("Wraps_in_32_bits_but_not_in_64", "8000000000000005"),
        ("Wraps_in_64_bits", "10000000000000005"),
        ("All_ones", "ffffffffffffffff"),
        ("Twenty_digits", "00000000000000000005"),
    ];

    private static readonly (string Name, string Line)[] BadExtensions =
    [
        ("No_name", "5;"),
        ("No_name_before_value", "5;=b"),
        ("Two_semicolons", "5;;a"),
        ("Two_words", "5;a b"),
        ("Two_values", "5;a=b=c"),
        ("Value_missing", "5;a="),
        ("Quote_not_closed", "5;a=\"b"),
        ("Text_after_quote", "5;a=\"b\"c"),
        ("LF_inside", "5;a\nb"),
        ("LF_then_a_size", "5;\n5"),
        ("CR_inside", "5;a\rb"),
        ("NUL_inside", "5;a\0b"),
        ("DEL_inside", "5;a\u007f"),
        ("Line_end_in_quotes", "5;a=\"\r\n\""),
        ("Slash", "5;a/b"),
        ("Too_long", "5;a=" + new string('b', 300)),
    ];

    private static readonly (string Name, string Line)[] GoodSizes =
    [
        ("Zeros_before", "0005"),
        ("Extension", "5;a"),
        ("Extension_with_value", "5;a=b"),
        ("Extension_with_quotes", "5;a=\"b;c=d\""),
        ("Extension_with_escaped_quote", "5;a=\"\\\"\""),
        ("Extension_behind_spaces", "5 ; a = b"),
        ("Two_extensions", "5;a=b;c"),
        ("Extension_like_a_size", "5;a=6"),
    ];

    private static readonly (string Name, string Chunk)[] BadEnds =
    [
        ("Longer_than_said", "5\r\nhello!\r\n"),
        ("Shorter_than_said", "6\r\nhello\r\n"),
        ("LF_alone_after_size", "5\nhello\r\n"),
        ("LF_alone_after_data", "5\r\nhello\n"),
        ("CR_alone_after_data", "5\r\nhello\r"),
        ("Nothing_after_data", "5\r\nhello"),
        ("Two_line_ends_after_data", "5\r\nhello\r\n\r\n"),
        ("CR_CR_LF_after_data", "5\r\nhello\r\r\n"),
        ("LF_CR_after_data", "5\r\nhello\n\r"),
        ("Other_bytes_in_place_of_the_line_end", "5\r\nhelloXX"),
        ("NUL_after_data", "5\r\nhello\0\r\n"),
    ];

    private static readonly (string Name, string End)[] BadTrailers =
    [
        ("Space_before_colon", "X-A : b\r\n\r\n"),
        ("Folded_first", " X-A: b\r\n\r\n"),
        ("Folded_second", "X-A: b\r\n c\r\n\r\n"),
        ("No_colon", "X-A\r\n\r\n"),
        ("No_name", ": b\r\n\r\n"),
        ("LF_alone", "X-A: b\nX-C: d\r\n\r\n"),
        ("LF_alone_at_the_end", "X-A: b\r\n\n"),
        ("CR_inside", "X-A: b\rX-C: d\r\n\r\n"),
        ("NUL_inside", "X-A: b\0\r\n\r\n"),
        ("Control_character", "X-A: \u0001\r\n\r\n"),
        ("Request_line", Hidden),
        ("Too_long", "X-A: " + new string('b', 9000) + "\r\n\r\n"),
    ];

    private static readonly string[] DroppedTrailers =
    [
        "Content-Length: 50",
        "Transfer-Encoding: chunked",
        "Host: other.test",
        "Connection: close",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Authorization: Basic YQ==",
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<SmugglingVariant> All() =>
        [
            .. BadSizes.Select(each => Refuse($"Size_{each.Name}", 400, $"{Chunked}{each.Line}\r\nhello{End}{Hidden}")),
            .. BadExtensions.Select(each => Refuse($"Extension_{each.Name}", 400, $"{Chunked}{each.Line}\r\nhello{End}{Hidden}")),
            .. GoodSizes.Select(each =>
                Pass($"Size_proper_{each.Name}", $"{Chunked}{each.Line}\r\nhello{End}{Hidden}", "POST /{v}/a hello", HiddenSeen)
            ),
            .. BadEnds.Select(each => Refuse($"Chunk_{each.Name}", 400, $"{Chunked}{each.Chunk}0\r\n\r\n{Hidden}")),
            .. BadTrailers.Select(each => Refuse($"Trailer_{each.Name}", 400, $"{Chunked}5\r\nhello\r\n0\r\n{each.End}{Hidden}")),
            .. DroppedTrailers.Select(each =>
                Pass(
                    $"Trailer_dropped_{each.Split(':')[0]}",
                    $"{Chunked}5\r\nhello\r\n0\r\n{each}\r\n\r\n{Hidden}",
                    "POST /{v}/a hello",
                    HiddenSeen
                )
            ),
            Pass("Trailer_kept", $"{Chunked}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n{Hidden}", "POST /{v}/a hello +xsum", HiddenSeen),
            Pass("Last_chunk_of_two_zeros", $"{Chunked}5\r\nhello\r\n00\r\n\r\n{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Last_chunk_with_extension", $"{Chunked}5\r\nhello\r\n0;a=b\r\n\r\n{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass(
                "Many_small_chunks",
                Chunked + string.Concat(Enumerable.Repeat("1\r\nx\r\n", 500)) + "0\r\n\r\n" + Hidden,
                "POST /{v}/a " + new string('x', 500),
                HiddenSeen
            ),
            Refuse("Last_chunk_with_LF_alone", 400, $"{Chunked}5\r\nhello\r\n0\n\n{Hidden}"),
            Refuse("Last_chunk_with_half_a_line_end", 400, $"{Chunked}5\r\nhello\r\n0\r\n\n{Hidden}"),
            Refuse("Last_chunk_with_space", 400, $"{Chunked}5\r\nhello\r\n0 \r\n\r\n{Hidden}"),
            Refuse("Last_chunk_negative", 400, $"{Chunked}5\r\nhello\r\n-0\r\n\r\n{Hidden}"),
            Refuse("Last_chunk_in_hex", 400, $"{Chunked}5\r\nhello\r\n0x0\r\n\r\n{Hidden}"),
            Refuse("No_empty_line_after_the_last_chunk", 400, $"{Chunked}5\r\nhello\r\n0\r\n{Hidden}"),
            Refuse("Request_where_a_size_belongs", 400, $"{Chunked}{Hidden}"),
        ];
}
