namespace Spawngate.Protocols.Toml;

/// <summary>
/// The statements of TOML: headers, keys and values. A statement that cannot be read is reported and passed over (see
/// <see cref="TomlRecovery"/>); a header that cannot be read or is not allowed leads into a table that is thrown away, so that its keys are
/// still checked but do not land in the wrong place.
/// </summary>
internal ref struct TomlParser
{
    private readonly int _depthMax;
    private readonly TomlTable _root;
    private TomlCursor _at;
    private TomlTable _table;
    private int _tableDepth;
    private TomlKey _tableKey;
    private TomlKey _statementKey;
    private bool _isStatementInTable;
    private int _openBrackets;

    public TomlParser(ReadOnlySpan<char> text, int depthMax, int errorsMax)
    {
        _depthMax = depthMax;
        _at = new TomlCursor(text, [], errorsMax);
        _root = new TomlTable(new TomlPosition(1, 1), TomlTableOrigin.Header);
        _table = _root;
    }

    /// <summary>Reads the whole text.</summary>
    public TomlDocument Parse()
    {
        while (!_at.AtEnd && !_at.IsLost)
        {
            var firstError = _at.Errors.Count;
            var line = _at.Line;
            _statementKey = default;
            _openBrackets = 0;
            var isRead = ReadStatement() && ReadLineEnd();
            NamePath(firstError);
            if (!isRead && !_at.IsLost)
            {
                TomlRecovery.GoToNextStatement(ref _at, line, _openBrackets);
            }
        }

        return new TomlDocument(_root, [.. _at.Errors.OrderBy(error => error.Position)]);
    }

    /// <summary>Errors are noted without their key; here the statement's key is known as far as it was read.</summary>
    private readonly void NamePath(int firstError)
    {
        if (firstError == _at.Errors.Count || _statementKey.IsEmpty)
        {
            return;
        }

        var path = _statementKey.PathIn(_isStatementInTable ? _tableKey.PathIn("") : "");
        for (var i = firstError; i < _at.Errors.Count; i++)
        {
            _at.Errors[i] = _at.Errors[i] with { KeyPath = path };
        }
    }

    private bool ReadStatement()
    {
        _at.SkipBlanks();
        if (_at.AtLineEnd || _at.Peek() == '#')
        {
            return true;
        }

        return _at.Peek() == '[' ? ReadHeader() : ReadKeyValue();
    }

    private bool ReadLineEnd()
    {
        _at.SkipBlanks();
        if (_at.Peek() == '#' && !ReadComment())
        {
            return false;
        }

        if (_at.AtNewline)
        {
            _at.AdvanceNewline();
            return true;
        }

        if (!_at.AtEnd)
        {
            _at.Report($"found {TomlSyntax.Describe(_at.Rest)} where the line should end");
        }

        return _at.AtEnd;
    }

    private bool ReadComment()
    {
        var rest = _at.Rest;
        var length = rest.IndexOfAny(TomlSyntax.ControlCharacters);
        _at.Advance(length < 0 ? rest.Length : length);
        if (_at.AtLineEnd)
        {
            return true;
        }

        _at.Report($"found {TomlSyntax.Describe(_at.Rest)} in a comment, control characters other than tab are not allowed");
        return false;
    }

    private bool ReadHeader()
    {
        var position = _at.Position;
        var isArray = _at.Peek(1) == '[';
        EnterDiscardedTable();
        _at.Advance(isArray ? 2 : 1);
        if (!TryReadKey(out var key))
        {
            return false;
        }

        _statementKey = key;
        _isStatementInTable = false;
        var closing = isArray ? "]]" : "]";
        if (!_at.Rest.StartsWith(closing))
        {
            _at.Report($"found {TomlSyntax.Describe(_at.Rest)} in a table header, {closing} must close it");
            return false;
        }

        _at.Advance(closing.Length);
        var table = TomlDefinitions.DefineTable(_root, key, isArray, position, out var error);
        if (table is null)
        {
            _at.Report(error!.Position, error.Message);
            return true;
        }

        _table = table;
        _tableDepth = key.Count;
        _tableKey = key;
        return true;
    }

    private void EnterDiscardedTable()
    {
        _table = new TomlTable(_at.Position, TomlTableOrigin.Header);
        _tableDepth = 0;
        _tableKey = default;
    }

    private bool ReadKeyValue()
    {
        var firstError = _at.Errors.Count;
        if (!TryReadKey(out var key) || !ReadEquals())
        {
            _table.IsIncomplete = true;
            return false;
        }

        _statementKey = key;
        _isStatementInTable = true;
        var value = ReadValue(_tableDepth + key.Count);
        if (_at.Errors.Count > firstError || _at.IsLost)
        {
            _table.IsIncomplete = true;
            return value is not null;
        }

        Define(_table, key, value!);
        return true;
    }

    private bool ReadEquals()
    {
        if (_at.Peek() == '=')
        {
            _at.Advance(1);
            _at.SkipBlanks();
            return true;
        }

        _at.Report($"found {TomlSyntax.Describe(_at.Rest)} after the key, = is needed");
        return false;
    }

    private void Define(TomlTable table, in TomlKey key, TomlValue value)
    {
        var parent = TomlDefinitions.EnterByDottedKey(table, key, out var error);
        error = parent is null ? error : TomlDefinitions.AddValue(parent, key.Last, value);
        if (error is not null)
        {
            _at.Report(error.Position, error.Message);
        }
    }

    /// <summary>A key of one or more parts, with the blanks around them; false when there is none.</summary>
    private bool TryReadKey(out TomlKey key)
    {
        key = default;
        while (true)
        {
            _at.SkipBlanks();
            var position = _at.Position;
            var name = ReadKeyPart();
            if (name is null)
            {
                return false;
            }

            key = key.With(new TomlKeyPart(name, position));
            _at.SkipBlanks();
            if (_at.Peek() != '.')
            {
                return true;
            }

            if (key.Count == _depthMax)
            {
                _at.Report(key[0].Position, $"the key has more than {_depthMax} parts, tables may nest {_depthMax} deep");
                return false;
            }

            _at.Advance(1);
        }
    }

    private string? ReadKeyPart()
    {
        if (_at.Peek() is '"' or '\'')
        {
            if (!TomlStrings.AtMultiline(_at))
            {
                return TomlStrings.Read(ref _at);
            }

            _at.Report("found a multi-line string as a key, keys are bare words or one-line strings");
            return null;
        }

        var rest = _at.Rest;
        var length = rest.IndexOfAnyExcept(TomlSyntax.BareKeyCharacters);
        length = length < 0 ? rest.Length : length;
        if (length == 0)
        {
            _at.Report($"found {TomlSyntax.Describe(rest)} where a key should be: letters, digits, - and _, or any text in quotes");
            return null;
        }

        _at.Advance(length);
        return _at.Text(rest[..length]);
    }

    /// <summary>
    /// Any value. An error within a value whose end is clear is only noted, and a stand-in comes back; null means that the end of
    /// the value is not known.
    /// </summary>
    private TomlValue? ReadValue(int depth)
    {
        var position = _at.Position;
        if (depth > _depthMax)
        {
            _at.Report($"tables and arrays nest more than {_depthMax} deep, which is the most that is allowed");
            return null;
        }

        switch (_at.Peek())
        {
            case '"' or '\'':
                var text = TomlStrings.Read(ref _at);
                return text is null ? null : new TomlString(position, text);
            case '[':
                return ReadArray(position, depth);
            case '{':
                return ReadInlineTable(position, depth);
            default:
                return ReadScalar(position);
        }
    }

    private TomlArray? ReadArray(TomlPosition position, int depth)
    {
        var array = new TomlArray(position, isArrayOfTables: false);
        _at.Advance(1);
        _openBrackets++;
        while (true)
        {
            if (!SkipBlanksAndLines())
            {
                return null;
            }

            if (_at.Peek() == ']')
            {
                break;
            }

            var item = ReadValue(depth + 1);
            if (item is null || !SkipBlanksAndLines())
            {
                return null;
            }

            array.Add(item);
            if (_at.Peek() == ',')
            {
                _at.Advance(1);
            }
            else if (_at.Peek() != ']')
            {
                _at.Report($"found {TomlSyntax.Describe(_at.Rest)} in an array, a comma or ] is needed");
                return null;
            }
        }

        _at.Advance(1);
        _openBrackets--;
        return array;
    }

    /// <summary>Blanks, line breaks and comments, as they may stand between the elements of an array.</summary>
    private bool SkipBlanksAndLines()
    {
        while (true)
        {
            _at.SkipBlanks();
            if (_at.Peek() == '#' && !ReadComment())
            {
                return false;
            }

            if (!_at.AtNewline)
            {
                return true;
            }

            _at.AdvanceNewline();
        }
    }

    private TomlTable? ReadInlineTable(TomlPosition position, int depth)
    {
        var table = new TomlTable(position, TomlTableOrigin.Inline);
        _at.Advance(1);
        _openBrackets++;
        _at.SkipBlanks();
        var isOpen = _at.Peek() != '}';
        while (isOpen)
        {
            if (!TryReadKey(out var key) || !ReadEquals())
            {
                return null;
            }

            var value = ReadValue(depth + key.Count);
            if (value is null)
            {
                return null;
            }

            Define(table, key, value);
            _at.SkipBlanks();
            if (_at.Peek() is not (',' or '}'))
            {
                _at.Report($"found {TomlSyntax.Describe(_at.Rest)} in an inline table, a comma or }} is needed on the same line");
                return null;
            }

            isOpen = _at.Peek() == ',';
            _at.Advance(isOpen ? 1 : 0);
        }

        _at.Advance(1);
        _openBrackets--;
        return table;
    }

    private TomlValue? ReadScalar(TomlPosition position)
    {
        var token = TakeScalar();
        if (token.IsEmpty)
        {
            _at.Report($"found {TomlSyntax.Describe(_at.Rest)} where a value should be");
            return null;
        }

        if (token is "true" or "false")
        {
            return new TomlBoolean(position, token is "true");
        }

        string? error;
        TomlValue? value = null;
        if (TomlDateTimes.LooksLike(token))
        {
            value = TomlDateTimes.Read(token, position, out error);
        }
        else if (char.IsAsciiDigit(token[0]) || token[0] is '+' or '-' || token is "inf" or "nan")
        {
            value = TomlNumbers.Read(token, position, out error);
        }
        else
        {
            error = $"found {TomlSyntax.Clip(token)}, which is no value: strings need quotes, booleans are true and false";
        }

        if (error is not null)
        {
            _at.Report(position, error);
        }

        return value ?? new TomlBoolean(position, false);
    }

    /// <summary>Everything up to what ends a number, date or boolean; a date may go on after one blank with a time.</summary>
    private ReadOnlySpan<char> TakeScalar()
    {
        var rest = _at.Rest;
        var length = ScalarLength(rest);
        if (TomlDateTimes.IsDateAlone(rest[..length]) && rest[length..].StartsWith(" ") && TomlDateTimes.StartsTime(rest[(length + 1)..]))
        {
            length += 1 + ScalarLength(rest[(length + 1)..]);
        }

        _at.Advance(length);
        return rest[..length];
    }

    private static int ScalarLength(ReadOnlySpan<char> rest)
    {
        var length = rest.IndexOfAny(TomlSyntax.ScalarStops);
        return length < 0 ? rest.Length : length;
    }
}
