namespace Spawngate.Microbench;

/// <summary>A thread that does the same as the benchmark's, at the same time.</summary>
internal sealed class SecondThread : IDisposable
{
    private readonly SemaphoreSlim _begun = new(0);
    private readonly SemaphoreSlim _ended = new(0);
    private readonly Action _work;
    private volatile bool _done;

    /// <summary>Starts it; it waits until it is told to begin.</summary>
    public SecondThread(Action work)
    {
        _work = work;
        new Thread(Run) { IsBackground = true }.Start();
    }

    /// <summary>Lets it do its work once.</summary>
    public void Begin() => _begun.Release();

    /// <summary>Waits until it has done it.</summary>
    public void End() => _ended.Wait();

    /// <inheritdoc/>
    public void Dispose()
    {
        _done = true;
        _begun.Release();
        _ended.Wait();
        _begun.Dispose();
        _ended.Dispose();
    }

    private void Run()
    {
        _begun.Wait();
        while (!_done)
        {
            _work();
            _ended.Release();
            _begun.Wait();
        }

        _ended.Release();
    }
}
