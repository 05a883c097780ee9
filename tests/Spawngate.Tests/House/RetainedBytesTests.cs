namespace Spawngate.Tests;

/// <summary>That what is counted is what the collector counts.</summary>
internal sealed class RetainedBytesTests
{
    private sealed record Node(int Number, Node? Next, (string Text, long Value)[] Texts);

    [Test]
    public void As_many_bytes_are_counted_as_were_allocated()
    {
        string text = "shared";
        List<Node> nodes = [];
        long allocated = Allocations.Least(() => nodes = Make(text));
        Assert.That(RetainedBytes.Of(nodes) - RetainedBytes.Of(text), Is.EqualTo(allocated));
        Assert.That(RetainedBytes.Of(nodes, nodes[0]), Is.EqualTo(RetainedBytes.Of(nodes)), "nothing counts twice");
    }

    private static List<Node> Make(string text)
    {
        var nodes = new List<Node>(1000);
        for (int i = 0; i < 1000; i++)
        {
            nodes.Add(new Node(i, i == 0 ? null : nodes[^1], [(text, i), (new string('x', i + 1), i)]));
        }

        return nodes;
    }
}
