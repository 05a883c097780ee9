namespace TestBackend;

/// <summary>The one place where this program lets time pass: being slow on demand is what it is for.</summary>
internal static class Pause
{
    /// <summary>Completes after <paramref name="milliseconds"/>; at once for 0.</summary>
    public static Task ForAsync(int milliseconds) => milliseconds > 0 ? Task.Delay(milliseconds) : Task.CompletedTask;

    /// <summary>Never completes.</summary>
    public static Task ForeverAsync() => Task.Delay(Timeout.Infinite);
}
