using System.Text;
using Spawngate.Logging;
using Spawngate.Platform;

namespace Spawngate.Tests;

/// <summary>Collects lines and lets a test wait for one.</summary>
internal sealed class LineCollector : ILineSink, IOutputSink
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Wanted, TaskCompletionSource<string> Found)> _waiters = [];

    public long Count { get; private set; }

    public string[] Lines
    {
        get
        {
            lock (_gate)
            {
                return [.. _lines];
            }
        }
    }

    public void OnLine(ReadOnlyMemory<byte> line)
    {
        lock (_gate)
        {
            Count++;
            string text = Encoding.UTF8.GetString(line.Span);
            if (_lines.Count < 10_000)
            {
                _lines.Add(text);
            }

            foreach ((Func<string, bool> wanted, TaskCompletionSource<string> found) in _waiters)
            {
                if (wanted(text))
                {
                    found.TrySetResult(text);
                }
            }
        }
    }

    public void OnLine(string hostname, OutputStream stream, ReadOnlyMemory<byte> line) => OnLine(line);

    public async Task<string> Next(Func<string, bool> wanted)
    {
        var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_lines.FirstOrDefault(wanted) is { } already)
            {
                return already;
            }

            _waiters.Add((wanted, found));
        }

        return await found.Task.WaitAsync(PlatformScene.Patience).ConfigureAwait(false);
    }
}

/// <summary>Real children with their output collected.</summary>
internal sealed class PlatformScene : IDisposable
{
    /// <summary>How long a test waits for an event before it fails; the events themselves come within milliseconds.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<ChildProcess> _children = [];

    public OutputDrain Drain { get; } = new();

    public string Folder { get; } = Directory.CreateTempSubdirectory("spawngate-test-").FullName;

    public static IReadOnlyList<byte[]> Environment(params (string Name, string Value)[] added) =>
        ChildEnvironment.Capture().With(added.Select(static pair => new KeyValuePair<string, string>(pair.Name, pair.Value)));

    public Child Start(string program, params string[] arguments) => Start(new ChildCommand(program, arguments, Environment(), null));

    public Child Shell(string script) => Start("/bin/sh", "-c", script);

    public Child Start(ChildCommand command)
    {
        ChildProcess? process = ChildProcess.Start(command, out string? error);
        Assert.That(error, Is.Null);
        _children.Add(process!);
        var output = new LineCollector();
        var errors = new LineCollector();
        return new Child(process!, output, errors, Drain.Add(process!.StdoutFd, output), Drain.Add(process.StderrFd, errors));
    }

    public static string Refusal(ChildCommand command)
    {
        ChildProcess? process = ChildProcess.Start(command, out string? error);
        process?.Kill();
        Assert.That(process, Is.Null, "it started");
        return error!;
    }

    public string Write(string name, string text, bool executable = true)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, executable ? (UnixFileMode)0b111_101_101 : (UnixFileMode)0b110_100_100);
        }

        return path;
    }

    public void Dispose()
    {
        foreach (ChildProcess child in _children)
        {
            child.Kill();
        }

        Drain.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    internal sealed record Child(ChildProcess Process, LineCollector Output, LineCollector Errors, OutputPipe OutPipe, OutputPipe ErrPipe)
    {
        public async Task<WaitStatus> End()
        {
            WaitStatus status = await Process.Ended.WaitAsync(Patience).ConfigureAwait(false);
            await Task.WhenAll(OutPipe.FinishAsync(), ErrPipe.FinishAsync()).WaitAsync(Patience).ConfigureAwait(false);
            return status;
        }
    }
}
