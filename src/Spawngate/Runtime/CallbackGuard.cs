using Microsoft.Extensions.Logging.Abstractions;

namespace Spawngate.Runtime;

/// <summary>What a callback belongs to: it ends when the callback throws, and nothing else does.</summary>
internal interface ICallbackOwner
{
    /// <summary>Ends it: nobody knows in which state the exception left it. From any thread, perhaps more than once.</summary>
    void OnCallbackFault();
}

/// <summary>
/// Where an exception ends that came out of a callback: of an event loop, the tick, a timer, a thread or a work item, where nobody else
/// would catch it and it would end the process. It is a bug, or memory ran out. It is logged, and what the callback belongs to is ended.
/// </summary>
/// <remarks>
/// One for the process, as event loops are: a callback knows no gateway. Who makes a callback catches, and calls <see cref="OnFault"/>,
/// which throws nothing itself.
/// </remarks>
internal static partial class CallbackGuard
{
    private static volatile ILogger s_log = NullLogger.Instance;

    /// <summary>Where faults are logged.</summary>
    public static ILogger Log
    {
        set => s_log = value;
    }

    /// <summary>Ends the exception.</summary>
    /// <param name="fault">It.</param>
    /// <param name="where">Who made the callback, for the log.</param>
    /// <param name="owner">What the callback belongs to; anything else does not end.</param>
    public static void OnFault(Exception fault, string where, object? owner)
    {
        Report(fault, where);
        try
        {
            (owner as ICallbackOwner)?.OnCallbackFault();
        }
        catch (Exception another)
        {
            Report(another, where);
        }
    }

    /// <summary>Calls something that belongs to nothing but the gateway; it goes on at its next call.</summary>
    public static void Run(Action callback, string where)
    {
        try
        {
            callback();
        }
        catch (Exception fault)
        {
            OnFault(fault, where, callback.Target);
        }
    }

    private static void Report(Exception fault, string where)
    {
        try
        {
            Caught(s_log, fault, where);
        }
        catch (Exception)
        {
            // Not even a line of a log can be had, as when memory has run out. To end what it belongs to matters more.
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "where=\"{Where}\" An unexpected error in a callback; what it belongs to is ended")]
    private static partial void Caught(ILogger log, Exception fault, string where);
}
