namespace Spawngate.EndToEnd.Tests.Programs;

/// <summary>A WebSocket of a program: what to say, and what comes back.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Say">What the client says once the connection was quiet for longer than the idle timeout; null for nothing.</param>
/// <param name="Hear">Words of a message that is the answer, or comes by itself when nothing is said.</param>
internal sealed record Talk(string Path, string? Say, string Hear);

/// <summary>
/// A program as its documentation starts it, with a small application of the kind that its documentation shows. The Spawngate file says
/// nothing about it but what is here: <c>command</c>, <c>args</c>, and <c>working_dir</c>, a copy of its folder in <c>apps</c>.
/// </summary>
/// <param name="Name">Name of the test.</param>
/// <param name="Command">The <c>command</c>.</param>
/// <param name="Args">The <c>args</c>.</param>
internal sealed record RealProgram(string Name, string Command, params string[] Args)
{
    /// <summary>Its folder in <c>apps</c>.</summary>
    public string App { get; init; } = Name;

    /// <summary>
    /// What has to be installed: a program on PATH, a path, <c>python:MODULE</c>, <c>ruby:LIBRARY</c>, or <c>npm:PACKAGE</c>.
    /// </summary>
    public string[] Needs { get; init; } = [];

    /// <summary>
    /// The port that its sources name, as those of its documentation do; it is replaced by a free one, so that tests may run beside each
    /// other. Null when it takes its port from <c>PORT</c> or its arguments.
    /// </summary>
    public int? OwnPort { get; init; }

    /// <summary>A command line for the shell that builds it, in the copy of its folder; null when there is nothing to build.</summary>
    public string? Build { get; init; }

    /// <summary>
    /// Its host name in the file: one below localhost, since development servers allow those, and no others unless they are told.
    /// </summary>
    public string Host { get; init; } = "app.localhost";

    /// <summary>Whether its packages have to lie above its folder, because it follows no links to them.</summary>
    public bool InsidePackages { get; init; }

    /// <summary>What the page at <c>/</c> says.</summary>
    public string Says { get; init; } = "Hello";

    /// <summary>A path that takes a POST and answers with its body; null when there is none.</summary>
    public string? Echo { get; init; }

    /// <summary>What is posted there.</summary>
    public string Posted { get; init; } = "some text";

    /// <summary>Whether <c>/rows?ms=N</c> sends 100 rows, one each N ms.</summary>
    public bool Rows { get; init; }

    /// <summary>Folder of the files that it serves, for a large one that a client takes slowly; null when it serves none.</summary>
    public string? Files { get; init; }

    /// <summary>Whether <c>/events</c> sends an event, is quiet for three seconds, and sends a last one.</summary>
    public bool Events { get; init; }

    /// <summary>A WebSocket; null when it has none.</summary>
    public Talk? WebSocket { get; init; }

    /// <summary>Whether it serves one request at a time, and so answers no health check during a download.</summary>
    public bool OneAtATime { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
