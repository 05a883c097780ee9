using Spawngate.Workloads;

namespace Spawngate.Tests;

internal sealed class PortWordsTests
{
    [TestCase("$PORT", "8123")]
    [TestCase("{port}", "8123")]
    [TestCase("--port=$PORT", "--port=8123")]
    [TestCase("0.0.0.0:$PORT", "0.0.0.0:8123")]
    [TestCase("http://x:{port}/", "http://x:8123/")]
    [TestCase("$PORT/$PORT,{port}", "8123/8123,8123")]
    [TestCase("${PORT}0", "81230")]
    [TestCase("-b :${PORT:-3000} ${PORT-3000}", "-b :8123 8123")]
    [TestCase("exec app --port \"$PORT\"", "exec app --port \"8123\"")]
    [TestCase("$PORT.", "8123.")]
    [TestCase("$PORT-x", "8123-x")]
    public void The_port_takes_the_place_of_its_word(string text, string expected) => Is_(text, expected);

    [TestCase("$PORTAL")]
    [TestCase("$PORT_2")]
    [TestCase("$PORT2")]
    [TestCase("${PORTAL}")]
    [TestCase("${PORT:+x}")]
    [TestCase("${PORT:-${OTHER}}")]
    [TestCase("${PORT")]
    [TestCase("PORT {Port} {ports} { port }")]
    [TestCase("echo ${port} $port")]
    [TestCase("$")]
    [TestCase("PORT$")]
    [TestCase("{port")]
    [TestCase("")]
    public void Other_words_stay(string text) => Is_(text, text);

    [TestCase("$$PORT", "$PORT")]
    [TestCase("$${PORT}", "${PORT}")]
    [TestCase("a{{port}}b", "a{port}b")]
    [TestCase("\\$PORT", "\\$PORT")]
    [TestCase("$$PORTAL", "$$PORTAL")]
    [TestCase("$$ $PORT", "$$ 8123")]
    [TestCase("{{port}", "{8123")]
    public void What_is_escaped_stays(string text, string expected) => Is_(text, expected);

    private static void Is_(string text, string expected) => Assert.That(PortWords.Replace(text, 8123), Is.EqualTo(expected));
}
