using System.Text;
using Spawngate.Config;
using Spawngate.Platform;

namespace Spawngate.Workloads.Processes;

/// <summary>
/// Suggests what was meant by a whole command line in the place of a program, as in <c>command = "node server.js"</c>.
/// <code>
///   node "my app.js"          command = "node", args = ["my app.js"]
///   NODE_ENV=test node x.js   command = "node", args = ["x.js"], env = { NODE_ENV = "test" }
///   cd app &amp;&amp; npm start       command = "sh", args = ["-c", "cd app &amp;&amp; npm start"]
/// </code>
/// </summary>
internal static class SplitCommand
{
    private const string Operators = "|&;<>()`$*?";

    /// <summary>The suggestion, for the end of a message; empty when the program is there, or nothing better is known.</summary>
    /// <param name="command">What was to be executed.</param>
    public static string Suggest(ChildCommand command)
    {
        if (!command.Program.AsSpan().ContainsAny(' ', '\t') || Executable.FindFault(command) is null)
        {
            return "";
        }

        if (Split(command.Program) is not { } words)
        {
            return $"; did you mean {Keys("sh", ["-c", command.Program, .. command.Arguments], [])}";
        }

        List<string> variables = [.. words.TakeWhile(IsVariable)];
        words.RemoveRange(0, variables.Count);
        if (words.Count == 0)
        {
            return "";
        }

        // A path with a blank in it may just be misspelt.
        bool isPath = words[0].Contains('/');
        bool isKnown = !isPath || Executable.FindFault(command with { Program = words[0] }) is null;
        return isKnown ? $"; did you mean {Keys(words[0], [.. words.Skip(1), .. command.Arguments], variables)}" : "";
    }

    private static string Keys(string program, IEnumerable<string> args, List<string> variables)
    {
        var text = new StringBuilder($"command = {ConfigLines.Quoted(program)}");
        if (args.Any())
        {
            text.Append(", args = [").AppendJoin(", ", args.Select(ConfigLines.Quoted)).Append(']');
        }

        if (variables.Count > 0)
        {
            var pairs = variables
                .Select(static word => word.Split('=', 2))
                .Select(static pair => $"{pair[0]} = {ConfigLines.Quoted(pair[1])}");
            text.Append(", env = { ").AppendJoin(", ", pairs).Append(" }");
        }

        return text.ToString();
    }

    private static bool IsVariable(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && word.AsSpan(0, equals).IndexOfAnyExcept(NameCharacters) < 0 && !char.IsAsciiDigit(word[0]);
    }

    private static readonly System.Buffers.SearchValues<char> NameCharacters = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
    );

    /// <summary>The words of a command line as a shell splits them; null when it takes a shell to understand it.</summary>
    internal static List<string>? Split(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char quote = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            bool escapes = c == '\\' && quote != '\'' && i + 1 < line.Length;
            if (escapes)
            {
                (word ??= new StringBuilder()).Append(line[++i]);
            }
            else if (quote != '\0' ? c == quote : c is '\'' or '"')
            {
                quote = quote == '\0' ? c : '\0';
                word ??= new StringBuilder(); // Also for a word of nothing but quotes.
            }
            else if (quote == '\0' && c is ' ' or '\t')
            {
                Add(words, ref word);
            }
            else if (quote != '\'' && Operators.Contains(c) && !PortFollows(line, i))
            {
                return null;
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }

        Add(words, ref word);
        return quote == '\0' ? words : null;
    }

    // $PORT needs no shell.
    private static bool PortFollows(string line, int at) => PortWords.Replace(line[at..], 0).StartsWith('0');

    private static void Add(List<string> words, ref StringBuilder? word)
    {
        if (word is not null)
        {
            words.Add(word.ToString());
            word = null;
        }
    }
}
