using System.Globalization;
using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>One sample of a page in the Prometheus text format.</summary>
internal sealed record ExpositionSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
{
    public string Series
    {
        get
        {
            var labels = Labels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"{label.Key}={label.Value}");
            return $"{Name}{{{string.Join(',', labels)}}}";
        }
    }

    public string SeriesWithout(string label) => (this with { Labels = Labels.Where(each => each.Key != label).ToDictionary() }).Series;
}

/// <summary>
/// Reads a page in the Prometheus text format, version 0.0.4, strictly, and finds fault with what a scraper or <c>promtool check
/// metrics</c> would: syntax, order, doubled series, types, names, and histograms that do not add up.
/// </summary>
internal sealed class ExpositionCheck
{
    private static readonly Regex SampleLine = new(
        @"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? (?<value>[-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|Inf|NaN))$"
    );
    private static readonly Regex Label = new(@"\G(?<name>[a-zA-Z_][a-zA-Z0-9_]*)=""(?<value>(?:[^""\\\n]|\\[\\""n])*)""(?:,|$)");

    private readonly Dictionary<string, string> _types = [];
    private readonly HashSet<string> _helped = [];
    private readonly HashSet<string> _closed = [];
    private readonly HashSet<string> _series = [];
    private string _family = "";

    private ExpositionCheck() { }

    /// <summary>What is wrong; empty when nothing is.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>The samples.</summary>
    public List<ExpositionSample> Samples { get; } = [];

    /// <summary>Reads a page.</summary>
    public static ExpositionCheck Read(string page)
    {
        var check = new ExpositionCheck();
        if (!page.EndsWith('\n'))
        {
            check.Faults.Add("the last line has no end");
        }

        foreach (string line in page.Split('\n')[..^1])
        {
            check.ReadLine(line);
        }

        check.CheckNames();
        check.CheckHistograms();
        return check;
    }

    /// <summary>The value of the one sample with that name and these labels.</summary>
    public double Value(string name, params (string Name, string Value)[] labels) =>
        Samples
            .Single(sample => sample.Name == name && labels.All(label => sample.Labels.GetValueOrDefault(label.Name) == label.Value))
            .Value;

    private void ReadLine(string line)
    {
        string[] words = line.Split(' ', 4);
        if (words is ["#", "HELP", var helped, _])
        {
            Open(helped);
            Demand(_helped.Add(helped), $"second HELP of {helped}");
        }
        else if (words is ["#", "TYPE", var typed, var type])
        {
            Open(typed);
            Demand(_types.TryAdd(typed, type), $"second TYPE of {typed}");
            Demand(type is "counter" or "gauge" or "histogram" or "summary" or "untyped", $"type {type}");
            Demand(_helped.Contains(typed), $"{typed} has no HELP before its TYPE");
        }
        else if (!line.StartsWith('#'))
        {
            ReadSample(line);
        }
    }

    private void Open(string family)
    {
        if (family == _family)
        {
            return;
        }

        _closed.Add(_family);
        _family = family;
        Demand(!_closed.Contains(family), $"{family} is not in one piece");
    }

    private void ReadSample(string line)
    {
        var match = SampleLine.Match(line);
        if (!match.Success)
        {
            Faults.Add($"not a sample: {line}");
            return;
        }

        var labels = new Dictionary<string, string>();
        string text = match.Groups["labels"].Value;
        int at = 0;
        while (at < text.Length && Label.Match(text, at) is { Success: true } label)
        {
            Demand(labels.TryAdd(label.Groups["name"].Value, label.Groups["value"].Value), $"doubled label in {line}");
            at += label.Length;
        }

        Demand(at == text.Length, $"labels of {line}");
        string name = match.Groups["name"].Value;
        string value = match.Groups["value"].Value.Replace("Inf", "Infinity", StringComparison.Ordinal);
        var sample = new ExpositionSample(name, labels, double.Parse(value.TrimStart('+'), CultureInfo.InvariantCulture));
        Open(FamilyOf(name));
        Demand(_types.ContainsKey(_family), $"{name} has no TYPE");
        Demand(_series.Add(sample.Series), $"doubled series {sample.Series}");
        Samples.Add(sample);
    }

    /// <summary>A histogram's samples bear its name with an ending.</summary>
    private string FamilyOf(string name)
    {
        string stem = Regex.Replace(name, "_(bucket|sum|count)$", "");
        return _types.GetValueOrDefault(stem) == "histogram" ? stem : name;
    }

    private void CheckNames()
    {
        foreach (var (name, type) in _types)
        {
            Demand(
                (type == "counter") == name.EndsWith("_total", StringComparison.Ordinal),
                $"{type} {name}: counters, and only they, end in _total"
            );
            Demand(
                !Regex.IsMatch(name, "_(ms|milliseconds|minutes|kb|mb|kilobytes|megabytes|percent)(_|$)"),
                $"{name} is not in a base unit"
            );
            Demand(
                !Regex.IsMatch(name, "_(bucket|sum|count|info_total)$") && !name.Contains(':', StringComparison.Ordinal),
                $"{name} is reserved"
            );
        }

        foreach (var sample in Samples.Where(sample => _types.GetValueOrDefault(sample.Name) == "counter"))
        {
            Demand(sample.Value >= 0 && double.IsFinite(sample.Value), $"counter {sample.Series} is {sample.Value}");
        }
    }

    private void CheckHistograms()
    {
        foreach (var (name, _) in _types.Where(type => type.Value == "histogram"))
        {
            foreach (
                var buckets in Samples
                    .Where(sample => sample.Name == name + "_bucket")
                    .GroupBy(sample => sample.SeriesWithout("le")[(name + "_bucket").Length..])
            )
            {
                var bounds = buckets
                    .Select(bucket =>
                        bucket.Labels.GetValueOrDefault("le") is { } le
                            ? le == "+Inf"
                                ? double.PositiveInfinity
                                : double.Parse(le, CultureInfo.InvariantCulture)
                            : double.NaN
                    )
                    .ToList();
                var counts = buckets.Select(bucket => bucket.Value).ToList();
                Demand(bounds.SequenceEqual(bounds.Order()) && bounds.Distinct().Count() == bounds.Count, $"bounds of {name}{buckets.Key}");
                Demand(counts.SequenceEqual(counts.Order()), $"buckets of {name}{buckets.Key} are not cumulative");
                Demand(double.IsPositiveInfinity(bounds[^1]), $"{name}{buckets.Key} has no bucket +Inf");
                Demand(
                    Samples.Any(sample => sample.Series == $"{name}_count{buckets.Key}" && sample.Value == counts[^1]),
                    $"count of {name}{buckets.Key}"
                );
                Demand(Samples.Any(sample => sample.Series == $"{name}_sum{buckets.Key}"), $"sum of {name}{buckets.Key}");
            }
        }
    }

    private void Demand(bool holds, string fault)
    {
        if (!holds)
        {
            Faults.Add(fault);
        }
    }
}
