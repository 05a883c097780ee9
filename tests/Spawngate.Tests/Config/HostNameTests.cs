using Spawngate.Config;

namespace Spawngate.Tests;

/// <summary>The keys of [backends].</summary>
[TestFixture]
internal sealed class HostNameTests
{
    [TestCase("api.example.com", "api.example.com")]
    [TestCase("API.Example.COM", "api.example.com")]
    [TestCase("api.example.com.", "api.example.com")]
    [TestCase("localhost", "localhost")]
    [TestCase("my_app-1--x.local", "my_app-1--x.local")]
    [TestCase("127.0.0.1", "127.0.0.1")]
    [TestCase("[::1]", "[::1]")]
    [TestCase("[2001:DB8:0:0::1]", "[2001:db8::1]")]
    [TestCase("*", "*")]
    [TestCase("*.Example.com.", "*.example.com")]
    [TestCase("*.com", "*.com")]
    [TestCase("1and1.com", "1and1.com")]
    [TestCase("xn--bcher-kva.example", "xn--bcher-kva.example")]
    public void A_host_is_brought_into_one_form(string key, string host)
    {
        Assert.That(HostName.Normalise(key, out var normalised), Is.Null);
        Assert.That(normalised, Is.EqualTo(host));
    }

    [TestCase("", "found an empty name, allowed are a host name, an IPv4 address, an IPv6 address in brackets, *.domain and *")]
    [TestCase("example.com:8080", "found a port, allowed is \"example.com\": hosts are compared without their port")]
    [TestCase("[::1]:80", "found a port, allowed is \"[::1]\": hosts are compared without their port")]
    [TestCase("*:80", "found a port, allowed is \"*\": hosts are compared without their port")]
    [TestCase("::1", "found an IPv6 address without brackets, allowed is \"[::1]\"")]
    [TestCase(
        "http://example.com",
        "found a URL or path, allowed are a host name, an IPv4 address, an IPv6 address in brackets, *.domain and *; "
            + "requests are routed by host alone"
    )]
    [TestCase(
        "a*.example.com",
        "found \"a*.example.com\", a * may stand only for everything (\"*\") or for the labels before a domain (\"*.example.com\")"
    )]
    [TestCase(
        "*.*.com",
        "found \"*.*.com\", a * may stand only for everything (\"*\") or for the labels before a domain (\"*.example.com\")"
    )]
    [TestCase(
        "example.*",
        "found \"example.*\", a * may stand only for everything (\"*\") or for the labels before a domain (\"*.example.com\")"
    )]
    [TestCase("bücher.example", "found characters outside ASCII, allowed is the form that clients send: \"xn--bcher-kva.example\"")]
    [TestCase("*.bücher.example", "found characters outside ASCII, allowed is the form that clients send: \"*.xn--bcher-kva.example\"")]
    [TestCase("a..b", "found a label of 0 characters between dots, allowed are 1 to 63")]
    [TestCase(".", "found a label of 0 characters between dots, allowed are 1 to 63")]
    [TestCase("*.", "found \"*.\", a * may stand only for everything (\"*\") or for the labels before a domain (\"*.example.com\")")]
    [TestCase(
        "1.2.3.256",
        "found \"1.2.3.256\", which ends in a number but is no IPv4 address, allowed are a host name, an IPv4 address, "
            + "an IPv6 address in brackets, *.domain and *"
    )]
    [TestCase(
        "*.0.0.1",
        "found \"*.0.0.1\", which ends in a number but is no IPv4 address, allowed are a host name, an IPv4 address, an "
            + "IPv6 address in brackets, *.domain and *"
    )]
    [TestCase(
        "a b.com",
        "found \"a b.com\", a host name consists of letters, digits, - and _, separated by dots; allowed are a host "
            + "name, an IPv4 address, an IPv6 address in brackets, *.domain and *"
    )]
    [TestCase(
        "[::1",
        "found \"[::1\", which is no IPv6 address in brackets, allowed are a host name, an IPv4 address, an IPv6 address "
            + "in brackets, *.domain and *"
    )]
    [TestCase(
        "[127.0.0.1]",
        "found \"[127.0.0.1]\", which is no IPv6 address in brackets, allowed are a host name, an IPv4 address, an IPv6 "
            + "address in brackets, *.domain and *"
    )]
    [TestCase(
        "[fe80::1%eth0]",
        "found \"[fe80::1%eth0]\", which is no IPv6 address in brackets, allowed are a host name, an IPv4 address, an "
            + "IPv6 address in brackets, *.domain and *"
    )]
    public void A_key_that_is_no_host_is_explained(string key, string message) =>
        Assert.That(HostName.Normalise(key, out _), Is.EqualTo(message));

    [TestCase(63, true)]
    [TestCase(64, false)]
    public void A_label_is_bounded(int length, bool isAllowed) =>
        Assert.That(HostName.Normalise(new string('a', length) + ".com", out _) is null, Is.EqualTo(isAllowed));

    [TestCase(253, true)]
    [TestCase(254, false)]
    public void A_name_is_bounded(int length, bool isAllowed)
    {
        var name = string.Concat(Enumerable.Repeat("abcdefghi.", 26))[..(length - 1)].TrimEnd('.');
        name = name.PadRight(length, 'x');

        Assert.That(HostName.Normalise(name, out _) is null, Is.EqualTo(isAllowed));
    }

    [Test]
    public void A_wrong_host_is_reported_at_its_key() =>
        Assert.That(
            ConfigSource.Errors("\n[backends.\"example.com:80\"]\ncommand = 'x'\n"),
            Is.EqualTo([
                "c.toml:2:11: backends.\"example.com:80\": found a port, allowed is \"example.com\": hosts are compared without their port",
            ])
        );

    [TestCase("prot", "port", 1)]
    [TestCase("port", "port", 0)]
    [TestCase("", "port", 4)]
    [TestCase("abc", "", 3)]
    [TestCase("ca", "abc", 3)]
    [TestCase("kitten", "sitting", 3)]
    public void The_distance_counts_edits_and_swaps(string a, string b, int distance)
    {
        Assert.That(UnknownKey.Distance(a, b), Is.EqualTo(distance));
        Assert.That(UnknownKey.Distance(b, a), Is.EqualTo(distance));
    }

    [TestCase("helath_path", "health_path")]
    [TestCase("health", null)]
    [TestCase("IDLE_TIMEOUT_SECS", "idle_timeout_secs")]
    [TestCase("idle_timeout", null)]
    [TestCase("idle_timeout_sec", "idle_timeout_secs")]
    [TestCase("x", null)]
    public void Only_a_close_key_is_suggested(string name, string? suggestion) =>
        Assert.That(UnknownKey.Suggest(name, TimingKeys.All), Is.EqualTo(suggestion));
}
