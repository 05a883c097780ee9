using System.Text.RegularExpressions;

namespace Spawngate.Tests;

/// <summary>What a declaration declares.</summary>
internal enum OutlineKind
{
    /// <summary>A class, struct, record, interface or enum.</summary>
    Type,

    /// <summary>A method, constructor, operator, accessor or local function with a body.</summary>
    Function,

    /// <summary>A property, event or field.</summary>
    Member,
}

/// <summary>One declaration of a source file.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Header">Its text up to the body, on one line, without strings and comments.</param>
/// <param name="FirstLine">The line its header begins on, attributes included.</param>
/// <param name="LastLine">The line its body ends on.</param>
/// <param name="Nesting">How deep control flow nests inside it; functions only.</param>
internal sealed record Declaration(OutlineKind Kind, string Header, int FirstLine, int LastLine, int Nesting)
{
    /// <summary>Its attributes, without strings and comments.</summary>
    public string Attributes { get; init; } = "";

    /// <summary>The line behind its attributes: the cases of a test are data, and do not make it long.</summary>
    public int SignatureLine { get; init; } = FirstLine;

    /// <summary>Whether its whole body is one collection expression: that is a table, as a field with the same initialiser is.</summary>
    public bool IsTable { get; init; }

    /// <summary>Lines from the signature to the closing brace.</summary>
    public int Lines => LastLine - SignatureLine + 1;

    /// <summary>The declared name.</summary>
    public string Name =>
        Kind switch
        {
            OutlineKind.Type => Regex
                .Match(Header, @"\b(?:class|struct|interface|enum|record(?:\s+(?:class|struct))?)\s+(\w+)")
                .Groups[1]
                .Value,
            OutlineKind.Function => Regex
                .Match(
                    WithoutParameters(Regex.Replace(Header, @"\s(?:where\s.*|:\s?(?:base|this)\s?\(.*)$", "")),
                    @"([\w.~]+)\s*(?:<[^()]*>)?$"
                )
                .Groups[1]
                .Value,
            _ => Regex.Match(Regex.Replace(Header, @"\s*(=.*)$", ""), @"([\w.]+)\s*(?:\[.*\])?$").Groups[1].Value,
        };

    /// <summary>The header up to the parenthesis that its last one closes.</summary>
    private static string WithoutParameters(string header)
    {
        var open = 0;
        for (var i = header.Length - 1; i >= 0 && header.EndsWith(')'); i--)
        {
            open +=
                header[i] == ')' ? 1
                : header[i] == '(' ? -1
                : 0;
            if (open == 0)
            {
                return header[..i].TrimEnd();
            }
        }

        return header;
    }
}

/// <summary>Finds the declarations of a masked source by its braces.</summary>
internal sealed class CSharpOutline
{
    private static readonly Regex TypeHeader = new(
        @"^(?:(?:public|private|protected|internal|static|sealed|abstract|partial|readonly|ref|unsafe|file|new)\s+)*(?:class|struct|interface|record|enum)\b"
    );

    private static readonly Regex ControlHeader = new(@"^(?:if|else|for|foreach|while|do|switch|try|catch|finally)\b");
    private static readonly Regex PlainBlockHeader = new(@"^(?:lock|using|fixed|unsafe|checked|unchecked)\b");
    private static readonly Regex FunctionHeader = new(@"\)\s*(?:where\s.*)?$", RegexOptions.Singleline);
    private static readonly Regex AccessorHeader = new(@"^(?:(?:private|protected|internal|readonly)\s+)*(?:get|set|init|add|remove)$");

    /// <summary>Directives and attributes ahead of a declaration.</summary>
    private static readonly Regex Ahead = new(@"^(?:\s*#[^\n]*\n\s*|\s*\[[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*\]\s*)*");

    private readonly string _masked;
    private readonly List<Declaration> _declarations = [];
    private readonly Stack<Block> _open = new();
    private int _line = 1;
    private int _headerStart;
    private int _parentheses;

    private CSharpOutline(string masked) => _masked = masked;

    private enum Shape
    {
        Namespace,
        Type,
        Property,
        Function,
        Control,
        Other,
    }

    /// <summary>The declarations of a source in the order they end.</summary>
    public static List<Declaration> Read(string source)
    {
        var outline = new CSharpOutline(CSharpText.Mask(source));
        outline.Scan();
        return outline._declarations;
    }

    private void Scan()
    {
        for (var i = 0; i < _masked.Length; i++)
        {
            switch (_masked[i])
            {
                case '\n':
                    _line++;
                    break;
                case '(':
                    _parentheses++;
                    break;
                case ')':
                    _parentheses--;
                    break;
                case '{':
                    OpenBlock(i);
                    break;
                case '}':
                    CloseBlock(i);
                    break;
                case ';' when _parentheses == ParenthesesHere:
                    EndStatement(i);
                    break;
            }
        }
    }

    private Shape Around => _open.Count == 0 ? Shape.Namespace : _open.Peek().Shape;

    /// <summary>Blocks inside parentheses (lambdas as arguments) start counting anew.</summary>
    private int ParenthesesHere => _open.Count == 0 ? 0 : _open.Peek().Parentheses;

    private void OpenBlock(int at)
    {
        var taken = TakeHeader(at);
        var isArgument = Around == Shape.Type && _parentheses > ParenthesesHere; // Such as an array in an attribute.
        var shape = isArgument ? Shape.Other : ShapeOf(taken.Text, Around);
        if (shape == Shape.Control)
        {
            var function = _open.FirstOrDefault(block => block.Shape == Shape.Function);
            var depth = _open.TakeWhile(block => block.Shape != Shape.Function).Count(block => block.Shape == Shape.Control) + 1;
            function?.Deepen(depth);
        }

        _open.Push(new Block(shape, taken, _parentheses, _headerStart));
        _headerStart = at + 1;
    }

    private void CloseBlock(int at)
    {
        _headerStart = at + 1;
        if (!_open.TryPop(out var block))
        {
            return;
        }

        if (block.Shape == Shape.Other && Around == Shape.Type)
        {
            _headerStart = block.HeaderStart; // Braces inside an initialiser or an expression body: the member goes on to its semicolon.
            return;
        }

        OutlineKind? kind = block.Shape switch
        {
            Shape.Type => OutlineKind.Type,
            Shape.Function => OutlineKind.Function,
            Shape.Property => OutlineKind.Member,
            _ => null,
        };
        if (kind is not null)
        {
            _declarations.Add(Declare(kind.Value, block.Header, block.Header.Text) with { Nesting = block.Nesting });
        }
    }

    /// <summary>Members that end with a semicolon: fields, and functions and properties with an expression body.</summary>
    private void EndStatement(int at)
    {
        var taken = TakeHeader(at);
        var header = taken.Text;
        _headerStart = at + 1;
        if (Around is not (Shape.Type or Shape.Namespace) || header.Length == 0)
        {
            return;
        }

        if (TypeHeader.IsMatch(header))
        {
            _declarations.Add(Declare(OutlineKind.Type, taken, header));
            return;
        }

        var arrow = header.IndexOf("=>", StringComparison.Ordinal);
        var assignment = Regex.Match(header, @"(?<![=!<>])=(?![=>])");
        var hasBody = arrow >= 0 && (!assignment.Success || assignment.Index > arrow);
        var isFunction = hasBody && FunctionHeader.IsMatch(header[..arrow].TrimEnd());
        if (Around == Shape.Type)
        {
            var name = hasBody ? header[..arrow].TrimEnd() : header;
            var isTable = isFunction && Regex.IsMatch(header[(arrow + 2)..], @"^\s*\[[^;]*\]\s*$");
            var declaration = Declare(isFunction ? OutlineKind.Function : OutlineKind.Member, taken, name);
            _declarations.Add(declaration with { IsTable = isTable });
        }
    }

    private static Shape ShapeOf(string header, Shape around)
    {
        if (header.StartsWith("namespace", StringComparison.Ordinal))
        {
            return Shape.Namespace;
        }

        if (TypeHeader.IsMatch(header))
        {
            return Shape.Type;
        }

        if (around == Shape.Property || AccessorHeader.IsMatch(header))
        {
            return AccessorHeader.IsMatch(header) ? Shape.Function : Shape.Other;
        }

        if (around == Shape.Type)
        {
            var isField = Regex.IsMatch(header, @"(?<![=!<>])=(?!=)");
            return isField ? Shape.Other
                : FunctionHeader.IsMatch(header) ? Shape.Function
                : Shape.Property;
        }

        return ShapeOfStatement(header);
    }

    /// <summary>Local functions are functions; lambdas, object initialisers and switch expressions belong to theirs.</summary>
    private static Shape ShapeOfStatement(string header)
    {
        if (ControlHeader.IsMatch(header))
        {
            return Shape.Control;
        }

        var isLocalFunction = Regex.IsMatch(
            header,
            @"^(?:(?:static|async|unsafe)\s+)*(?!new\b|await\b|return\b|throw\b)[\w<>\[\]?,.]+\s+\w+\s*(?:<[^()]*>)?\([^=]*\)$"
        );
        return isLocalFunction && !PlainBlockHeader.IsMatch(header) ? Shape.Function : Shape.Other;
    }

    private Declaration Declare(OutlineKind kind, Header header, string text) =>
        new(kind, text, header.FirstLine, _line, 0) { Attributes = header.Attributes, SignatureLine = header.SignatureLine };

    /// <summary>The text since the last statement or brace, without attributes and labels, on one line.</summary>
    private Header TakeHeader(int end)
    {
        var start = _headerStart;
        while (start < end && char.IsWhiteSpace(_masked[start]))
        {
            start++;
        }

        var text = _masked[start..end];
        var attributes = Ahead.Match(text).Value;
        var signature = Regex.Replace(text[attributes.Length..], @"^(case\b[^:]*|default\s*):\s*", "");
        var (firstLine, signatureLine) = (_line - text.AsSpan().Count('\n'), _line - text.AsSpan(attributes.Length).Count('\n'));
        return new Header(Regex.Replace(signature, @"\s+", " ").Trim(), attributes, firstLine, signatureLine);
    }

    private sealed record Header(string Text, string Attributes, int FirstLine, int SignatureLine);

    private sealed record Block(Shape Shape, Header Header, int Parentheses, int HeaderStart)
    {
        public int Nesting { get; private set; }

        public void Deepen(int depth) => Nesting = Math.Max(Nesting, depth);
    }
}
