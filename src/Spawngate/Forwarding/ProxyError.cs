using System.Text;
using Spawngate.Backends;

namespace Spawngate.Forwarding;

/// <summary>Why a request was not forwarded or its answer not relayed: what the client is told.</summary>
internal enum ProxyError : byte
{
    /// <summary>No error.</summary>
    None,

    /// <summary>400: no Host.</summary>
    MissingHostHeader,

    /// <summary>404: no backend serves the host.</summary>
    UnknownHost,

    /// <summary>503: the backend is being stopped for good.</summary>
    BackendShuttingDown,

    /// <summary>503: health checks fail.</summary>
    BackendUnhealthy,

    /// <summary>503: the backend did not become ready.</summary>
    BackendStartFailed,

    /// <summary>504: no response head in time, or no room.</summary>
    RequestTimeout,

    /// <summary>502: the backend could not be reached or closed without an answer.</summary>
    ConnectionFailed,

    /// <summary>400: the client's message is malformed.</summary>
    BadRequest,

    /// <summary>502: the backend's message is malformed.</summary>
    BadBackendResponse,

    /// <summary>503: too many requests wait for the start, or for room.</summary>
    QueueFull,

    /// <summary>408: the client took too long to send its request.</summary>
    ClientTimeout,

    /// <summary>414: request line too long.</summary>
    UriTooLong,

    /// <summary>431: header section too large.</summary>
    RequestHeaderFieldsTooLarge,

    /// <summary>501: method or transfer coding not implemented.</summary>
    NotImplemented,

    /// <summary>505: HTTP version.</summary>
    HttpVersionNotSupported,

    /// <summary>508: the request came back to this gateway.</summary>
    LoopDetected,

    /// <summary>503: the backend is starting; told to browsers only, on a page that waits for it.</summary>
    BackendStarting,

    /// <summary>503: the backend does not run, and this request does not start it.</summary>
    NotRunning,

    /// <summary>410: the session has ended, and does not start again.</summary>
    SessionEnded,

    /// <summary>429: a hard limit of the client's address is reached.</summary>
    TooManyRequests,

    /// <summary>503: the gateway runs low on something, and this client is among those that hold most, or nothing is left.</summary>
    Overloaded,

    /// <summary>The client left; nobody is told anything.</summary>
    ClientGone,
}

/// <summary>Status, code and message of each <see cref="ProxyError"/> (errors.md). No paths, commands or traces in them.</summary>
internal static class ProxyErrors
{
    private static readonly Entry[] Table = BuildTable();

    /// <summary>What a request is told that was not admitted.</summary>
    public static ProxyError Of(AdmissionOutcome outcome) =>
        outcome switch
        {
            AdmissionOutcome.StartFailed => ProxyError.BackendStartFailed,
            AdmissionOutcome.Unhealthy => ProxyError.BackendUnhealthy,
            AdmissionOutcome.ShuttingDown => ProxyError.BackendShuttingDown,
            AdmissionOutcome.QueueFull => ProxyError.QueueFull,
            AdmissionOutcome.NotRunning => ProxyError.NotRunning,
            AdmissionOutcome.NotYet => ProxyError.BackendStarting,
            AdmissionOutcome.TimedOut => ProxyError.RequestTimeout,
            _ => ProxyError.ClientGone,
        };

    /// <summary>HTTP status.</summary>
    public static int Status(ProxyError error) => Table[(int)error].Status;

    /// <summary>Code as in the body and in X-Proxy-Error.</summary>
    public static ReadOnlySpan<byte> Code(ProxyError error) => Table[(int)error].Code;

    /// <summary>Status code and reason phrase.</summary>
    public static ReadOnlySpan<byte> StatusAndReason(ProxyError error) => Table[(int)error].StatusAndReason;

    /// <summary>The message as in the body: one plain sentence.</summary>
    public static string Message(ProxyError error) => Table[(int)error].Message;

    /// <summary>The JSON body; <paramref name="detail"/> replaces the usual message. Plain ASCII sentences only.</summary>
    public static byte[] Body(ProxyError error, string? detail)
    {
        var entry = Table[(int)error];
        return detail is null ? entry.Body : Json(Encoding.ASCII.GetString(entry.Code), detail, entry.Status);
    }

    private static byte[] Json(string code, string message, int status) =>
        Encoding.ASCII.GetBytes($$"""{"code":"{{code}}","message":"{{message}}","status":{{status}}}""");

    private static Entry[] BuildTable()
    {
        var table = new Entry[(int)ProxyError.ClientGone + 1];
        Add(ProxyError.MissingHostHeader, 400, "Bad Request", "MISSING_HOST_HEADER", "The request has no Host header.");
        Add(ProxyError.UnknownHost, 404, "Not Found", "UNKNOWN_HOST", "No backend is configured for this host.");
        Add(ProxyError.BackendShuttingDown, 503, "Service Unavailable", "BACKEND_SHUTTING_DOWN", "The backend is shutting down.");
        Add(
            ProxyError.BackendUnhealthy,
            503,
            "Service Unavailable",
            "BACKEND_UNHEALTHY",
            "The backend is unhealthy and is being restarted."
        );
        Add(ProxyError.BackendStartFailed, 503, "Service Unavailable", "BACKEND_START_FAILED", "The backend could not be started.");
        Add(ProxyError.RequestTimeout, 504, "Gateway Timeout", "REQUEST_TIMEOUT", "The backend did not answer in time.");
        Add(ProxyError.ConnectionFailed, 502, "Bad Gateway", "CONNECTION_FAILED", "The connection to the backend failed.");
        Add(ProxyError.BadRequest, 400, "Bad Request", "BAD_REQUEST", "The request is malformed.");
        Add(ProxyError.BadBackendResponse, 502, "Bad Gateway", "BAD_BACKEND_RESPONSE", "The backend sent a malformed response.");
        Add(ProxyError.QueueFull, 503, "Service Unavailable", "QUEUE_FULL", "Too many requests are waiting for the backend.");
        Add(ProxyError.ClientTimeout, 408, "Request Timeout", "CLIENT_TIMEOUT", "The request was not sent in time.");
        Add(ProxyError.UriTooLong, 414, "URI Too Long", "URI_TOO_LONG", "The request line is too long.");
        Add(
            ProxyError.RequestHeaderFieldsTooLarge,
            431,
            "Request Header Fields Too Large",
            "REQUEST_HEADER_FIELDS_TOO_LARGE",
            "The header section is too large."
        );
        Add(ProxyError.NotImplemented, 501, "Not Implemented", "NOT_IMPLEMENTED", "The method or transfer coding is not implemented.");
        Add(
            ProxyError.HttpVersionNotSupported,
            505,
            "HTTP Version Not Supported",
            "HTTP_VERSION_NOT_SUPPORTED",
            "Only HTTP/1.0 and HTTP/1.1 are supported here."
        );
        Add(ProxyError.None, 200, "OK", "", "");
        Add(ProxyError.BackendStarting, 503, "Service Unavailable", "BACKEND_STARTING", "The backend is starting.");
        Add(
            ProxyError.NotRunning,
            503,
            "Service Unavailable",
            "NOT_RUNNING",
            "The backend is not running, and this request does not start it."
        );
        Add(ProxyError.LoopDetected, 508, "Loop Detected", "LOOP_DETECTED", "The request came back to this gateway.");
        Add(ProxyError.TooManyRequests, 429, "Too Many Requests", "TOO_MANY_REQUESTS", "Too many requests from this address.");
        Add(ProxyError.Overloaded, 503, "Service Unavailable", "OVERLOADED", "The gateway is overloaded.");
        Add(ProxyError.SessionEnded, 410, "Gone", "SESSION_ENDED", "The session has ended.");
        return table;

        void Add(ProxyError error, int status, string reason, string code, string message) =>
            table[(int)error] = new Entry(
                status,
                Encoding.ASCII.GetBytes($"{status} {reason}"),
                Encoding.ASCII.GetBytes(code),
                message,
                Json(code, message, status)
            );
    }

    private readonly record struct Entry(int Status, byte[] StatusAndReason, byte[] Code, string Message, byte[] Body);
}
