namespace Spawngate.Workloads.Docker;

/// <summary>Log lines of category <c>spawngate.docker</c>.</summary>
internal static partial class DockerLog
{
    [LoggerMessage(LogLevel.Information, "engine=\"{Engine}\" api=\"{ApiVersion}\" Docker engine answers")]
    public static partial void Connected(ILogger log, string engine, string apiVersion);

    [LoggerMessage(
        LogLevel.Warning,
        "engine=\"{Engine}\" error=\"{Error}\" Docker engine does not answer; its containers are taken for lost unless it is back at once"
    )]
    public static partial void Lost(ILogger log, string engine, string error);

    [LoggerMessage(LogLevel.Warning, "error=\"{Error}\" Docker backends cannot be started for now")]
    public static partial void Unavailable(ILogger log, string error);

    [LoggerMessage(LogLevel.Information, "hostname=\"{Hostname}\" image=\"{Image}\" Pulling the image")]
    public static partial void Pulling(ILogger log, string hostname, string image);

    [LoggerMessage(LogLevel.Information, "image=\"{Image}\" layers=\"{Done}/{Layers}\" bytes=\"{Bytes}\" Still pulling: {Status}")]
    public static partial void PullProgress(ILogger log, string image, int done, int layers, long bytes, string status);

    [LoggerMessage(LogLevel.Information, "image=\"{Image}\" Image pulled after {DurationMs} ms")]
    public static partial void Pulled(ILogger log, string image, long durationMs);

    [LoggerMessage(
        LogLevel.Information,
        "hostname=\"{Hostname}\" container=\"{Container}\" image=\"{Image}\" port=\"{Port}\" "
            + "create_ms=\"{CreateMs}\" start_ms=\"{StartMs}\" own_ms=\"{OwnMs}\" Container started"
    )]
    public static partial void Started(
        ILogger log,
        string hostname,
        string container,
        string image,
        int port,
        string createMs,
        string startMs,
        string ownMs
    );

    [LoggerMessage(LogLevel.Warning, "hostname=\"{Hostname}\" container=\"{Container}\" The engine says: {Warning}")]
    public static partial void CreateWarning(ILogger log, string hostname, string container, string warning);

    [LoggerMessage(
        LogLevel.Warning,
        "hostname=\"{Hostname}\" image=\"{Image}\" paths=\"{Paths}\" The image keeps data there, and each start gets new, empty folders, "
            + "which are removed with the container. To keep it: {Keep}; to say that it need not be kept: {Forget}"
    )]
    public static partial void LooseVolumes(ILogger log, string hostname, string image, string paths, string keep, string forget);

    [LoggerMessage(
        LogLevel.Warning,
        "engine=\"{Engine}\" error=\"{Error}\" The engine has no init for containers: they are started without one, and a program that "
            + "ignores SIGTERM as PID 1 is killed only after its grace period"
    )]
    public static partial void NoInit(ILogger log, string engine, string error);

    [LoggerMessage(LogLevel.Debug, "hostname=\"{Hostname}\" container=\"{Container}\" Container removed")]
    public static partial void Removed(ILogger log, string hostname, string container);

    [LoggerMessage(LogLevel.Information, "hostname=\"{Hostname}\" container=\"{Container}\" Removing a container that was left over")]
    public static partial void RemovingLeftOver(ILogger log, string hostname, string container);

    [LoggerMessage(
        LogLevel.Information,
        "container=\"{Container}\" reason=\"{Reason}\" A container with the labels of this gateway is left alone"
    )]
    public static partial void NotOurs(ILogger log, string container, string reason);

    [LoggerMessage(LogLevel.Warning, "hostname=\"{Hostname}\" container=\"{Container}\" error=\"{Error}\" Container cannot be removed")]
    public static partial void CannotRemove(ILogger log, string hostname, string container, string error);

    [LoggerMessage(
        LogLevel.Warning,
        "hostname=\"{Hostname}\" container=\"{Container}\" error=\"{Error}\" The engine did not do it at once"
    )]
    public static partial void CallFailed(ILogger log, string hostname, string container, string error);

    [LoggerMessage(
        LogLevel.Warning,
        "hostname=\"{Hostname}\" container=\"{Container}\" error=\"{Error}\" Output of the container cannot be read any more"
    )]
    public static partial void OutputLost(ILogger log, string hostname, string container, string error);

    [LoggerMessage(
        LogLevel.Warning,
        "engine=\"{Engine}\" containers=\"{Containers}\" Containers are left: they are removed when a gateway finds the engine again"
    )]
    public static partial void LeftBehind(ILogger log, string engine, int containers);

    [LoggerMessage(
        LogLevel.Warning,
        "hostname=\"{Hostname}\" network=\"{Network}\" error=\"{Error}\" The ready callback cannot be "
            + "reached from this container; its health check decides"
    )]
    public static partial void NoReadyCallback(ILogger log, string hostname, string network, string error);
}
