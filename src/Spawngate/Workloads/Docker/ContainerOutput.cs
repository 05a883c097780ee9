using Docker.DotNet;
using Spawngate.Logging;
using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Reads what a container writes, from before it is started until the engine says that this was all, line by line into the log. When the
/// connection breaks while the container lives on, the output goes on at a new one.
/// </summary>
internal sealed class ContainerOutput
{
    private readonly OutputTail _tail = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _backend;
    private readonly IOutputSink _output;
    private Task _reading = Task.CompletedTask;

    /// <summary>Makes it; nothing is read yet.</summary>
    public ContainerOutput(string backend, IOutputSink output)
    {
        _backend = backend;
        _output = output;
    }

    /// <summary>Reads from a container that was created.</summary>
    /// <returns>Why it cannot be read.</returns>
    public async Task<EngineError?> AttachAsync(EngineClient client, string id, CancellationToken cancel)
    {
        var reply = await client.AttachAsync(id, cancel).ConfigureAwait(false);
        if (reply.Value is { } stream)
        {
            _reading = ReadAsync(stream);
        }

        return reply.Error;
    }

    /// <summary>Goes on after the connection to the engine was lost, unless the old one still stands.</summary>
    public async Task ResumeAsync(EngineClient client, string id, ILogger log)
    {
        if (_reading.IsCompleted && await AttachAsync(client, id, _stop.Token).ConfigureAwait(false) is { } error)
        {
            DockerLog.OutputLost(log, _backend, id, error.ToString());
        }
    }

    /// <summary>The container has ended: what is on its way still arrives, for a bounded time.</summary>
    public async Task<IReadOnlyList<StreamLine>> FinishAsync(TimeSpan patience)
    {
        try
        {
            await _reading.WaitAsync(patience).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _reading.ConfigureAwait(false);
        }

        return _tail.ToArray();
    }

    private async Task ReadAsync(MultiplexedStream stream)
    {
        var stdout = new LineSplitter(new Sink(_backend, OutputStream.Stdout, _output, _tail));
        var stderr = new LineSplitter(new Sink(_backend, OutputStream.Stderr, _output, _tail));
        var buffer = new byte[PlatformLimits.OutputReadBytes];
        using (stream)
        {
            try
            {
                while (await stream.ReadOutputAsync(buffer, 0, buffer.Length, _stop.Token).ConfigureAwait(false) is { EOF: false } part)
                {
                    // A flood of output must not keep a thread.
                    await Task.Yield();
                    var lines = part.Target == MultiplexedStream.TargetStream.StandardError ? stderr : stdout;
                    lines.Feed(buffer.AsMemory(0, part.Count));
                }
            }
            catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException)
            {
                // Cut with the engine, or no frames; if it broke, the event stream breaks as well and decides what that means.
            }
        }

        stdout.Complete();
        stderr.Complete();
    }

    private sealed class Sink(string backend, OutputStream stream, IOutputSink output, OutputTail tail) : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line)
        {
            tail.Append(stream, line.Span);
            output.OnLine(backend, stream, line);
        }
    }
}
