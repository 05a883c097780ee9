using static Spawngate.EndToEnd.Tests.Http1.SmugglingVariant;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Line ends, control characters and white space where the grammar has none.</summary>
internal static class LineVariants
{
    private static readonly (string Name, string Bytes)[] BadHeads =
    [
        ("LF_alone_everywhere", "GET /{v}/a HTTP/1.1\nHost: lenient.test\n\n"),
        ("LF_alone_after_request_line", "GET /{v}/a HTTP/1.1\nHost: lenient.test\r\n\r\n"),
        ("LF_alone_after_a_field", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\nX-A: b\r\n\r\n"),
        ("LF_alone_at_the_end", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\n"),
        ("LF_LF_at_the_end", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\n\n"),
        ("CR_alone_after_request_line", "GET /{v}/a HTTP/1.1\rHost: lenient.test\r\n\r\n"),
        ("CR_alone_after_a_field", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\rX-A: b\r\n\r\n"),
        ("CR_CR_LF", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\r\n\r\n"),
        ("CR_CR_LF_at_the_end", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\r\n"),
        ("LF_before_the_request", "\nGET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Space_before_the_request", " GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Tab_before_the_request", "\tGET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Many_empty_lines_before", "\r\n\r\n\r\nGET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Byte_order_mark_before", "\u00ef\u00bb\u00bfGET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Line_of_spaces_as_the_end", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n  \r\n\r\n"),
        ("White_space_before_the_first_field", "GET /{v}/a HTTP/1.1\r\n Host: lenient.test\r\n\r\n"),
        ("Folded_field", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\r\n c\r\n\r\n"),
        ("Folded_into_a_length", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\r\n Content-Length: 50\r\n\r\n"),
        ("Folded_field_empty", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\r\n \r\n\r\n"),
        ("Two_spaces_after_method", "GET  /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Two_spaces_before_version", "GET /{v}/a  HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Tab_after_method", "GET\t/{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Tab_before_version", "GET /{v}/a\tHTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Space_after_version", "GET /{v}/a HTTP/1.1 \r\nHost: lenient.test\r\n\r\n"),
        ("Two_versions", "GET /{v}/a HTTP/1.1 HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("No_version", "GET /{v}/a\r\nHost: lenient.test\r\n\r\n"),
        ("Version_lower_case", "GET /{v}/a http/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Version_without_minor", "GET /{v}/a HTTP/1\r\nHost: lenient.test\r\n\r\n"),
        ("Version_with_two_digits", "GET /{v}/a HTTP/1.10\r\nHost: lenient.test\r\n\r\n"),
        ("Version_with_zero_before", "GET /{v}/a HTTP/01.1\r\nHost: lenient.test\r\n\r\n"),
        ("Version_with_space", "GET /{v}/a HTTP/ 1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Version_of_another_protocol", "GET /{v}/a ICY/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("NUL_in_method", "GE\0T /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("Colon_in_method", "GET: /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("High_byte_in_method", "G\u00cbT /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n\r\n"),
        ("NUL_in_a_value", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\0c\r\n\r\n"),
        ("NUL_at_the_end_of_a_value", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\0\r\n\r\n"),
        ("Escape_in_a_value", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: \u001b[0m\r\n\r\n"),
        ("DEL_in_a_value", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\u007f\r\n\r\n"),
        ("Vertical_tab_in_a_value", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A: b\vc\r\n\r\n"),
        ("Field_without_name", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\n: b\r\n\r\n"),
        ("Field_without_colon", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A\r\n\r\n"),
        ("Space_before_colon", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX-A : b\r\n\r\n"),
        ("Space_in_a_name", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX A: b\r\n\r\n"),
        ("NUL_in_a_name", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX\0A: b\r\n\r\n"),
        ("High_byte_in_a_name", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nX\u00e4: b\r\n\r\n"),
        ("Second_request_line_as_a_field", "GET /{v}/a HTTP/1.1\r\nHost: lenient.test\r\nGET /{v}/hidden HTTP/1.1\r\n\r\n"),
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<SmugglingVariant> All() =>
        [
            .. BadHeads.Select(each => Refuse($"Head_{each.Name}", 400, each.Bytes + Hidden)),
            .. BadHeads
                .Where(each => each.Name != "Many_empty_lines_before")
                .Select(each =>
                    Refuse(
                        $"Head_{each.Name}_pipelined",
                        400,
                        $"GET /{{v}}/first HTTP/1.1\r\n{Host}\r\n{each.Bytes}{Hidden}",
                        "GET /{v}/first"
                    )
                ),
            .. "(),/;<=>?@[\\]{}\"".Select(odd => Refuse($"Name_with_{(int)odd:x2}", 400, $"{Get}X{odd}A: b\r\n\r\n{Hidden}")),
            Pass("One_empty_line_before", $"\r\n{Get}\r\n", "GET /{v}/a"),
            Pass("One_empty_line_between", $"{Post}Content-Length: 5\r\n\r\nhello\r\n{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Obs_text_in_a_value", $"{Get}X-A: \u00e4\u00ff\u0080\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Tab_in_a_value", $"{Get}X-A: b\tc\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Method_in_lower_case_is_another_method", $"get /{{v}}/a HTTP/1.1\r\n{Host}\r\n{Hidden}", "get /{v}/a", HiddenSeen),
            Pass("Method_of_odd_tokens", $"M-SEARCH!#$ /{{v}}/a HTTP/1.1\r\n{Host}\r\n{Hidden}", "M-SEARCH!#$ /{v}/a", HiddenSeen),
            Pass("Higher_minor_version", $"GET /{{v}}/a HTTP/1.9\r\n{Host}\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Refuse("Major_version_2", 505, $"GET /{{v}}/a HTTP/2.0\r\n{Host}\r\n{Hidden}"),
            Refuse("Major_version_0", 505, $"GET /{{v}}/a HTTP/0.9\r\n{Host}\r\n{Hidden}"),
            Refuse("Nine_kilobytes_of_target", 414, $"GET /{{v}}/{new string('a', 9000)} HTTP/1.1\r\n{Host}\r\n{Hidden}"),
            Refuse("Forty_kilobytes_of_field", 431, $"{Get}X-A: {new string('a', 40_000)}\r\n\r\n{Hidden}"),
            Refuse(
                "A_hundred_and_one_fields",
                431,
                Get + string.Concat(Enumerable.Range(0, 100).Select(i => $"X-{i}: a\r\n")) + "\r\n" + Hidden
            ),
        ];
}
