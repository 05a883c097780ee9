namespace Spawngate.Protocols.Tests.Fuzz;

/// <summary>Makes new inputs from known ones: a few random changes, with pieces of the format's own vocabulary among them.</summary>
internal sealed class Mutator(Random random, byte[][] dictionary)
{
    private const int ChangesMax = 4;
    private const int LengthMax = 4096;
    private static readonly byte[] Interesting = [0, 1, 9, 10, 11, 13, 32, 34, 35, 44, 46, 47, 58, 59, 61, 91, 92, 93, 95, 127, 128, 255];

    /// <summary>A changed copy.</summary>
    /// <param name="seed">What is changed.</param>
    /// <param name="other">Another input, to take pieces from.</param>
    public byte[] Mutate(byte[] seed, byte[] other)
    {
        var bytes = new List<byte>(seed);
        for (int i = random.Next(1, ChangesMax + 1); i > 0; i--)
        {
            Change(bytes, other);
        }

        return [.. bytes.Take(LengthMax)];
    }

    private void Change(List<byte> bytes, byte[] other)
    {
        int at = random.Next(bytes.Count + 1);
        int count = Math.Min(random.Next(1, 17), bytes.Count - at);
        switch (random.Next(9))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = Interesting[random.Next(Interesting.Length)];
                break;
            case 2:
                bytes.Insert(at, Interesting[random.Next(Interesting.Length)]);
                break;
            case 3 when count > 0:
                bytes.RemoveRange(at, count);
                break;
            case 4 when count > 0:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, count));
                break;
            case 5 when other.Length > 0:
                int from = random.Next(other.Length);
                bytes.InsertRange(at, other.AsSpan(from, random.Next(1, other.Length - from + 1)));
                break;
            case 6 when count > 0:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            default:
                bytes.InsertRange(at, dictionary[random.Next(dictionary.Length)]);
                break;
        }
    }
}
