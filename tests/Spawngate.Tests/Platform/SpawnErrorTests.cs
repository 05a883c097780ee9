using Spawngate.Platform;

namespace Spawngate.Tests;

[Platform("Linux,MacOsX")]
internal sealed class SpawnErrorTests
{
    private PlatformScene _scene = null!;

    [SetUp]
    public void SetUp() => _scene = new PlatformScene();

    [TearDown]
    public void TearDown() => _scene.Dispose();

    [Test]
    public void Unknown_name() =>
        Assert.That(Refusal("no-such-program"), Is.EqualTo("cannot execute \"no-such-program\": not found in PATH"));

    [Test]
    public void Unknown_path() => Assert.That(Refusal("/no/such/program"), Is.EqualTo("cannot execute \"/no/such/program\": not found"));

    [Test]
    public void Empty_command() => Assert.That(Refusal(""), Is.EqualTo("cannot execute \"\": the command is empty"));

    [Test]
    public void Directory_as_program() =>
        Assert.That(Refusal(_scene.Folder), Is.EqualTo($"cannot execute \"{_scene.Folder}\": is a directory"));

    [Test]
    public void File_without_execute_permission()
    {
        string file = _scene.Write("data", "#!/bin/sh\n", executable: false);
        Assert.That(Refusal(file), Is.EqualTo($"cannot execute \"{file}\": is not executable"));
    }

    [Test]
    public void File_without_execute_permission_in_PATH()
    {
        string file = _scene.Write("data", "#!/bin/sh\n", executable: false);
        var command = new ChildCommand("data", [], PlatformScene.Environment(("PATH", _scene.Folder)), null);
        Assert.That(PlatformScene.Refusal(command), Is.EqualTo($"cannot execute \"data\": {file} is not executable"));
    }

    [Test]
    public void Missing_interpreter()
    {
        string file = _scene.Write("script", "#! /no/such/interpreter -x\n");
        Assert.That(Refusal(file), Is.EqualTo($"cannot execute \"{file}\": its interpreter \"/no/such/interpreter\" was not found"));
    }

    [Test]
    public void Interpreter_line_with_a_carriage_return()
    {
        string file = _scene.Write("script", "#!/bin/sh\r\necho\r\n");
        Assert.That(Refusal(file), Is.EqualTo($"cannot execute \"{file}\": its interpreter \"/bin/sh\\r\" was not found"));
    }

    [Test]
    public void Interpreter_that_is_not_executable()
    {
        string interpreter = _scene.Write("interpreter", "text", executable: false);
        string file = _scene.Write("script", $"#!{interpreter}\n");
        Assert.That(Refusal(file), Is.EqualTo($"cannot execute \"{file}\": its interpreter \"{interpreter}\" is not executable"));
    }

    [Test]
    public void Binary_of_another_kind()
    {
        string file = _scene.Write("binary", "\u007fELF\0\0\0garbage");
        Assert.That(Refusal(file), Is.EqualTo($"cannot execute \"{file}\": is not a program that this machine can run"));
    }

    [Test]
    public void Too_long()
    {
        var command = new ChildCommand("true", [], PlatformScene.Environment(("BIG", new string('x', 200_000))), null);
        Assert.That(PlatformScene.Refusal(command), Does.EndWith("true arguments and environment are too long"));
    }

    [Test]
    public void Nul_in_an_argument() =>
        Assert.That(
            PlatformScene.Refusal(new ChildCommand("true", ["a\0b"], PlatformScene.Environment(), null)),
            Is.EqualTo("cannot execute \"true\": command, arguments and environment must not contain NUL characters")
        );

    [Test]
    public void Missing_working_directory() =>
        Assert.That(
            PlatformScene.Refusal(new ChildCommand("true", [], PlatformScene.Environment(), "/no/such/dir")),
            Is.EqualTo("cannot execute \"true\": working directory \"/no/such/dir\" not found")
        );

    [Test]
    public void Working_directory_that_is_a_file() =>
        Assert.That(
            PlatformScene.Refusal(new ChildCommand("true", [], PlatformScene.Environment(), "/etc/passwd")),
            Is.EqualTo("cannot execute \"true\": working directory \"/etc/passwd\" is not a directory")
        );

    private static string Refusal(string program) =>
        PlatformScene.Refusal(new ChildCommand(program, [], PlatformScene.Environment(), null));
}
