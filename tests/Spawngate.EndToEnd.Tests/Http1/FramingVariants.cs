using static Spawngate.EndToEnd.Tests.Http1.SmugglingVariant;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>CL.TE, TE.CL, TE.TE, CL.0 and TE.0: two framings, spelt in every way that some parser takes for something else.</summary>
internal static class FramingVariants
{
    private const string Chunked = "Transfer-Encoding: chunked\r\n";
    private const string LastChunk = "0\r\n\r\n";

    /// <summary>Spellings of Transfer-Encoding; the status of a request that has nothing else.</summary>
    private static readonly (string Name, string Line, int Alone)[] Spellings =
    [
        ("Space_before_colon", "Transfer-Encoding : chunked", 400),
        ("Tab_before_colon", "Transfer-Encoding\t: chunked", 400),
        ("Leading_space", " Transfer-Encoding: chunked", 400),
        ("Leading_tab", "\tTransfer-Encoding: chunked", 400),
        ("Vertical_tab", "Transfer-Encoding: \vchunked", 400),
        ("Form_feed", "Transfer-Encoding: \fchunked", 400),
        ("NUL_before_value", "Transfer-Encoding: \0chunked", 400),
        ("NUL_after_value", "Transfer-Encoding: chunked\0", 400),
        ("CR_before_value", "Transfer-Encoding: \rchunked", 400),
        ("LF_before_value", "Transfer-Encoding:\n chunked", 400),
        ("CR_LF_CR", "Transfer-Encoding: chunked\r", 400),
        ("Folded_by_space", "Transfer-Encoding:\r\n chunked", 400),
        ("Folded_by_tab", "Transfer-Encoding:\r\n\tchunked", 400),
        ("Folded_after", "Transfer-Encoding: chunked\r\n , identity", 400),
        ("Backspace", "Transfer-Encoding: chunked\b", 400),
        ("DEL", "Transfer-Encoding: chunked\u007f", 400),
        ("No_break_space", "Transfer-Encoding: \u00a0chunked", 400),
        ("High_byte_after", "Transfer-Encoding: chunked\u00ff", 400),
        ("Kelvin_sign", "Transfer-Encoding: chun\u00e2\u0084\u00aaed", 400),
        ("Double_quoted", "Transfer-Encoding: \"chunked\"", 400),
        ("Inner_space", "Transfer-Encoding: chunk ed", 400),
        ("Space_instead_of_colon", "Transfer-Encoding chunked", 400),
        ("Equals_instead_of_colon", "Transfer-Encoding= chunked", 400),
        ("Two_colons", "Transfer-Encoding:: chunked", 400),
        ("NUL_in_name", "Transfer-Encoding\0: chunked", 400),
        ("CR_in_name", "Transfer-Encoding\r: chunked", 400),
        ("High_byte_in_name", "Transfer-Encoding\u00ff: chunked", 400),
        ("Behind_a_CR", "X-A: b\rTransfer-Encoding: chunked", 400),
        ("Behind_an_LF", "X-A: b\nTransfer-Encoding: chunked", 400),
        ("Underscore", "Transfer_Encoding: chunked", 400),
        ("Underscore_lower_case", "transfer_encoding: chunked", 400),
        ("Empty", "Transfer-Encoding:", 400),
        ("Only_a_comma", "Transfer-Encoding: ,", 400),
        ("Empty_line_after", "Transfer-Encoding: chunked\r\nTransfer-Encoding:", 400),
        ("Twice_in_a_list", "Transfer-Encoding: chunked, chunked", 400),
        ("Twice_in_two_lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Identity_after", "Transfer-Encoding: chunked, identity", 400),
        ("Identity_in_the_next_line", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
        ("Word_after", "Transfer-Encoding: chunked, cow", 400),
        ("Identity", "Transfer-Encoding: identity", 501),
        ("Identity_before", "Transfer-Encoding: identity, chunked", 501),
        ("Identity_in_the_line_before", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", 501),
        ("Word_before", "Transfer-Encoding: cow, chunked", 501),
        ("Gzip_before", "Transfer-Encoding: gzip, chunked", 501),
        ("Prefixed_word", "Transfer-Encoding: xchunked", 501),
        ("Suffixed_word", "Transfer-Encoding: chunkedx", 501),
        ("Single_quoted", "Transfer-Encoding: 'chunked'", 501),
        ("Semicolon_after", "Transfer-Encoding: chunked;", 501),
        ("Parameter", "Transfer-Encoding: chunked;q=1", 501),
        ("Zero_quality", "Transfer-Encoding: chunked;q=0", 501),
        ("Dot_after", "Transfer-Encoding: chunked.", 501),
    ];

    /// <summary>Spellings that mean chunked and nothing else.</summary>
    private static readonly (string Name, string Line)[] Proper =
    [
        ("Plain", "Transfer-Encoding: chunked"),
        ("Upper_case", "TRANSFER-ENCODING: CHUNKED"),
        ("Mixed_case", "tRaNsFeR-eNcOdInG: cHuNkEd"),
        ("No_space", "Transfer-Encoding:chunked"),
        ("Tabs_around", "Transfer-Encoding:\tchunked\t"),
        ("Spaces_after", "Transfer-Encoding: chunked   "),
        ("Comma_after", "Transfer-Encoding: chunked,"),
        ("Comma_before", "Transfer-Encoding: ,chunked"),
    ];

    /// <summary>Lengths that are not one plain number.</summary>
    private static readonly (string Name, string Lines)[] OddLengths =
    [
        ("Same_twice", "Content-Length: 5\r\nContent-Length: 5"),
        ("Smaller_first", "Content-Length: 0\r\nContent-Length: 5"),
        ("Larger_first", "Content-Length: 5\r\nContent-Length: 0"),
        ("List_of_same", "Content-Length: 5, 5"),
        ("List_of_two", "Content-Length: 5, 0"),
        ("Comma_after", "Content-Length: 5,"),
        ("Comma_before", "Content-Length: ,5"),
        ("Plus", "Content-Length: +5"),
        ("Minus", "Content-Length: -5"),
        ("Minus_zero", "Content-Length: -0"),
        ("Hexadecimal", "Content-Length: 0x5"),
        ("Fraction", "Content-Length: 5.0"),
        ("Exponent", "Content-Length: 5e0"),
        ("Underscore_between_digits", "Content-Length: 0_5"),
        ("Two_numbers", "Content-Length: 5 0"),
        ("Word_after", "Content-Length: 5 bytes"),
        ("Semicolon", "Content-Length: 5;"),
        ("Quoted", "Content-Length: \"5\""),
        ("Empty", "Content-Length:"),
        ("Letters", "Content-Length: five"),
        ("Beyond_63_bits", "Content-Length: 9223372036854775808"),
        ("Wraps_to_5_in_64_bits", "Content-Length: 18446744073709551621"),
        ("Twenty_digits", "Content-Length: 00000000000000000005"),
        ("NUL_after", "Content-Length: 5\0"),
        ("Vertical_tab", "Content-Length: \v5"),
        ("Form_feed", "Content-Length: 5\f"),
        ("No_break_space", "Content-Length: \u00a05"),
        ("Superscript", "Content-Length: \u00b2"),
        ("Fullwidth_digit", "Content-Length: \u00ef\u00bc\u0095"),
        ("Space_before_colon", "Content-Length : 5"),
        ("Tab_before_colon", "Content-Length\t: 5"),
        ("Leading_space", " Content-Length: 5"),
        ("Folded", "Content-Length:\r\n 5"),
        ("Folded_after", "Content-Length: 5\r\n 0"),
        ("Behind_a_CR", "X-A: b\rContent-Length: 5"),
        ("Behind_an_LF", "X-A: b\nContent-Length: 5"),
        ("NUL_in_name", "Content-Length\0: 5"),
        ("Underscore_in_name", "Content_Length: 5"),
        ("Underscore_beside_a_proper_one", "Content-Length: 5\r\nContent_Length: 0"),
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<SmugglingVariant> All() =>
        [
            .. Spellings.Select(each => Refuse($"TE_{each.Name}", each.Alone, $"{Post}{each.Line}\r\n\r\n{LastChunk}{Hidden}")),
            .. Spellings.Select(each =>
                Refuse($"TE_{each.Name}_then_CL", each.Alone, $"{Post}{each.Line}\r\nContent-Length: 5\r\n\r\n{LastChunk}{Hidden}")
            ),
            .. Spellings
                .Where(each => each.Line[0] is not (' ' or '\t'))
                .Select(each =>
                    Refuse($"CL_then_TE_{each.Name}", each.Alone, $"{Post}Content-Length: 5\r\n{each.Line}\r\n\r\n{LastChunk}{Hidden}")
                ),
            .. Proper.Select(each =>
                Pass($"TE_proper_{each.Name}", $"{Post}{each.Line}\r\n\r\n{LastChunk}{Hidden}", "POST /{v}/a", HiddenSeen)
            ),
            .. Proper.Select(each =>
                Refuse($"CL_TE_{each.Name}", 400, $"{Post}Content-Length: 6\r\n{each.Line}\r\n\r\n0\r\n\r\nG{Hidden}")
            ),
            .. Proper.Select(each =>
                Refuse($"TE_CL_{each.Name}", 400, $"{Post}{each.Line}\r\nContent-Length: 4\r\n\r\n5c\r\n{Hidden}\r\n{LastChunk}")
            ),
            .. OddLengths.Select(each => Refuse($"CL_{each.Name}", 400, $"{Post}{each.Lines}\r\n\r\nhello{Hidden}")),
            .. OddLengths.Select(each => Refuse($"CL_{each.Name}_and_TE", 400, $"{Post}{each.Lines}\r\n{Chunked}\r\n{LastChunk}{Hidden}")),
            .. Bodies(),
        ];

    private static IEnumerable<SmugglingVariant> Bodies()
    {
        string hidden = Hidden.Replace("{v}", "other", StringComparison.Ordinal);
        string length = $"Content-Length: {hidden.Length}\r\n\r\n{hidden}";
        string chunks = $"{Chunked}\r\n{hidden.Length:x}\r\n{hidden}\r\n{LastChunk}";
        foreach (string method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get" })
        {
            yield return Pass($"CL_0_{method}", $"{method} /{{v}}/a HTTP/1.1\r\n{Host}{length}", $"{method} /{{v}}/a {hidden}");
            yield return Pass($"TE_0_{method}", $"{method} /{{v}}/a HTTP/1.1\r\n{Host}{chunks}", $"{method} /{{v}}/a {hidden}");
        }

        yield return Pass("CL_zero_then_a_request", $"{Post}Content-Length: 0\r\n\r\n{Hidden}", "POST /{v}/a", HiddenSeen);
        yield return Pass("CL_leading_zeros", $"{Post}Content-Length: 000005\r\n\r\nhello{Hidden}", "POST /{v}/a hello", HiddenSeen);
        yield return Pass("CL_like_octal", $"{Post}Content-Length: 010\r\n\r\n0123456789{Hidden}", "POST /{v}/a 0123456789", HiddenSeen);
        yield return Pass("CL_tabs_around", $"{Post}Content-Length:\t5\t\r\n\r\nhello{Hidden}", "POST /{v}/a hello", HiddenSeen);
        yield return Pass("No_framing_at_all", $"{Post}\r\n{Hidden}", "POST /{v}/a", HiddenSeen);
        yield return Pass(
            "Similar_names_mean_nothing",
            $"{Post}X-Content-Length: 5\r\nContent-Lengths: 5\r\nX-Transfer-Encodings: chunked\r\n\r\n{Hidden}",
            "POST /{v}/a",
            HiddenSeen
        );
        yield return Pass(
            "Short_length_makes_an_odd_method_of_the_rest",
            $"{Post}Content-Length: 3\r\n\r\nhello{Hidden}",
            "POST /{v}/a hel",
            "loGET /{v}/hidden"
        );
        yield return Refuse(
            "Short_length_makes_a_bad_method_of_the_rest",
            400,
            $"{Post}Content-Length: 3\r\n\r\nhel@@{Hidden}",
            "POST /{v}/a hel"
        );
        yield return Refuse("TE_in_HTTP_1_0", 400, $"POST /{{v}}/a HTTP/1.0\r\n{Host}{Chunked}\r\n{LastChunk}{Hidden}");
        yield return Refuse(
            "TE_and_CL_in_HTTP_1_0",
            400,
            $"POST /{{v}}/a HTTP/1.0\r\n{Host}{Chunked}Content-Length: 5\r\n\r\n{LastChunk}{Hidden}"
        );
        yield return Refuse(
            "TE_in_HTTP_1_0_kept_alive",
            400,
            $"POST /{{v}}/a HTTP/1.0\r\n{Host}Connection: keep-alive\r\n{Chunked}\r\n{LastChunk}{Hidden}"
        );
    }
}
