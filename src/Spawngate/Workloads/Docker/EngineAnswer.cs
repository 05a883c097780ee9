using System.Text;
using System.Text.Json;

namespace Spawngate.Workloads.Docker;

/// <summary>The whole answer to a call that succeeded.</summary>
/// <param name="Status">Its status.</param>
/// <param name="ApiVersion">Value of the Api-Version header; null without one.</param>
/// <param name="Body">Its body.</param>
internal sealed record EngineAnswer(int Status, string? ApiVersion, byte[] Body)
{
    /// <summary>The body as a message.</summary>
    public EngineReply<T> Read<T>(string call, Func<JsonElement, T?> read)
        where T : class
    {
        try
        {
            using var document = JsonDocument.Parse(Body);
            if (read(document.RootElement) is { } message)
            {
                return message;
            }
        }
        catch (JsonException)
        {
            // Told below.
        }

        return new EngineError(EngineFault.Garbage, call, 0, $"the answer is not what the Engine API describes: {Start(Body)}");
    }

    /// <summary>What an error's body says: its message if it has one, else its beginning.</summary>
    public static string MessageOf(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.Text("message") is { Length: > 0 } message)
            {
                return Shortened(message.Trim());
            }
        }
        catch (JsonException)
        {
            // A proxy in between, for example, answers in a language of its own.
        }

        return body.Length == 0 ? "no message" : Start(body);
    }

    private static string Start(byte[] body) =>
        Shortened(Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, DockerLimits.EngineMessageCharsMax))).Trim());

    private static string Shortened(string text)
    {
        var oneLine = text.ReplaceLineEndings(" ");
        return oneLine.Length > DockerLimits.EngineMessageCharsMax ? oneLine[..DockerLimits.EngineMessageCharsMax] + "…" : oneLine;
    }
}

/// <summary>An answer that goes on: events, output, the progress of a pull. Reading it may fail as a call may.</summary>
internal sealed class EngineStream : IDisposable
{
    private readonly HttpResponseMessage _response;

    /// <summary>Takes over an answer of which the head has arrived.</summary>
    public EngineStream(string call, HttpResponseMessage response, Stream body)
    {
        Call = call;
        _response = response;
        Body = body;
    }

    /// <summary>The call it answers.</summary>
    public string Call { get; }

    /// <summary>What arrives.</summary>
    public Stream Body { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Body.Dispose();
        _response.Dispose();
    }
}

/// <summary>A stream of JSON messages, one a line, as the engine sends events and the progress of pulls.</summary>
internal sealed class JsonLines(EngineStream stream)
{
    private byte[] _buffer = new byte[DockerLimits.EngineReadBytes];
    private int _start;
    private int _end;

    /// <summary>The next message; null at the end of the stream. Lines that are no such message are an error.</summary>
    public async Task<(T? Message, EngineError? Error)> ReadAsync<T>(Func<JsonElement, T> read, CancellationToken cancel)
        where T : class
    {
        try
        {
            while (true)
            {
                var line = await ReadLineAsync(cancel).ConfigureAwait(false);
                if (line is null)
                {
                    return (null, null);
                }

                if (!line.Value.Span.IsWhiteSpaceAscii())
                {
                    using var document = JsonDocument.Parse(line.Value);
                    return (read(document.RootElement), null);
                }
            }
        }
        catch (JsonException)
        {
            return (
                null,
                new EngineError(EngineFault.Garbage, stream.Call, 0, "a message of the stream is not what the Engine API describes")
            );
        }
        catch (Exception e) when (EngineTransport.Explain(stream.Call, e, cancel) is { } error)
        {
            return (null, error);
        }
    }

    private async Task<ReadOnlyMemory<byte>?> ReadLineAsync(CancellationToken cancel)
    {
        var searched = 0;
        while (true)
        {
            var length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                var line = _buffer.AsMemory(_start, searched + length);
                _start += searched + length + 1;
                return line;
            }

            searched = _end - _start;
            MakeRoom();
            var read = await stream.Body.ReadAsync(_buffer.AsMemory(_end), cancel).ConfigureAwait(false);
            await Task.Yield();
            if (read == 0)
            {
                // A message without a line end is one if the stream ended in an orderly way.
                ReadOnlyMemory<byte>? rest = null;
                if (searched > 0)
                {
                    rest = _buffer.AsMemory(_start, searched);
                }

                _start = _end;
                return rest;
            }

            _end += read;
        }
    }

    private void MakeRoom()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
        if (_end == _buffer.Length)
        {
            if (_end >= DockerLimits.EngineLineBytesMax)
            {
                throw new JsonException("The line is too long.");
            }

            Array.Resize(ref _buffer, Math.Min(DockerLimits.EngineLineBytesMax, _end * 2));
        }
    }
}

/// <summary>What spans of bytes are asked here.</summary>
internal static class AsciiSpans
{
    /// <summary>Whether there is nothing but blanks.</summary>
    public static bool IsWhiteSpaceAscii(this ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(" \t\r\n"u8) < 0;
}
