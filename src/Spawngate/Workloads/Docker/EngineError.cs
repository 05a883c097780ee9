using System.Globalization;

namespace Spawngate.Workloads.Docker;

/// <summary>What kind of thing went wrong in a call to an engine.</summary>
internal enum EngineFault
{
    /// <summary>Nobody listens there, or we may not connect.</summary>
    Unreachable,

    /// <summary>The connection broke before the answer was complete.</summary>
    Broken,

    /// <summary>No answer in time.</summary>
    TimedOut,

    /// <summary>The answer makes no sense.</summary>
    Garbage,

    /// <summary>The engine answered with an error status.</summary>
    Refused,
}

/// <summary>A call to an engine that failed: which one, how, and what the engine said about it.</summary>
/// <param name="Fault">The kind.</param>
/// <param name="Call">The call, such as <c>POST /containers/create</c>.</param>
/// <param name="Status">Status of the answer; 0 when there was none.</param>
/// <param name="Message">The engine's message, or what the system said.</param>
internal sealed record EngineError(EngineFault Fault, string Call, int Status, string Message)
{
    /// <summary>Whether the engine said that there is no such thing.</summary>
    public bool IsNotFound => Status == 404;

    /// <summary>Whether the engine said that it conflicts with what is there.</summary>
    public bool IsConflict => Status == 409;

    /// <summary>Whether nothing can be said of the engine's state: it is gone, or does not answer.</summary>
    public bool IsLoss => Fault is EngineFault.Unreachable or EngineFault.Broken or EngineFault.TimedOut;

    /// <inheritdoc/>
    public override string ToString() =>
        Status == 0 ? $"{Call}: {Message}" : string.Create(CultureInfo.InvariantCulture, $"{Call}: status {Status}: {Message}");
}

/// <summary>The answer to a call, or why there is none: exactly one of the two.</summary>
/// <param name="Value">The answer.</param>
/// <param name="Error">Why there is none.</param>
internal readonly record struct EngineReply<T>(T? Value, EngineError? Error)
    where T : class
{
    /// <summary>An answer.</summary>
    public static implicit operator EngineReply<T>(T value) => new(value, null);

    /// <summary>A failure.</summary>
    public static implicit operator EngineReply<T>(EngineError error) => new(null, error);
}
