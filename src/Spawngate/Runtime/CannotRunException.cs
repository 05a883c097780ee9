namespace Spawngate.Runtime;

/// <summary>
/// The program cannot run for a cause outside of it (a port is taken, a PID file is locked). Its message is complete and
/// meant for people: it names the setting that led there. The process ends with exit code 1.
/// </summary>
internal sealed class CannotRunException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">The whole message for people.</param>
    /// <param name="cause">What the system reported; null when nothing did.</param>
    public CannotRunException(string message, Exception? cause = null)
        : base(message, cause) { }
}
