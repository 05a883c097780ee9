namespace Spawngate.Tests;

/// <summary>
/// Where a house rule is knowingly not followed, each with its reason. An entry that no longer excuses anything fails the
/// test, so the lists cannot rot.
/// </summary>
internal static class TidyExceptions
{
    /// <summary>Files over the limit of lines, by path from the repository root: tables.</summary>
    public static readonly Dictionary<string, string> LongFiles = [];

    /// <summary>Functions that are too long or nest too deep, as <c>path: name</c>.</summary>
    public static readonly Dictionary<string, string> Functions = [];

    /// <summary>Types with a role in their name, by name.</summary>
    public static readonly Dictionary<string, string> TypeNames = [];

    /// <summary>Bounds outside of Limits.cs, as <c>path: name or literal</c>.</summary>
    public static readonly Dictionary<string, string> Bounds = [];

    /// <summary>Calls that are banned elsewhere, as <c>path: rule</c>.</summary>
    public static readonly Dictionary<string, string> Calls = new()
    {
        ["src/Spawngate/Config/ReloadMemory.cs: GC.Collect"] =
            "left to itself the collector moves the tree of a large file in the middle of a reload, which requests wait 60 "
            + "to 200 ms for; after it, 15",
        ["src/Spawngate/Overload/YoungHeap.cs: GC.Collect"] =
            "left to itself the collector lets tens of megabytes of garbage become resident before it looks at them for the first time",
        ["src/Spawngate/Transport/KestrelListener.cs: unbounded channel"] =
            "it holds only connections that were accepted, and max_connections bounds those",
        ["src/Spawngate/Overload/HeapTrimmer.cs: GC.Collect"] =
            "left to itself the collector keeps the memory of a burst until as much has been allocated anew, which may take hours",
    };

    /// <summary>Members without XML docs, as <c>path: name</c>.</summary>
    public static readonly Dictionary<string, string> Docs = [];

    /// <summary>Names in backticks in docs/ARCHITECTURE.md that are no type of this repository, by name.</summary>
    public static readonly Dictionary<string, string> DocumentedNames = [];

    /// <summary>Members that no code of the program refers to.</summary>
    public static readonly Dictionary<string, string> DeadMembers = new()
    {
        ["Spawngate.Backends.BackendEnvironment::set_Execute(System.Action`1)"] = Replaced,
        ["Spawngate.Backends.BackendEnvironment::set_Feed(Spawngate.Telemetry.History.HistoryFeed)"] = Replaced,
        ["Spawngate.Backends.BackendEnvironment::set_Ports(Spawngate.Backends.LoopbackPorts)"] = Replaced,
        ["Spawngate.Backends.BackendEnvironment::set_Spread(System.Func`1)"] = Replaced,
        ["Spawngate.Backends.BackendEnvironment::set_Traffic(Spawngate.Telemetry.GatewayTraffic)"] = Replaced,
        ["Spawngate.Platform.DescriptorBudget::set_InForce(Spawngate.Platform.OpenFileLimit)"] = Replaced,
        ["Spawngate.Admin.AdminConnections::get_Count()"] = Watched,
        ["Spawngate.Backends.ActiveBackends::get_Count()"] = Watched,
        ["Spawngate.Backends.LifecycleMailbox::get_HasMessages()"] = Watched,
        ["Spawngate.Clients.ClientConnection::get_Awaited()"] = Watched,
        ["Spawngate.Clients.ClientConnection::get_IsChosen()"] = Watched,
        ["Spawngate.Clients.Shared.ClientProtocol::get_Awaited()"] = Watched,
        ["Spawngate.Clients.Http2.Http2Connection::get_AwaitsLook()"] = Watched,
        ["Spawngate.Overload.ClientLimits::get_Marks()"] = Watched,
        ["Spawngate.Protocols.Http2.FloodBudget::get_IdleFrames()"] = Watched,
        ["Spawngate.Protocols.Http2.FloodBudget::get_Resets()"] = Watched,
        ["Spawngate.Protocols.Http2.Hpack.HpackDecoder::get_TableCount()"] = Watched,
        ["Spawngate.Protocols.Http2.Hpack.HpackDecoder::get_TableSize()"] = Watched,
        ["Spawngate.Protocols.Http2.Hpack.HpackEncoder::get_TableSize()"] = Watched,
        ["Spawngate.Protocols.Http2.Http2Session::get_ActiveStreams()"] = Watched,
        ["Spawngate.Protocols.Http2.Http2Session::get_Budget()"] = Watched,
        ["Spawngate.Protocols.Http2.Http2Session::get_Failure()"] = Watched,
        ["Spawngate.Sessions.SessionIndex::get_Count()"] = Watched,
        ["Spawngate.Telemetry.BackendTraffic::get_Bytes()"] = Watched,
        ["Spawngate.Telemetry.History.EventHistory::get_Bytes()"] = Watched,
        ["Spawngate.Telemetry.Stripes::get_Bytes()"] = Watched,
        ["Spawngate.Transport.SplicePipe::get_OpenCount()"] = Watched,
        ["Spawngate.Workloads.Processes.Guardian::get_Pid()"] = Watched,
        ["Spawngate.Protocols.Http2.Hpack.HpackDecoder::SetTableSizeLimit(Int32)"] =
            "the vectors of others change the size, the gateway announces one for good",
        ["Spawngate.Protocols.Http2.Hpack.HpackField::NeverIndexed"] =
            "part of what the wire says (RFC 7541 section 6.2.3); HTTP/1.1 has no place for it",
        ["Spawngate.Protocols.Http2.Http2Event::get_Opaque()"] = "part of what the wire says; the gateway sends no pings of its own",
        ["Spawngate.Protocols.Http2.Http2Session::TryPing(UInt64)"] = "tests fill the outbox by it; the gateway sends no pings of its own",
        ["Spawngate.Platform.Libc+PollFd::Events"] = "read by the kernel",
    };

    private const string Replaced = "tests put their own in its place";
    private const string Watched = "state that tests watch and that shows nowhere else";
}
