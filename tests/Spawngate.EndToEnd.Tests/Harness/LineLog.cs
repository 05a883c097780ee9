using System.Text;

namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>Lines as they arrive from somewhere, all kept, with waiting for the first that fits.</summary>
/// <typeparam name="T">What a line is parsed to.</typeparam>
/// <param name="keeps">Which lines to keep; null for all.</param>
internal sealed class LineLog<T>(Func<string, T> parse, Func<T, bool>? keeps = null)
{
    private readonly Lock _lock = new();
    private readonly List<T> _lines = [];
    private readonly List<(Func<T, bool> Fits, TaskCompletionSource<T> Found)> _waiters = [];
    private bool _ended;

    /// <summary>All lines so far.</summary>
    public IReadOnlyList<T> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>Takes in a stream line by line until it ends.</summary>
    public async Task ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8);
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                T parsed = parse(line);
                if (keeps?.Invoke(parsed) != false)
                {
                    Add(parsed);
                }
            }
        }
        catch (IOException)
        {
            // A reset ends the stream just as well.
        }

        End();
    }

    /// <summary>Completes with the first line, past or future, that fits; fails when the stream ends without one.</summary>
    public Task<T> FirstAsync(Func<T, bool> fits) => FromAsync(0, fits);

    /// <summary>Completes with the first line that fits, not counting the first <paramref name="skip"/> lines.</summary>
    public Task<T> FromAsync(int skip, Func<T, bool> fits)
    {
        lock (_lock)
        {
            for (int i = skip; i < _lines.Count; i++)
            {
                if (fits(_lines[i]))
                {
                    return Task.FromResult(_lines[i]);
                }
            }

            var found = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
            if (_ended)
            {
                found.SetException(new EndOfStreamException("the stream ended without the line that was waited for"));
            }
            else
            {
                _waiters.Add((fits, found));
            }

            return found.Task;
        }
    }

    /// <summary>Takes in one line that came by another way.</summary>
    public void Add(T line)
    {
        lock (_lock)
        {
            _lines.Add(line);
            _waiters.RemoveAll(waiter => waiter.Fits(line) && waiter.Found.TrySetResult(line));
        }
    }

    private void End()
    {
        lock (_lock)
        {
            _ended = true;
            _waiters.ForEach(waiter =>
                waiter.Found.TrySetException(new EndOfStreamException("the stream ended without the line that was waited for"))
            );
            _waiters.Clear();
        }
    }
}
