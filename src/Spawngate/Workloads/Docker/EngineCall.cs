using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Docker.DotNet;

namespace Spawngate.Workloads.Docker;

/// <summary>
/// One call to an engine, on its way through the library. The library has no place for what <see cref="EngineTransport"/> and whoever makes
/// the call have to tell each other, so it is found by both as <see cref="Current"/>.
/// </summary>
internal sealed class EngineCall
{
    private static readonly AsyncLocal<EngineCall?> Ambient = new();

    /// <summary>The call that is being made.</summary>
    public static EngineCall Current
    {
        get => Ambient.Value ?? new EngineCall();
        set => Ambient.Value = value;
    }

    /// <summary>The call as people know it, such as <c>POST /containers/create</c>.</summary>
    public string Name { get; set; } = "call";

    /// <summary>Value of the answer's Api-Version header; null without one.</summary>
    public string? ApiVersion { get; set; }

    /// <summary>The whole answer; null before it is there, and of one that is a stream.</summary>
    public byte[]? Answer { get; set; }

    /// <summary>
    /// Whether it attaches to a container. The library asks first whether that has a terminal, which would take each cold start a round
    /// trip: ours have none.
    /// </summary>
    public bool IsAttach { get; init; }

    /// <summary>Is called when the head of an answer is there that is a stream.</summary>
    public Action? Opened { get; init; }

    /// <summary>The answer is not what it should be.</summary>
    public EngineError Garbage() =>
        Answer is { } bytes
            ? Error(EngineFault.Garbage, $"the answer is not what the Engine API describes: {Start(bytes)}")
            : Error(EngineFault.Garbage, "a message of the stream is not what the Engine API describes");

    /// <summary>
    /// What an exception of the library, or of the HTTP client below it, means; null when it was the caller who cancelled.
    /// </summary>
    public EngineError? Explain(Exception exception, CancellationToken cancel) =>
        exception switch
        {
            OperationCanceledException when cancel.IsCancellationRequested => null,
            OperationCanceledException => Error(EngineFault.TimedOut, "no answer in time"),
            DockerApiException refusal => new EngineError(
                EngineFault.Refused,
                Name,
                (int)refusal.StatusCode,
                MessageOf(refusal.ResponseBody ?? "")
            ),
            JsonException => Garbage(),
            InvalidDataException bound => Error(EngineFault.Garbage, bound.Message),
            HttpRequestException { InnerException: SocketException socket } => Error(FaultOf(socket), Describe(socket)),
            HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError
                    or HttpRequestError.NameResolutionError
                    or HttpRequestError.SecureConnectionError
            } http => Error(EngineFault.Unreachable, http.InnerException?.Message ?? http.Message),
            HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } => Error(
                EngineFault.Garbage,
                "what answers does not speak HTTP"
            ),
            HttpRequestException or IOException or SocketException or ObjectDisposedException => Error(
                EngineFault.Broken,
                "the connection ended before the answer was complete"
            ),
            _ when Answer is not null => Garbage(),
            _ => Error(EngineFault.Broken, exception.Message),
        };

    /// <summary>What an error's body says: its message if it has one, else its beginning.</summary>
    internal static string MessageOf(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (
                document.RootElement is { ValueKind: JsonValueKind.Object } json
                && json.TryGetProperty("message", out var message)
                && message is { ValueKind: JsonValueKind.String }
                && message.GetString() is { Length: > 0 } text
            )
            {
                return Shortened(text.Trim());
            }
        }
        catch (JsonException)
        {
            // A proxy in between, for example, answers in a language of its own.
        }

        return body.Length == 0 ? "no message" : Shortened(body.Trim());
    }

    private static EngineFault FaultOf(SocketException e) =>
        e.SocketErrorCode switch
        {
            SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => EngineFault.Broken,
            _ => EngineFault.Unreachable,
        };

    private static string Describe(SocketException e) =>
        e.SocketErrorCode switch
        {
            SocketError.AccessDenied => "permission denied (this user is not in the group of the socket)",
            SocketError.ConnectionRefused => "connection refused (nobody listens there)",
            SocketError.AddressNotAvailable => "no such file",
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "the name of the host is not known",
            _ => e.Message,
        };

    private static string Start(byte[] body) =>
        Shortened(Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, DockerLimits.EngineMessageCharsMax))).Trim());

    private static string Shortened(string text)
    {
        var oneLine = text.ReplaceLineEndings(" ");
        return oneLine.Length > DockerLimits.EngineMessageCharsMax ? oneLine[..DockerLimits.EngineMessageCharsMax] + "…" : oneLine;
    }

    private EngineError Error(EngineFault fault, string message) => new(fault, Name, 0, message);
}
