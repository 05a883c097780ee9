using System.Globalization;
using System.Text;
using Spawngate.Telemetry;

namespace Spawngate.Admin;

/// <summary>
/// Builds a page in the Prometheus text format, version 0.0.4: families one after the other, each with its help, its type and its samples.
/// </summary>
internal sealed class ExpositionText
{
    private readonly StringBuilder _text = new();

    /// <summary>Begins a family; all its samples follow before the next one.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="type"><c>counter</c>, <c>gauge</c> or <c>histogram</c>.</param>
    /// <param name="meaning">One line.</param>
    public void Family(string name, string type, string meaning) =>
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {meaning}\n# TYPE {name} {type}\n");

    /// <summary>A family of one sample without labels.</summary>
    public void Single(string name, string type, string meaning, double value)
    {
        Family(name, type, meaning);
        Sample(name, value);
    }

    /// <summary>One sample.</summary>
    public void Sample(string name, double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        _text.Append(name);
        Labels(labels);
        _text.Append(CultureInfo.InvariantCulture, $" {value}\n");
    }

    /// <summary>The samples of one histogram of times.</summary>
    /// <param name="name">Name of the family.</param>
    /// <param name="buckets">Its bounds.</param>
    /// <param name="read">Reads a cell.</param>
    /// <param name="labels">Labels besides <c>le</c>.</param>
    public void Histogram(string name, Buckets buckets, Func<int, long> read, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        long count = 0;
        (string Name, string Value)[] withBound = [.. labels, ("le", "")];
        for (int bucket = 0; bucket <= buckets.Seconds.Length; bucket++)
        {
            count += read(bucket);
            withBound[^1].Value =
                bucket == buckets.Seconds.Length ? "+Inf" : buckets.Seconds[bucket].ToString(CultureInfo.InvariantCulture);
            Sample(name + "_bucket", count, withBound);
        }

        Sample(name + "_sum", (double)read(buckets.SumCell) / TimeProvider.System.TimestampFrequency, labels);
        Sample(name + "_count", count, labels);
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    private void Labels(ReadOnlySpan<(string Name, string Value)> labels)
    {
        for (int i = 0; i < labels.Length; i++)
        {
            _text.Append(i == 0 ? '{' : ',').Append(labels[i].Name).Append("=\"").Append(Escape(labels[i].Value)).Append('"');
        }

        if (labels.Length > 0)
        {
            _text.Append('}');
        }
    }

    private static string Escape(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");
}
