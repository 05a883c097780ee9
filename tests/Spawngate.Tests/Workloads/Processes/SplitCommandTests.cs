using Spawngate.Platform;
using Spawngate.Workloads.Processes;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class SplitCommandTests
{
    [TestCase("node server.js", "; did you mean command = \"node\", args = [\"server.js\"]")]
    [TestCase(
        "node  \"my app.js\" 'a\"b' c\\ d ''",
        "; did you mean command = \"node\", args = [\"my app.js\", \"a\\\"b\", \"c d\", \"\"]"
    )]
    [TestCase("serve -l $PORT", "; did you mean command = \"serve\", args = [\"-l\", \"$PORT\"]")]
    [TestCase("NODE_ENV=test A= node x", "; did you mean command = \"node\", args = [\"x\"], env = { NODE_ENV = \"test\", A = \"\" }")]
    [TestCase("cd app && npm start", "; did you mean command = \"sh\", args = [\"-c\", \"cd app && npm start\"]")]
    [TestCase("node \"x", "; did you mean command = \"sh\", args = [\"-c\", \"node \\\"x\"]")]
    [TestCase("node ", "; did you mean command = \"node\"")]
    [TestCase("/bin/sh -c exit", "; did you mean command = \"/bin/sh\", args = [\"-c\", \"exit\"]")]
    [TestCase("/opt/no such/program", "")]
    [TestCase("node", "")]
    public void A_whole_command_line_is_taken_apart(string command, string expected) =>
        Assert.That(SplitCommand.Suggest(Command(command)), Is.EqualTo(expected));

    [Test]
    public void What_stands_in_args_already_follows() =>
        Assert.That(
            SplitCommand.Suggest(Command("python -m", "app")),
            Is.EqualTo("; did you mean command = \"python\", args = [\"-m\", \"app\"]")
        );

    [Test]
    public void A_program_with_a_blank_in_its_name_is_a_program()
    {
        using var scene = new PlatformScene();
        string program = scene.Write("my program", "#!/bin/sh\n");
        Assert.That(SplitCommand.Suggest(Command(program)), Is.Empty);
    }

    private static ChildCommand Command(string program, params string[] args) => new(program, args, PlatformScene.Environment(), null);
}
