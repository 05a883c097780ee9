using Spawngate.Commands;

namespace Spawngate.Tests;

/// <summary>What <c>spawngate check</c> warns of: what may be right tomorrow.</summary>
[Platform("Linux,MacOsX")]
internal sealed class CheckCommandTests
{
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public void A_program_that_is_not_there_is_a_warning()
    {
        _scene.Write("here.sh", "#!/bin/sh\n");
        _scene.Write("tool", "#!/bin/sh\n");
        _scene.Write("plain", "text", executable: false);
        string file = _scene.Write(
            "c.toml",
            $$"""
            [backends."good.test"]
            command = "sh"
            [backends."self.test"]
            command = "spawngate"
            [backends."relative.test"]
            command = "./here.sh"
            working_dir = "{{_scene.Folder}}"
            [backends."path.test"]
            command = "tool"
            env = { PATH = "{{_scene.Folder}}" }
            [backends."a.test"]
            command = "no-such-node server.js"
            [backends."b.test"]
            command = "./gone.sh"
            working_dir = "{{_scene.Folder}}"
            [backends."c.test"]
            command = "{{_scene.Folder}}/plain"
            [backends."d.test"]
            command = "{{_scene.Folder}}"
            """
        );
        var output = new StringWriter();
        var errors = new StringWriter();
        var console = new CommandConsole(() => output, () => errors, static _ => null, CancellationToken.None);
        Assert.That(RunCommand.Check(file, console), Is.Zero);
        Assert.That(
            errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => line.Contains("command: ")),
            Is.EqualTo([
                $"{file}:11:1: warning: backends.\"a.test\": command: cannot execute \"no-such-node server.js\": not found in PATH; did "
                    + "you mean command = \"no-such-node\", args = [\"server.js\"]",
                $"{file}:13:1: warning: backends.\"b.test\": command: cannot execute \"./gone.sh\": not found",
                $"{file}:16:1: warning: backends.\"c.test\": command: cannot execute \"{_scene.Folder}/plain\": is not executable",
                $"{file}:18:1: warning: backends.\"d.test\": command: cannot execute \"{_scene.Folder}\": is a directory",
            ])
        );
    }
}
