namespace Spawngate.EndToEnd.Tests.Harness;

/// <summary>How long a test waits for an event before it calls it missing. No test passes faster or slower by these numbers.</summary>
internal static class Patience
{
    /// <summary>For anything that should happen at once: generous, because the machine may be busy with other tests.</summary>
    public static readonly TimeSpan Default = TimeSpan.FromSeconds(60);

    /// <summary>The pause between two looks at something that raises no event (a port, a state behind an API).</summary>
    public static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <summary>Waits for the event, and fails naming it when it does not come.</summary>
    public static async Task InTimeAsync(this Task task, string what, TimeSpan? limit = null)
    {
        try
        {
            await task.WaitAsync(limit ?? Default);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"did not happen within {(limit ?? Default).TotalSeconds} s: {what}");
        }
    }

    /// <summary>Waits for the event and its value, and fails naming it when it does not come.</summary>
    public static async Task<T> InTimeAsync<T>(this Task<T> task, string what, TimeSpan? limit = null)
    {
        await InTimeAsync((Task)task, what, limit);
        return await task;
    }

    /// <summary>True when the event does not happen during <paramref name="span"/>.</summary>
    public static async Task<bool> StaysOpenAsync(this Task task, TimeSpan span)
    {
        try
        {
            await task.WaitAsync(span);
            return false;
        }
        catch (TimeoutException)
        {
            return true;
        }
    }
}
