using System.Diagnostics;
using System.Text.Json;
using Spawngate.Protocols.Http2.Hpack;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>
/// Our HPACK against python's: it reads what we write, and we read what it writes, story after story with the state of a connection.
/// </summary>
[TestFixture]
internal sealed class HpackPeerTests
{
    private const string Python = "/usr/bin/python3";

    private static string[] Folders() => TestData.Find("hpack") is { } folder ? [Path.Combine(folder, "nghttp2")] : [];

    [TestCaseSource(nameof(Folders))]
    public void Python_reads_what_we_write_and_we_read_what_it_writes(string stories)
    {
        if (!HasPeer())
        {
            Assert.Ignore("Python's hpack (package python3-hpack) is absent.");
        }

        string[] files = [.. Directory.EnumerateFiles(stories, "story_*.json").Order(StringComparer.Ordinal)];
        using var peer = Run(Path.Combine(TestContext.CurrentContext.TestDirectory, "Http2", "Scripts", "hpack_peer.py"));
        foreach (string file in files)
        {
            AssertUnderstood(peer, Path.GetFileName(file), Turns(file));
        }

        peer.StandardInput.Close();
        peer.WaitForExit();
        Assert.That((peer.ExitCode, files.Length), Is.EqualTo((0, 32)));
    }

    private static void AssertUnderstood(Process peer, string name, List<(string Name, string Value)>[] turns)
    {
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        string[] blocks = [.. turns.Select(fields => Convert.ToHexStringLower(Encode(encoder, fields)))];
        string[][][] asked = [.. turns.Select(fields => fields.Select(field => new[] { field.Name, field.Value }).ToArray())];
        peer.StandardInput.WriteLine(JsonSerializer.Serialize(new { blocks, fields = asked }));
        peer.StandardInput.Flush();
        string? line = peer.StandardOutput.ReadLine();
        Assert.That(line, Is.Not.Null, () => peer.StandardError.ReadToEnd());
        using var answer = JsonDocument.Parse(line!);
        string[][][] decoded = answer.RootElement.GetProperty("decoded").Deserialize<string[][][]>()!;
        Assert.That(decoded, Is.EqualTo(asked), $"{name}: python reads ours");

        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        string[] theirs = answer.RootElement.GetProperty("blocks").Deserialize<string[]>()!;
        Assert.That(theirs.Select(block => Decode(decoder, Convert.FromHexString(block))), Is.EqualTo(turns), $"{name}: we read python's");
    }

    private static List<(string Name, string Value)>[] Turns(string file)
    {
        using var story = JsonDocument.Parse(File.ReadAllBytes(file));
        return
        [
            .. story
                .RootElement.GetProperty("cases")
                .EnumerateArray()
                .Select(turn =>
                    turn.GetProperty("headers")
                        .EnumerateArray()
                        .Select(header => header.EnumerateObject().Single())
                        .Select(field => (field.Name, field.Value.GetString()!))
                        .ToList()
                ),
        ];
    }

    private static bool HasPeer()
    {
        if (!File.Exists(Python))
        {
            return false;
        }

        using var trial = Process.Start(new ProcessStartInfo(Python, ["-c", "import hpack"]) { RedirectStandardError = true })!;
        trial.StandardError.ReadToEnd();
        trial.WaitForExit();
        return trial.ExitCode == 0;
    }

    private static Process Run(string script) =>
        Process.Start(
            new ProcessStartInfo(Python, [script])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
}
