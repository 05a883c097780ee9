using System.Text.Json;
using Spawngate.Protocols.Http2.Hpack;
using static Spawngate.Protocols.Tests.Http2.HpackCodes;

namespace Spawngate.Protocols.Tests.Http2;

/// <summary>The public HPACK stories: each is decoded on one table, and its fields are encoded by ours and decoded again.</summary>
[TestFixture]
internal sealed class HpackVectorTests
{
    private static IEnumerable<TestCaseData> Stories()
    {
        string? folder = TestData.Find("hpack");
        if (folder is null)
        {
            yield break;
        }

        foreach (string file in Directory.EnumerateFiles(folder, "story_*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            yield return new TestCaseData(file).SetName("hpack/" + Path.GetRelativePath(folder, file));
        }
    }

    [TestCaseSource(nameof(Stories))]
    public void A_story_is_decoded_and_told_again(string file)
    {
        using var story = JsonDocument.Parse(File.ReadAllBytes(file));
        var decoder = new HpackDecoder(CodecLimits.HpackTableBytes);
        var encoder = new HpackEncoder(CodecLimits.HpackTableBytes);
        var listener = new HpackDecoder(CodecLimits.HpackTableBytes);
        foreach (var turn in story.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (turn.TryGetProperty("header_table_size", out var size))
            {
                decoder.SetTableSizeLimit(size.GetInt32());
                encoder.SetTableSizeLimit(size.GetUInt32());
                listener.SetTableSizeLimit(Math.Min(CodecLimits.HpackTableBytes, size.GetInt32()));
            }

            var expected = turn.GetProperty("headers")
                .EnumerateArray()
                .Select(header => header.EnumerateObject().Single())
                .Select(field => (Name: field.Name, Value: field.Value.GetString()!))
                .ToList();
            string what = $"case {turn.GetProperty("seqno")}";
            Assert.That(Decode(decoder, Hex(turn.GetProperty("wire").GetString()!)), Is.EqualTo(expected), what);
            Assert.That(Decode(listener, Encode(encoder, expected)), Is.EqualTo(expected), what);
            Assert.That(listener.TableSize, Is.EqualTo(encoder.TableSize), what);
        }
    }
}
