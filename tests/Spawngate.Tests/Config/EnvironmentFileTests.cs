using System.Text;
using Spawngate.Config;

namespace Spawngate.Tests;

/// <summary>The cases are those of systemd's own tests of <c>EnvironmentFile=</c>, and what is an error here.</summary>
[TestFixture]
internal sealed class EnvironmentFileTests
{
    private static string Parse(string text)
    {
        var variables = EnvironmentFile.Parse(Encoding.UTF8.GetBytes(text), out string? problem);
        return problem ?? string.Join('|', variables.Select(static variable => $"{variable.Key}={variable.Value}"));
    }

    [TestCase("a=a\nb=b\\\nc\nd=d\\\ne\\\nf", "a=a|b=bc|d=def")]
    [TestCase("# comment\n; another\n\na=1\n  b=2\n", "a=1|b=2")]
    [TestCase("a = b c \n", "a=b c")]
    [TestCase("a=\"b c \" \nd='e\\f'\n", "a=b c |d=e\\f")]
    [TestCase("a=\"x\\\"y\\\\z\\$q\\`\\n\"", "a=x\"y\\z$q`\\n")]
    [TestCase("a='x'\"y\" 'z'", "a=xyz")]
    [TestCase("a=x'y'", "a=x'y'")]
    [TestCase("a=\"two\nlines\"", "a=two\nlines")]
    [TestCase("a=\"joined\\\nlines\"", "a=joinedlines")]
    [TestCase("a=\\'x\\ \\\\", "a='x \\")]
    [TestCase("a=x # no comment", "a=x # no comment")]
    [TestCase("a=\nb=", "a=|b=")]
    [TestCase("a=1\r\nb=2\r\n", "a=1|b=2")]
    [TestCase("a=b=c", "a=b=c")]
    [TestCase("\uFEFFa=ü", "a=ü")]
    [TestCase("a=\\", "a=")]
    [TestCase("", "")]
    public void It_is_read_as_systemd_reads_it(string text, string variables) => Assert.That(Parse(text), Is.EqualTo(variables));

    [TestCase("a=1\nsecret\n", "2: found no =, allowed are lines KEY=VALUE, comments that begin with # or ;, and empty lines")]
    [TestCase(
        "a=1\n\nexport b=2",
        "3: found a name that is none, allowed are letters, digits and _, the first no digit; this is no shell script, leave out export"
    )]
    [TestCase("a.b=1", "1: found a name that is none, allowed are letters, digits and _, the first no digit")]
    [TestCase("=1", "1: found a name that is none, allowed are letters, digits and _, the first no digit")]
    [TestCase("x=0\na=\"open\nb=1\n", "2: found a quote (\") that is not closed")]
    [TestCase("a='open", "1: found a quote (') that is not closed")]
    [TestCase("a=x\0y", "1: found a value that contains NUL, allowed is one without it")]
    public void A_mistake_is_told_with_its_line(string text, string problem) => Assert.That(Parse(text), Is.EqualTo(problem));

    [Test]
    public void No_message_has_a_value()
    {
        foreach (string text in (string[])["s3cret", "a='s3cret", "a=s3cret\0", "a b=s3cret"])
        {
            Assert.That(Parse(text), Does.Not.Contain("s3cret"));
        }
    }

    [Test]
    public void Only_an_optional_file_may_be_missing()
    {
        Assert.That(EnvironmentFile.Read("/no/such/file", isOptional: true, out string? problem), Is.Empty);
        Assert.That(problem, Is.Null);
        Assert.That(EnvironmentFile.Read("/no/such/file", isOptional: false, out problem), Is.Empty);
        Assert.That(problem, Is.EqualTo("/no/such/file: found no such file"));
    }
}
