namespace Spawngate.Workloads.Docker;

/// <summary>The bounds of containers and their engine, each with the reasoning behind its value.</summary>
internal static class DockerLimits
{
    /// <summary>
    /// Milliseconds for a connection to an engine: it takes microseconds to a socket, and a tenth of a second to any machine one would run
    /// backends on.
    /// </summary>
    public const int EngineConnectMs = 5_000;

    /// <summary>
    /// Seconds an idle connection to an engine is kept: starts and stops of some minute share theirs, and a quiet gateway keeps none but
    /// the event stream's.
    /// </summary>
    public const int EngineIdleConnectionSecs = 30;

    /// <summary>
    /// Milliseconds an engine may take to say that it is one: it answers from memory, so only one that hangs takes that long.
    /// </summary>
    public const int EnginePingMs = 5_000;

    /// <summary>
    /// Milliseconds a call may take that reads or signals: below a second even on an engine with thousands of containers under load.
    /// </summary>
    public const int EngineCallMs = 15_000;

    /// <summary>
    /// Seconds a container may be given to end: as many as fit into the milliseconds of a timer, 24 days, which no configuration allows.
    /// </summary>
    public const int StopSecsMax = (int.MaxValue - EngineCallMs) / 1000;

    /// <summary>
    /// Milliseconds to create or start a container: half a second is usual, tens of them start one after another, and a slow disk takes its
    /// time.
    /// </summary>
    public const int EngineCreateMs = 60_000;

    /// <summary>Milliseconds to remove a container: it is killed before, and its file system unmounted.</summary>
    public const int EngineRemoveMs = 30_000;

    /// <summary>
    /// Attempts to remove a container whose file system is busy for a moment, as happens when something else looks at it.
    /// </summary>
    public const int EngineRemoveAttemptsMax = 3;

    /// <summary>Milliseconds between these attempts.</summary>
    public const int EngineRemovePauseMs = 1_000;

    /// <summary>Containers left over that are removed at once: engines do most of it one after another anyway.</summary>
    public const int EngineRemovalsAtOnce = 8;

    /// <summary>Milliseconds the gateway waits at its end for removals under way: as long as for a killed process.</summary>
    public const int EngineStopMs = WorkloadLimits.KillWaitMs;

    /// <summary>Milliseconds until the first new attempt to reach an engine; it doubles with each.</summary>
    public const int EngineRetryMs = 50;

    /// <summary>Doublings of that: 50 ms become 3.2 s, above the longest pause.</summary>
    public const int EngineDoublingsMax = 6;

    /// <summary>
    /// Longest pause between attempts in milliseconds: an engine that is back is noticed within some seconds even if nobody asks for a
    /// backend.
    /// </summary>
    public const int EnginePauseMs = 3_000;

    /// <summary>
    /// Milliseconds after which the containers of an engine that refuses connections are taken for lost: with it went what forwarded their
    /// ports, so waiting longer would only have requests fail against them.
    /// </summary>
    public const int EngineGoneMs = 200;

    /// <summary>The same for an engine that cannot be told to be gone, because it does not answer at all.</summary>
    public const int EngineSilentMs = 10_000;

    /// <summary>
    /// Milliseconds a start waits for an engine that was there before: a restart of the engine takes two to four seconds.
    /// </summary>
    public const int EngineReturnMs = 5_000;

    /// <summary>Bytes of an engine's answer: 1,000 containers of one gateway at 4 KB each, twice.</summary>
    public const int EngineAnswerBytesMax = 8 * 1024 * 1024;

    /// <summary>Bytes read from an engine at a time: most answers in one go.</summary>
    public const int EngineReadBytes = 8 * 1024;

    /// <summary>
    /// Bytes of one message of a stream: an event carries all labels of a container, and Docker bounds none of them; some are tens of
    /// kilobytes.
    /// </summary>
    public const int EngineLineBytesMax = 1024 * 1024;

    /// <summary>
    /// Characters of an engine's message that are passed on: the longest, of failed mounts and registries, are some hundred.
    /// </summary>
    public const int EngineMessageCharsMax = 1000;

    /// <summary>Attempts to create a container: one, one after a pull, and some after a left-over was removed.</summary>
    public const int ContainerCreateAttemptsMax = 5;

    /// <summary>
    /// Attempts to start it: the port that the engine chose is taken by somebody else in that moment once in a long while, never twice.
    /// </summary>
    public const int ContainerStartAttemptsMax = 3;

    /// <summary>Random bytes in the names of gateways, processes and starts: 96 bits never meet.</summary>
    public const int ContainerIdBytes = 12;

    /// <summary>Milliseconds for the last output of a container that has ended: the engine sends it before it tells of the end.</summary>
    public const int ContainerOutputEndMs = 1_000;

    /// <summary>The same when the engine is lost, and the connection with it.</summary>
    public const int ContainerOutputLostMs = 100;

    /// <summary>Milliseconds a pull may take: an image of 10 GB over a line of 25 Mbit/s takes 53 minutes.</summary>
    public const int PullMs = 60 * 60 * 1000;

    /// <summary>Milliseconds between two log lines about one pull.</summary>
    public const int PullLogMs = 5_000;

    /// <summary>Layers of a pull that are counted: an image has at most 127.</summary>
    public const int PullLayersMax = 256;

    /// <summary>
    /// Milliseconds between two looks of the guard at the containers of a dead gateway: each is a call that an engine answers in about one.
    /// </summary>
    public const int OrphanLookMs = 100;

    /// <summary>
    /// Looks in a row without a new one after which there are none: 20 × 100 ms, in which a create that was under way is done even under
    /// load.
    /// </summary>
    public const int OrphanQuietLooks = 20;

    /// <summary>Smallest memory limit the Docker engine accepts, in mebibytes.</summary>
    public const int MemoryMegabytesMin = 6;

    /// <summary>
    /// Milliseconds between two runs of an image's health check while its container starts: each starts a program in the container, which
    /// takes some 50 ms of a processor.
    /// </summary>
    public const int HealthStartIntervalMs = 500;

    /// <summary>Characters of what a health check says that are passed on: one line of a terminal, twice.</summary>
    public const int HealthOutputCharsMax = 160;

    /// <summary>Graphics cards that can be asked for by their number: machines have eight at most, and a few have 16.</summary>
    public const int GpusMax = 64;

    /// <summary>
    /// Images of which it is remembered that the loss of their data was told; a session may name a new one each time. Past it nothing is
    /// told.
    /// </summary>
    public const int VolumeWarningsMax = 256;

    /// <summary>
    /// Processes and threads of a container unless the file says otherwise: what service managers give a user's services or more, and an
    /// eighth of the kernel's usual 32,768.
    /// </summary>
    public const int PidsUsual = 4096;

    /// <summary>Largest limit of processes and threads: what Linux itself has numbers for.</summary>
    public const int PidsMax = 4 * 1024 * 1024;
}
