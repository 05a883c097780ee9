using static Spawngate.EndToEnd.Tests.Http1.SmugglingVariant;

namespace Spawngate.EndToEnd.Tests.Http1;

/// <summary>Connection options, Expect, upgrades and pipelines that are to separate what belongs together.</summary>
internal static class ConnectionVariants
{
    private const string Body = "Content-Length: 5\r\n\r\nhello";
    private const string Chunks = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    private const string H2Settings = "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n";

    /// <summary>The fields of an upgrade that is taken up, if there is no body.</summary>
    public const string H2CTakenUp = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + H2Settings;

    /// <summary>Fields that a sender must not be able to take away by naming them.</summary>
    private static readonly string[] Nominated =
    [
        "Content-Length",
        "content-length",
        "Host",
        "Via",
        "Expect",
        "X-Forwarded-For",
        "X-Request-ID",
        "X-Forwarded-Host",
        "Connection",
        "keep-alive, Content-Length",
        ",,Content-Length,,",
    ];

    private static readonly (string Name, string Lines)[] H2C =
    [
        ("Second_of_a_list", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\n" + H2Settings),
        ("Second_line", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n" + H2Settings),
        ("With_version", "Connection: Upgrade\r\nUpgrade: h2c/2.0\r\n"),
        ("With_settings_not_named", "Connection: Upgrade\r\nUpgrade: h2c\r\n" + H2Settings),
        ("Without_Connection", "Upgrade: h2c\r\n" + H2Settings),
        ("Without_Upgrade", "Connection: Upgrade, HTTP2-Settings\r\n" + H2Settings),
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<SmugglingVariant> All() =>
        [
            .. Nominated.Select(
                (each, i) =>
                    Pass($"Nominated_{i}_with_length", $"{Post}Connection: {each}\r\n{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen)
            ),
            .. Nominated.Select(
                (each, i) =>
                    Pass($"Nominated_{i}_with_chunks", $"{Post}Connection: {each}\r\n{Chunks}{Hidden}", "POST /{v}/a hello", HiddenSeen)
            ),
            Pass(
                "Nominated_Transfer_Encoding",
                $"{Post}Connection: Transfer-Encoding\r\n{Chunks}{Hidden}",
                "POST /{v}/a hello",
                HiddenSeen
            ),
            PassAndClose(
                "Nominated_close_and_Content_Length",
                $"{Post}Connection: close, Content-Length\r\n{Body}{Hidden}",
                "POST /{v}/a hello"
            ),
            PassAndClose("Close_hides_what_follows", $"{Get}Connection: close\r\n\r\n{Hidden}", "GET /{v}/a"),
            PassAndClose("Close_and_keep_alive", $"{Get}Connection: close, keep-alive\r\n\r\n{Hidden}", "GET /{v}/a"),
            PassAndClose(
                "Keep_alive_and_close_in_two_lines",
                $"{Get}Connection: keep-alive\r\nConnection: CLOSE\r\n\r\n{Hidden}",
                "GET /{v}/a"
            ),
            Pass("Proxy_Connection_close_means_nothing", $"{Get}Proxy-Connection: close\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Refuse("Connection_not_a_token", 400, $"{Get}Connection: @\r\n\r\n{Hidden}"),
            Refuse("Connection_with_parameter", 400, $"{Get}Connection: close; x=y\r\n\r\n{Hidden}"),
            Refuse(
                "Connection_of_many_options",
                400,
                $"{Get}Connection: {string.Join(',', Enumerable.Range(0, 33).Select(i => $"x{i}"))}\r\n\r\n{Hidden}"
            ),
            .. H2C.Select(each => Pass($"H2C_{each.Name}", $"{Get}{each.Lines}\r\n{Hidden}", "GET /{v}/a", HiddenSeen)),
            Pass("H2C_with_body", $"{Post}{H2CTakenUp}{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass(
                "Upgrade_that_is_not_granted",
                $"{Get}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n{Hidden}",
                "GET /{v}/a",
                HiddenSeen
            ),
            Pass(
                "Upgrade_with_body",
                $"{Post}Connection: Upgrade\r\nUpgrade: websocket\r\n{Body}{Hidden}",
                "POST /{v}/a hello",
                HiddenSeen
            ),
            Pass(
                "Upgrade_with_chunks",
                $"{Post}Connection: Upgrade\r\nUpgrade: websocket\r\n{Chunks}{Hidden}",
                "POST /{v}/a hello",
                HiddenSeen
            ),
            PassAndClose(
                "Upgrade_in_HTTP_1_0",
                $"GET /{{v}}/a HTTP/1.0\r\n{Host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n{Hidden}",
                "GET /{v}/a"
            ),
            Pass("Expect_with_length", $"{Post}Expect: 100-continue\r\n{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Expect_with_chunks", $"{Post}Expect: 100-continue\r\n{Chunks}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Expect_upper_case", $"{Post}Expect: 100-CONTINUE\r\n{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Expect_twice", $"{Post}Expect: 100-continue\r\nExpect: 100-continue\r\n{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Expect_something_else", $"{Post}Expect: y 100-continue\r\n{Body}{Hidden}", "POST /{v}/a hello", HiddenSeen),
            Pass("Expect_without_body", $"{Get}Expect: 100-continue\r\n\r\n{Hidden}", "GET /{v}/a", HiddenSeen),
            Pass("Expect_with_empty_body", $"{Post}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n{Hidden}", "POST /{v}/a", HiddenSeen),
            PassAndClose("Expect_in_HTTP_1_0", $"POST /{{v}}/a HTTP/1.0\r\n{Host}Expect: 100-continue\r\n{Body}", "POST /{v}/a hello"),
            Refuse("Expect_folded", 400, $"{Post}Expect:\r\n 100-continue\r\n{Body}{Hidden}"),
            Pass("Pipeline_of_three", $"{Get}\r\n{Post}{Body}{Hidden}", "GET /{v}/a", "POST /{v}/a hello", HiddenSeen),
            Pass(
                "Pipeline_of_chunks_and_lengths",
                $"{Post}{Chunks}{Post}{Body}{Post}{Chunks}{Hidden}",
                "POST /{v}/a hello",
                "POST /{v}/a hello",
                "POST /{v}/a hello",
                HiddenSeen
            ),
            Pass("Pipeline_of_HEAD_and_GET", $"HEAD /{{v}}/a HTTP/1.1\r\n{Host}\r\n{Hidden}", "HEAD /{v}/a", HiddenSeen),
            Refuse("Pipeline_with_a_bad_second", 400, $"{Get}\r\nGET /{{v}}/b HTTP/1.1\r\n{Host}X-A : b\r\n\r\n{Hidden}", "GET /{v}/a"),
            Refuse("Pipeline_with_a_body_too_long", 400, $"{Post}Content-Length: 5\r\n\r\nhello::{Hidden}", "POST /{v}/a hello"),
        ];
}
