using static Spawngate.EndToEnd.Tests.Http1.SmugglingVariant;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Targets and hosts by which two parties might route to different places.</summary>
internal static class TargetVariants
{
    private static readonly (string Name, string Lines)[] BadHosts =
    [
        ("Missing", ""),
        ("Empty", "Host:\r\n"),
        ("Spaces_only", "Host:   \r\n"),
        ("Twice_the_same", Host + Host),
        ("Twice_different", Host + "Host: other.test\r\n"),
        ("Twice_different_reversed", "Host: other.test\r\n" + Host),
        ("Second_with_space_before_colon", Host + "Host : other.test\r\n"),
        ("Second_with_leading_space", Host + " Host: other.test\r\n"),
        ("Second_empty", Host + "Host:\r\n"),
        ("List", "Host: lenient.test, other.test\r\n"),
        ("Two_words", "Host: lenient.test other.test\r\n"),
        ("Tab_inside", "Host: lenient.test\tother.test\r\n"),
        ("User_information", "Host: user@lenient.test\r\n"),
        ("User_information_reversed", "Host: lenient.test@other.test\r\n"),
        ("Port_without_host", "Host: :80\r\n"),
        ("Port_in_letters", "Host: lenient.test:http\r\n"),
        ("Port_too_large", "Host: lenient.test:65536\r\n"),
        ("Port_of_six_digits", "Host: lenient.test:000080\r\n"),
        ("Port_negative", "Host: lenient.test:-1\r\n"),
        ("Two_ports", "Host: lenient.test:80:80\r\n"),
        ("Path", "Host: lenient.test/a\r\n"),
        ("Query", "Host: lenient.test?a\r\n"),
        ("Fragment", "Host: lenient.test#a\r\n"),
        ("Backslash", "Host: lenient.test\\a\r\n"),
        ("Scheme", "Host: http://lenient.test\r\n"),
        ("Quotes", "Host: \"lenient.test\"\r\n"),
        ("Unicode", "Host: l\u00c3\u00a9nient.test\r\n"),
        ("Bracket_not_closed", "Host: [::1\r\n"),
        ("Bracket_with_text_behind", "Host: [::1]x\r\n"),
        ("Bracket_with_name", "Host: [lenient.test]\r\n"),
        ("NUL_inside", "Host: lenient.test\0.other.test\r\n"),
        ("CR_inside", "Host: lenient.test\rother.test\r\n"),
        ("LF_before_value", "Host:\n lenient.test\r\n"),
        ("Folded", "Host: lenient.test\r\n .other.test\r\n"),
        ("Space_before_colon", "Host : lenient.test\r\n"),
    ];

    private static readonly (string Name, string Target)[] BadTargets =
    [
        ("Another_host", "http://other.test/{v}/a"),
        ("Another_port", "http://lenient.test:81/{v}/a"),
        ("User_information", "http://user@lenient.test/{v}/a"),
        ("User_information_hides_the_host", "http://lenient.test@other.test/{v}/a"),
        ("Backslash_in_authority", "http://lenient.test\\@other.test/{v}/a"),
        ("No_authority", "http:///{v}/a"),
        ("One_slash", "http:/{v}/a"),
        ("No_slash", "http:lenient.test/{v}/a"),
        ("Unknown_scheme", "ftp://lenient.test/{v}/a"),
        ("Empty_scheme", "://lenient.test/{v}/a"),
        ("Fragment", "/{v}/a#b"),
        ("Fragment_in_absolute_form", "http://lenient.test/{v}/a#b"),
        ("Relative", "{v}/a"),
        ("Backslash_first", "\\{v}\\a"),
        ("Authority_form", "lenient.test:80"),
        ("Asterisk", "*"),
        ("Asterisk_and_more", "*/{v}/a"),
        ("NUL", "/{v}/\0a"),
        ("DEL", "/{v}/\u007fa"),
        ("High_byte", "/{v}/\u00e4"),
        ("Space", "/{v}/a b"),
        ("CR", "/{v}/\ra"),
        ("Whole_request_inside", "/{v}/a HTTP/1.1\rHost: lenient.test\r\rGET /{v}/hidden"),
        ("Version_inside", "/{v}/a HTTP/1.0 /b"),
    ];

    private static readonly (string Name, string Target, string Seen)[] GoodTargets =
    [
        ("Absolute", "http://lenient.test/{v}/a", "/{v}/a"),
        ("Absolute_https", "https://lenient.test/{v}/a", "/{v}/a"),
        ("Absolute_upper_case", "HTTP://LENIENT.TEST/{v}/a", "/{v}/a"),
        ("Absolute_default_port", "http://lenient.test:80/{v}/a", "/{v}/a"),
        ("Absolute_query_only", "http://lenient.test?/{v}/a", "/?/{v}/a"),
        ("Two_slashes", "//other.test/{v}/a", "//other.test/{v}/a"),
        ("Dots", "/{v}/../../a", "/{v}/../../a"),
        ("Encoded_line_end", "/{v}/%0d%0aX-A:%20b", "/{v}/%0d%0aX-A:%20b"),
        ("Encoded_NUL", "/{v}/%00", "/{v}/%00"),
        ("Absolute_in_a_query", "/{v}/a?http://other.test/", "/{v}/a?http://other.test/"),
        ("Brackets_and_quotes", "/{v}/[]{}|\"<>^`", "/{v}/[]{}|\"<>^`"),
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<SmugglingVariant> All() =>
        [
            .. BadHosts.Select(each => Refuse($"Host_{each.Name}", 400, $"GET /{{v}}/a HTTP/1.1\r\n{each.Lines}\r\n{Hidden}")),
            .. BadTargets.Select(each => Refuse($"Target_{each.Name}", 400, $"GET {each.Target} HTTP/1.1\r\n{Host}\r\n{Hidden}")),
            .. GoodTargets.Select(each =>
                Pass($"Target_proper_{each.Name}", $"GET {each.Target} HTTP/1.1\r\n{Host}\r\n{Hidden}", $"GET {each.Seen}", HiddenSeen)
            ),
            Refuse("Target_absolute_without_Host", 400, $"GET http://lenient.test/{{v}}/a HTTP/1.1\r\n\r\n{Hidden}"),
            Refuse("Target_absolute_with_bad_Host", 400, $"GET http://lenient.test/{{v}}/a HTTP/1.1\r\nHost: a b\r\n\r\n{Hidden}"),
            Refuse("Target_absolute_with_two_Hosts", 400, $"GET http://lenient.test/{{v}}/a HTTP/1.1\r\n{Host}{Host}\r\n{Hidden}"),
            Refuse("Target_CONNECT", 501, $"CONNECT lenient.test:80 HTTP/1.1\r\nHost: lenient.test:80\r\n\r\n{Hidden}"),
            Refuse("Target_CONNECT_with_a_path", 501, $"CONNECT /{{v}}/a HTTP/1.1\r\n{Host}\r\n{Hidden}"),
            Pass("Host_with_port", $"GET /{{v}}/a HTTP/1.1\r\nHost: lenient.test:80\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Host_with_empty_port", $"GET /{{v}}/a HTTP/1.1\r\nHost: lenient.test:\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Host_with_trailing_dot", $"GET /{{v}}/a HTTP/1.1\r\nHost: lenient.test.\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Host_in_upper_case", $"GET /{{v}}/a HTTP/1.1\r\nHOST: LENIENT.TEST\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass(
                "Host_of_others_in_other_fields",
                $"{Get}X-Host: other.test\r\nX-Forwarded-Host: other.test\r\nForwarded: host=other.test\r\n\r\n{Hidden}",
                "GET /{v}/a",
                HiddenSeen
            ),
            PassAndClose("Target_absolute_in_HTTP_1_0_without_Host", "GET http://lenient.test/{v}/a HTTP/1.0\r\n\r\n", "GET /{v}/a"),
            PassAndClose("Requests_after_an_HTTP_1_0_one", $"GET /{{v}}/a HTTP/1.0\r\n{Host}\r\n{Hidden}", "GET /{v}/a"),
        ];
}
