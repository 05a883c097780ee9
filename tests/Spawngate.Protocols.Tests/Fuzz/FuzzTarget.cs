using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Spawngate.Protocols.Tests.Fuzz;

/// <summary>
/// One codec under mutation: inputs that show something new are changed further. It runs for two seconds, or for as many as
/// <c>SPAWNGATE_FUZZ_SECS</c> says; <c>SPAWNGATE_FUZZ_SEED</c> repeats a run. The first inputs lie in <c>Corpus/</c>, a file each.
/// </summary>
internal static class FuzzTarget
{
    private const int PoolMax = 20_000;

    /// <summary>What a codec made of an input: an outline that tells new behaviour from old; it throws where a rule is broken.</summary>
    public delegate string Check(byte[] input, Random random);

    /// <summary>Fuzzes one codec.</summary>
    /// <param name="corpus">Folder of its first inputs.</param>
    /// <param name="dictionary">Vocabulary of the format.</param>
    /// <param name="check">Runs the codec and checks what must always hold.</param>
    public static void Run(string corpus, string[] dictionary, Check check)
    {
        int seed = Setting("SPAWNGATE_FUZZ_SEED", Random.Shared.Next());
        var random = new Random(seed);
        var mutator = new Mutator(random, [.. dictionary.Select(Encoding.Latin1.GetBytes)]);
        List<byte[]> pool =
        [
            .. Directory
                .EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Fuzz", "Corpus", corpus))
                .Order(StringComparer.Ordinal)
                .Select(File.ReadAllBytes),
        ];
        Assert.That(pool, Is.Not.Empty, "the corpus is there");
        var outlines = new HashSet<string>();
        pool.ForEach(input => outlines.Add(Checked(input, seed, random, check)));
        long end = Stopwatch.GetTimestamp() + (Setting("SPAWNGATE_FUZZ_SECS", 2) * Stopwatch.Frequency);
        long tried = 0;
        for (; Stopwatch.GetTimestamp() < end; tried++)
        {
            byte[] input = mutator.Mutate(pool[random.Next(pool.Count)], pool[random.Next(pool.Count)]);
            if (outlines.Add(Checked(input, seed, random, check)) && pool.Count < PoolMax)
            {
                pool.Add(input);
            }
        }

        TestContext.Out.WriteLine($"{corpus}: {tried} inputs, {outlines.Count} different outcomes, seed {seed}");
        Assert.That(outlines, Has.Count.GreaterThan(10), "the inputs meet different rules");
    }

    private static string Checked(byte[] input, int seed, Random random, Check check)
    {
        try
        {
            return check(input, random);
        }
        catch (Exception error)
        {
            throw new AssertionException(
                $"seed {seed}, input {Convert.ToBase64String(input)}: {Uri.EscapeDataString(Encoding.Latin1.GetString(input))}",
                error
            );
        }
    }

    private static int Setting(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
