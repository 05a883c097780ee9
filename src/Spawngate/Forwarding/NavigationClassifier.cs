using System.Buffers.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Forwarding;

/// <summary>What a request to a backend with a waiting page is.</summary>
internal enum NavigationKind : byte
{
    /// <summary>Anything else: it is held until the backend is ready, like every request without a waiting page.</summary>
    None,

    /// <summary>A browser goes to a page: it gets the waiting page when the backend takes longer than a moment.</summary>
    Navigation,

    /// <summary>The script of a waiting page asks how it is: only the gateway answers.</summary>
    Poll,
}

/// <summary>Tells the requests of people in browsers from those of programs.</summary>
internal static class NavigationClassifier
{
    /// <summary>The field that only the script of the waiting page sends, and that stands in every answer to it.</summary>
    public static ReadOnlySpan<byte> FieldName => "x-spawngate-waiting"u8;

    /// <summary>What a request is.</summary>
    /// <param name="request">The request.</param>
    /// <param name="head">The bytes of its head.</param>
    /// <param name="ready">Whether the backend is ready: then a navigation is like any other request, and is not looked for.</param>
    /// <param name="start">Of a poll: the number of the start that its page waits for; 0 when it does not say.</param>
    public static NavigationKind Of(RequestHead request, ReadOnlySpan<byte> head, bool ready, out int start)
    {
        start = 0;
        if (request.Method != MethodKind.Get || !request.IsHttp11 || request.Framing.Kind != BodyKind.None || request.WantsUpgrade)
        {
            return NavigationKind.None;
        }

        var accept = new AcceptRanges();
        bool byProgram = false;
        foreach (ref readonly var field in request.Fields.Fields)
        {
            var name = field.Name(head);
            var value = field.Value(head);
            if (Is(name, FieldName))
            {
                start = Utf8Parser.TryParse(value, out int number, out int used) && used == value.Length ? Math.Max(0, number) : 0;
                return NavigationKind.Poll;
            }

            if (ready)
            {
                continue;
            }

            byProgram |= IsByProgram(name, value);
            if (Is(name, "accept"u8))
            {
                accept.Add(value);
            }
        }

        return accept.PreferHtml && !byProgram ? NavigationKind.Navigation : NavigationKind.None;
    }

    /// <summary>
    /// Whether a request is one of somebody in a browser who is to see a page when it fails: it asks for HTML before all else, and nothing
    /// tells that a script sent it.
    /// </summary>
    /// <param name="method">Its method.</param>
    /// <param name="head">Its head or as much of it as is there, line by line.</param>
    public static bool WantsPage(MethodKind method, ReadOnlySpan<byte> head)
    {
        if (method is not (MethodKind.Get or MethodKind.Head))
        {
            return false;
        }

        var accept = new AcceptRanges();
        while (head.IndexOf("\r\n"u8) is > 0 and var end)
        {
            var line = head[..end];
            head = head[(end + 2)..];
            int colon = line.IndexOf((byte)':');
            var name = line[..Math.Max(colon, 0)];
            var value = line[(colon + 1)..].Trim(" \t"u8);
            if (IsByProgram(name, value) || Is(name, FieldName))
            {
                return false;
            }

            if (Is(name, "accept"u8))
            {
                accept.Add(value);
            }
        }

        return accept.PreferHtml;
    }

    /// <summary>
    /// What a script fetches is for the script, whatever it accepts. Over plain HTTP browsers do not say what a request is for; libraries
    /// do.
    /// </summary>
    private static bool IsByProgram(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        (Is(name, "sec-fetch-mode"u8) && !Is(value, "navigate"u8)) || Is(name, "x-requested-with"u8) || Is(name, "hx-request"u8);

    private static bool Is(ReadOnlySpan<byte> some, ReadOnlySpan<byte> lower) =>
        some.Length == lower.Length && Grammar.EqualsIgnoreCase(some, lower);
}

/// <summary>What the Accept fields of a request say about HTML (RFC 9110 section 12.5.1).</summary>
internal struct AcceptRanges
{
    private const int Whole = 1000;
    private int _html;
    private int _before;
    private int _after;
    private bool _named;

    /// <summary>
    /// Whether text/html is named and wanted at least as much as all else: more than what stands before it, and no less than what comes
    /// behind it. XHTML counts neither way.
    /// </summary>
    public readonly bool PreferHtml => _named && _html > 0 && _html > _before && _html >= _after;

    /// <summary>Takes in one field.</summary>
    public void Add(ReadOnlySpan<byte> value)
    {
        while (!value.IsEmpty)
        {
            int comma = value.IndexOf((byte)',');
            var range = comma < 0 ? value : value[..comma];
            value = comma < 0 ? default : value[(comma + 1)..];
            int semicolon = range.IndexOf((byte)';');
            var type = (semicolon < 0 ? range : range[..semicolon]).Trim(" \t"u8);
            int quality = semicolon < 0 ? Whole : Quality(range[(semicolon + 1)..]);
            if (Grammar.EqualsIgnoreCase(type, "text/html"u8))
            {
                _html = _named ? _html : quality;
                _named = true;
            }
            else if (_named)
            {
                _after = IsXhtml(type) ? _after : Math.Max(_after, quality);
            }
            else
            {
                _before = IsXhtml(type) ? _before : Math.Max(_before, quality);
            }
        }
    }

    private static bool IsXhtml(ReadOnlySpan<byte> type) => Grammar.EqualsIgnoreCase(type, "application/xhtml+xml"u8);

    /// <summary>The weight among the parameters of a range, in thousandths; 0 when it is malformed.</summary>
    private static int Quality(ReadOnlySpan<byte> parameters)
    {
        while (!parameters.IsEmpty)
        {
            int semicolon = parameters.IndexOf((byte)';');
            var parameter = (semicolon < 0 ? parameters : parameters[..semicolon]).Trim(" \t"u8);
            parameters = semicolon < 0 ? default : parameters[(semicolon + 1)..];
            if (parameter.Length >= 2 && (parameter[0] | 0x20) == 'q' && parameter[1] == '=')
            {
                var weight = parameter[2..];
                return Utf8Parser.TryParse(weight, out decimal quality, out int used) && used == weight.Length && quality is >= 0 and <= 1
                    ? (int)(quality * Whole)
                    : 0;
            }
        }

        return Whole;
    }
}
