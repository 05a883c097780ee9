namespace Spawngate.Microbench;

/// <summary>
/// Makes what a benchmark needs, and waits for it. With inline completions an asynchronous set-up may end on a thread that waits for
/// sockets; the benchmark runs where the set-up was waited for, and may block, which such a thread must not.
/// </summary>
internal static class Setup
{
    /// <summary>Runs it to its end.</summary>
    public static void Run(Func<Task> setUp)
    {
        var running = Task.Run(setUp);
        ((IAsyncResult)running).AsyncWaitHandle.WaitOne();
        if (running.Exception is { } failed)
        {
            throw failed;
        }
    }
}
