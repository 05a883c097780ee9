using System.Text.RegularExpressions;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>One line of the gateway's log, taken apart.</summary>
/// <param name="Text">The whole line.</param>
/// <param name="Level">Level in capitals; empty when the line has not the form of a log line.</param>
/// <param name="Category">Category; empty when the line has not the form of a log line.</param>
/// <param name="Message">What follows the category.</param>
internal sealed partial record LogLine(string Text, string Level, string Category, string Message)
{
    /// <summary>Takes a line apart: <c>time LEVEL category: key="value" … message</c>.</summary>
    public static LogLine Parse(string text)
    {
        Match match = Form().Match(text);
        return match.Success
            ? new LogLine(text, match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value)
            : new LogLine(text, "", "", text);
    }

    /// <summary>Value of a field; null without one.</summary>
    public string? Field(string name)
    {
        Match match = Regex.Match(Message, $"(?:^| ){name}=\"((?:[^\"\\\\]|\\\\.)*)\"");
        return match.Success ? match.Groups[1].Value : null;
    }

    /// <summary>True when the line contains the words, in any case.</summary>
    public bool Says(string words) => Text.Contains(words, StringComparison.OrdinalIgnoreCase);

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z +([A-Z]+) +([^\s:]+): (.*)$")]
    private static partial Regex Form();
}
