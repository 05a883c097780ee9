using Spawngate.Platform;

namespace Spawngate.Config;

/// <summary>Which variables the caller of <c>POST /spawn</c> may set for a session: <c>allow_env</c> of its template.</summary>
internal static class CallerVariables
{
    /// <summary>Tells a session its id.</summary>
    public const string SessionId = "SESSION_ID";

    /// <summary>Tells a session its key; empty without one.</summary>
    public const string SessionKey = "SESSION_KEY";

    /// <summary>What is allowed for processes of this machine unless the file says otherwise.</summary>
    public static readonly IReadOnlyList<string> OfLocal = ["SESSION_*"];

    private static readonly string[] Own =
    [
        "PORT",
        InstanceToken.Variable,
        BusyUrl.Variable,
        SupervisorVariables.NotifySocket,
        SessionId,
        SessionKey,
    ];

    /// <summary>
    /// Whether Spawngate sets it itself. In whatever case, because on some systems two names that differ in case are one variable.
    /// </summary>
    public static bool IsOwn(string name) => Own.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether it can be the name of a variable.</summary>
    public static bool IsName(string text) => text.Length > 0 && !text.Contains('=') && ConfigText.IsWithoutNul(text);

    /// <summary>Whether an element of <c>allow_env</c> may have an effect.</summary>
    public static bool IsPattern(string text) => IsName(text) && !IsOwn(text);

    /// <summary>
    /// Whether a caller may set it: a pattern admits what it matches, but what steers loaders and interpreters only by its whole name.
    /// </summary>
    /// <param name="patterns">The value of <c>allow_env</c>; null for any name.</param>
    /// <param name="name">The variable.</param>
    public static bool Allows(IReadOnlyList<string>? patterns, string name) =>
        patterns is null || patterns.Contains(name) || (!SteeringVariables.Contains(name) && TextPattern.MatchesAny(patterns, name));
}
