using Spawngate.Logging;
using Spawngate.Platform;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// Reads what a container writes, from before it is started until the engine says that this was all, line by line into the log. When the
/// connection breaks while the container lives on, the output goes on at a new one.
/// </summary>
internal sealed class ContainerOutput
{
    private readonly LineRing _tail = new(WorkloadLimits.StderrTailLines, WorkloadLimits.StderrTailBytes);
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
    public async Task<EngineError?> AttachAsync(DockerClient client, string id, CancellationToken cancel)
    {
        var reply = await client.AttachAsync(id, cancel).ConfigureAwait(false);
        if (reply.Value is { } stream)
        {
            _reading = ReadAsync(stream);
        }

        return reply.Error;
    }

    /// <summary>Goes on after the connection to the engine was lost, unless the old one still stands.</summary>
    public async Task ResumeAsync(DockerClient client, string id, ILogger log)
    {
        if (_reading.IsCompleted && await AttachAsync(client, id, _stop.Token).ConfigureAwait(false) is { } error)
        {
            DockerLog.OutputLost(log, _backend, id, error.ToString());
        }
    }

    /// <summary>The container has ended: what is on its way still arrives, for a bounded time.</summary>
    public async Task<IReadOnlyList<string>> FinishAsync(TimeSpan patience)
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

        return [.. _tail.ToArray().Select(static line => line.Text)];
    }

    private async Task ReadAsync(EngineStream stream)
    {
        var frames = new OutputFrames(
            new LineSplitter(new Sink(_backend, OutputStream.Stdout, _output, null)),
            new LineSplitter(new Sink(_backend, OutputStream.Stderr, _output, _tail))
        );
        var buffer = new byte[PlatformLimits.OutputReadBytes];
        using (stream)
        {
            try
            {
                int read;
                while ((read = await stream.Body.ReadAsync(buffer, _stop.Token).ConfigureAwait(false)) > 0)
                {
                    // A flood of output must not keep the thread that proxied connections complete on.
                    await Task.Yield();
                    if (!frames.Take(buffer.AsMemory(0, read)))
                    {
                        break;
                    }
                }
            }
            catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException)
            {
                // Cut with the engine; the event stream, which breaks as well, decides what that means.
            }
        }

        frames.Complete();
    }

    private sealed class Sink(string backend, OutputStream stream, IOutputSink output, LineRing? tail) : ILineSink
    {
        public void OnLine(ReadOnlyMemory<byte> line)
        {
            tail?.Append(default, stream, line.Span);
            output.OnLine(backend, stream, line);
        }
    }
}
