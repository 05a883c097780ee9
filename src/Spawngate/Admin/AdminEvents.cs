using System.Net;

namespace Spawngate.Admin;

/// <summary>Log lines of the admin API, category <c>spawngate.admin</c>.</summary>
internal static partial class AdminEvents
{
    /// <summary>Name of the category.</summary>
    public const string Category = "spawngate.admin";

    [LoggerMessage(Level = LogLevel.Information, Message = "address=\"{Address}\" Admin API is listening")]
    internal static partial void Listening(ILogger logger, string address);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "address=\"{Address}\" Admin API can be reached from other machines and asks for no token; set server.admin_token, or bind it to 127.0.0.1 with server.admin_bind"
    )]
    internal static partial void OpenToAll(ILogger logger, string address);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "address=\"{Address}\" error=\"{Error}\" Admin API cannot accept connections for the moment"
    )]
    internal static partial void AcceptFailed(ILogger logger, EndPoint address, string error);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "address=\"{Address}\" error=\"{Error}\" failures=\"{Failures}\" Admin API still cannot accept connections after {DurationMs} ms"
    )]
    internal static partial void AcceptStillFails(ILogger logger, EndPoint address, string error, long failures, long durationMs);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "address=\"{Address}\" failures=\"{Failures}\" Admin API accepts connections again after {DurationMs} ms"
    )]
    internal static partial void AcceptsAgain(ILogger logger, EndPoint address, long failures, long durationMs);

    [LoggerMessage(Level = LogLevel.Information, Message = "hostname=\"{Hostname}\" command=\"{Command}\" Command was accepted")]
    internal static partial void CommandAccepted(ILogger logger, string hostname, AdminCommand command);

    [LoggerMessage(Level = LogLevel.Information, Message = "hostname=\"{Hostname}\" template=\"{Template}\" Session was made")]
    internal static partial void SessionMade(ILogger logger, string hostname, string template);

    [LoggerMessage(Level = LogLevel.Information, Message = "hostname=\"{Hostname}\" Session is deleted")]
    internal static partial void SessionDeleted(ILogger logger, string hostname);

    [LoggerMessage(Level = LogLevel.Error, Message = "method=\"{Method}\" path=\"{Path}\" Request to the admin API failed")]
    internal static partial void RequestFailed(ILogger logger, Exception exception, string method, string path);

    [LoggerMessage(LogLevel.Debug, "address=\"{Address}\" Ready callbacks of containers are taken")]
    internal static partial void CallbacksAreTaken(ILogger logger, string address);
}
