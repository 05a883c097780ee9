namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Measured values: in the output of the test and, if <c>SPAWNGATE_FIGURES</c> names a file, as a line there.</summary>
internal static class Figures
{
    /// <summary>Notes one line.</summary>
    public static async Task NoteAsync(string line)
    {
        await TestContext.Out.WriteLineAsync(line);
        if (Environment.GetEnvironmentVariable("SPAWNGATE_FIGURES") is { Length: > 0 } path)
        {
            await File.AppendAllTextAsync(path, $"{TestContext.CurrentContext.Test.Name}: {line}\n");
        }
    }

    /// <summary>Notes median, least and most of a series.</summary>
    public static Task NoteAsync(string what, List<double> values) =>
        NoteAsync($"{what}: median {Median(values):F1}, least {values.Min():F1}, most {values.Max():F1} of {values.Count}");

    /// <summary>The middle of a series.</summary>
    public static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>
    /// Asserts that the middle of a series is at most so many times that of another one, which was measured in turn with it.
    /// </summary>
    public static void AssertRatio(List<double> values, List<double> measure, double ratioMax, string what) =>
        Assert.That(
            Median(values) / Median(measure),
            Is.LessThanOrEqualTo(ratioMax),
            $"{what}: {Median(values):F1} over {Median(measure):F1}"
        );
}
