using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Spawngate.Config.Toml;

/// <summary>
/// Puts tokens together to statements, headers and keys with their values, and those to a tree. A statement that cannot be read is reported
/// and passed over (see <see cref="TomlRecovery"/>). A header that cannot be read or is not allowed leads into a table that is thrown away,
/// so that its keys are still checked but do not land in the wrong place.
/// </summary>
internal sealed class TomlStatements
{
    private readonly int _depthMax;
    private readonly int _errorsMax;
    private readonly TomlTable _root = new(new TomlPosition(1, 1), TomlTableOrigin.Header);
    private readonly List<TomlError> _errors = [];
    private TomlTokens _at = null!;
    private TomlTable _table;
    private int _tableDepth;
    private TomlKey _tableKey;
    private TomlKey _statementKey;
    private bool _isStatementInTable;
    private int _valueAt;
    private (int Offset, string Message) _failure;

    /// <summary>Nothing has been read yet.</summary>
    /// <param name="depthMax">How deep tables and arrays may nest.</param>
    /// <param name="errorsMax">After how many errors reading ends.</param>
    public TomlStatements(int depthMax, int errorsMax)
    {
        _depthMax = depthMax;
        _errorsMax = errorsMax;
        _table = _root;
    }

    /// <summary>Whether there were too many errors: reading ends.</summary>
    public bool IsLost { get; private set; }

    /// <summary>What has been read.</summary>
    public TomlDocument Document => new(_root, [.. _errors.OrderBy(static error => error.Position)]);

    /// <summary>Reads the statements of a piece of the text, up to the first that cannot be read.</summary>
    /// <param name="tokens">The piece.</param>
    /// <param name="isLast">Whether the text ends with it.</param>
    /// <returns>
    /// Index of the line where reading must go on, the end of the piece when all was read. A statement that may go on behind the piece, of
    /// which nothing is kept, is to be read again with more of the text.
    /// </returns>
    public int Read(TomlTokens tokens, bool isLast)
    {
        _at = tokens;
        while (!IsLost)
        {
            _at.Next(TomlLexerMode.Key);
            if (_at.Kind == TokenKind.Eof)
            {
                break;
            }

            if (_at.Kind == TokenKind.NewLine)
            {
                continue;
            }

            var start = _at.Offset;
            var firstError = _errors.Count;
            if (!ReadStatement())
            {
                var next = TomlRecovery.FindNextStatement(_at.Text, _valueAt, _failure.Offset);
                if (next < 0 && !isLast && !IsLost)
                {
                    _errors.RemoveRange(firstError, _errors.Count - firstError);
                    return start;
                }

                Report(_at.PositionOf(_failure.Offset), _failure.Message);
                NamePath(firstError);
                return next < 0 ? _at.Text.Length : next;
            }

            NamePath(firstError);
        }

        return _at.Text.Length;
    }

    private bool ReadStatement()
    {
        _statementKey = default;
        _valueAt = TomlRecovery.NoValue;
        return _at.Kind is TokenKind.OpenBracket or TokenKind.OpenBracketDouble ? ReadHeader() : ReadKeyValue();
    }

    private bool ReadHeader()
    {
        var position = _at.Position;
        var isArray = _at.Kind == TokenKind.OpenBracketDouble;
        _table = new TomlTable(position, TomlTableOrigin.Header);
        _tableDepth = 0;
        _tableKey = default;
        _at.Next(TomlLexerMode.Key);
        if (!TryReadKey(out var key))
        {
            return false;
        }

        _statementKey = key;
        _isStatementInTable = false;
        if (_at.Kind != (isArray ? TokenKind.CloseBracketDouble : TokenKind.CloseBracket))
        {
            return Fail($"in a table header, {(isArray ? "]]" : "]")} must close it");
        }

        _at.Next(TomlLexerMode.Key);
        var table = TomlDefinitions.DefineTable(_root, key, isArray, position, out var error);
        if (table is not null)
        {
            _table = table;
            _tableDepth = key.Count;
            _tableKey = key;
        }

        Report(error);
        return AtLineEnd();
    }

    private bool ReadKeyValue()
    {
        var firstError = _errors.Count;
        if (!TryReadKey(out var key) || !ReadEquals())
        {
            _table.IsIncomplete = true;
            return false;
        }

        _statementKey = key;
        _isStatementInTable = true;
        _valueAt = _at.Offset;
        var value = ReadValue(_tableDepth + key.Count, TomlLexerMode.Key);
        if (value is null || !AtLineEnd())
        {
            _table.IsIncomplete = true;
            return false;
        }

        if (_errors.Count > firstError)
        {
            _table.IsIncomplete = true;
            return true;
        }

        Define(_table, key, value);
        return true;
    }

    private bool AtLineEnd() => _at.Kind is TokenKind.NewLine or TokenKind.Eof || Fail("where the line should end");

    private bool ReadEquals()
    {
        if (_at.Kind != TokenKind.Equal)
        {
            return Fail("after the key, = is needed");
        }

        _at.Next(TomlLexerMode.Value);
        return true;
    }

    /// <summary>A key of one or more parts.</summary>
    private bool TryReadKey(out TomlKey key)
    {
        key = default;
        while (true)
        {
            if (_at.Kind is not (TokenKind.BasicKey or TokenKind.String or TokenKind.StringLiteral))
            {
                return Fail("where a key should be: letters, digits, - and _, or any text in quotes");
            }

            if (TomlWords.IsMultiline(_at.Rest))
            {
                return FailAs("found a multi-line string as a key, keys are bare words or one-line strings");
            }

            key = key.With(new TomlKeyPart(_at.ReadText(), _at.Position));
            _at.Next(TomlLexerMode.Key);
            if (_at.Kind != TokenKind.Dot)
            {
                return true;
            }

            if (key.Count == _depthMax)
            {
                return FailAs($"the key has more than {_depthMax} parts, tables may nest {_depthMax} deep");
            }

            _at.Next(TomlLexerMode.Key);
        }
    }

    /// <summary>Any value, and the token behind it.</summary>
    /// <param name="depth">How deep it is.</param>
    /// <param name="mode">What may come behind it: in an array a value, else a key.</param>
    private TomlValue? ReadValue(int depth, TomlLexerMode mode)
    {
        if (depth > _depthMax)
        {
            FailAs($"tables and arrays nest more than {_depthMax} deep, which is the most that is allowed");
            return null;
        }

        switch (_at.Kind)
        {
            case TokenKind.OpenBracket:
                return ReadArray(depth, mode);
            case TokenKind.OpenBrace:
                return ReadInlineTable(depth, mode);
        }

        var value = _at.ReadScalar();
        if (value is null)
        {
            _ = _at.Word.IsEmpty || _at.Problem is not null ? Fail("where a value should be") : FailAs(TomlWords.NoValue(_at.Word));
            return null;
        }

        _at.Next(mode);
        return value;
    }

    private TomlArray? ReadArray(int depth, TomlLexerMode mode)
    {
        var array = new TomlArray(_at.Position, isArrayOfTables: false);
        NextOnAnyLine(TomlLexerMode.Value);
        while (_at.Kind != TokenKind.CloseBracket)
        {
            var item = ReadValue(depth + 1, TomlLexerMode.Value);
            if (item is null || !ReadSeparator(TokenKind.CloseBracket, TomlLexerMode.Value, "in an array, a comma or ] is needed"))
            {
                return null;
            }

            array.Add(item);
        }

        _at.Next(mode);
        return array;
    }

    private TomlTable? ReadInlineTable(int depth, TomlLexerMode mode)
    {
        var table = new TomlTable(_at.Position, TomlTableOrigin.Inline);
        NextOnAnyLine(TomlLexerMode.Key);
        while (_at.Kind != TokenKind.CloseBrace)
        {
            if (!TryReadKey(out var key) || !ReadEquals())
            {
                return null;
            }

            var value = ReadValue(depth + key.Count, TomlLexerMode.Key);
            if (value is null || !ReadSeparator(TokenKind.CloseBrace, TomlLexerMode.Key, "in an inline table, a comma or } is needed"))
            {
                return null;
            }

            Define(table, key, value);
        }

        _at.Next(mode);
        return table;
    }

    private void NextOnAnyLine(TomlLexerMode mode)
    {
        do
        {
            _at.Next(mode);
        } while (_at.Kind == TokenKind.NewLine);
    }

    /// <summary>A comma, unless the closing bracket comes.</summary>
    private bool ReadSeparator(TokenKind closing, TomlLexerMode mode, string needed)
    {
        if (_at.Kind == TokenKind.NewLine)
        {
            NextOnAnyLine(mode);
        }

        if (_at.Kind == TokenKind.Comma)
        {
            NextOnAnyLine(mode);
            return true;
        }

        return _at.Kind == closing || Fail(needed);
    }

    private void Define(TomlTable table, in TomlKey key, TomlValue value)
    {
        var parent = TomlDefinitions.EnterByDottedKey(table, key, out var error);
        Report(parent is null ? error : TomlDefinitions.AddValue(parent, key.Last, value));
    }

    /// <summary>Notes that the statement cannot be read: something wrong with the token, or a token that may not be here.</summary>
    private bool Fail(string needed)
    {
        var found = _at.Kind == TokenKind.CloseBracketDouble ? "']]'" : TomlWords.Describe(_at.Text.AsSpan(_at.FoundAt));
        _failure = _at.Problem ?? (_at.FoundAt, $"found {found} {needed}");
        return false;
    }

    private bool FailAs(string message)
    {
        _failure = (_at.Offset, message);
        return false;
    }

    private void Report(TomlError? error)
    {
        if (error is not null)
        {
            Report(error.Position, error.Message);
        }
    }

    private void Report(TomlPosition position, string message)
    {
        if (IsLost)
        {
            return;
        }

        _errors.Add(new TomlError(position, "", message));
        if (_errors.Count >= _errorsMax)
        {
            _errors.Add(new TomlError(position, "", "too many errors, the rest of the file was not read"));
            IsLost = true;
        }
    }

    /// <summary>Errors are noted without their key; here the statement's key is known as far as it was read.</summary>
    private void NamePath(int firstError)
    {
        if (firstError == _errors.Count || _statementKey.IsEmpty)
        {
            return;
        }

        var path = _statementKey.PathIn(_isStatementInTable ? _tableKey.PathIn("") : "");
        for (var i = firstError; i < _errors.Count; i++)
        {
            _errors[i] = _errors[i] with { KeyPath = path };
        }
    }
}
