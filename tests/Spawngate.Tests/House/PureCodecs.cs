using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Spawngate.Protocols;
using Spawngate.Transport;

namespace Spawngate.Tests;

/// <summary>Spawngate.Protocols knows bytes and events only: read from the compiled assembly, so nothing can hide.</summary>
[Category("House")]
[TestFixture]
internal sealed class PureCodecs
{
    private static readonly string[] BannedNamespaces =
    [
        "System.IO.Pipelines",
        "System.Net.Sockets",
        "System.Net.Http",
        "System.Net.Security",
        "System.Net.NetworkInformation",
        "System.Threading.Tasks",
        "System.Threading.Channels",
        "System.Timers",
        "Microsoft.",
    ];

    private static readonly string[] BannedTypes =
    [
        "System.Console",
        "System.Environment",
        "System.Random",
        "System.TimeProvider",
        "System.Diagnostics.Process",
        "System.Diagnostics.Stopwatch",
        "System.IO.Directory",
        "System.IO.DirectoryInfo",
        "System.IO.File",
        "System.IO.FileInfo",
        "System.IO.FileStream",
        "System.IO.RandomAccess",
        "System.IO.Stream",
        "System.Net.Dns",
        "System.Threading.CancellationToken",
        "System.Threading.CancellationTokenSource",
        "System.Threading.Lock",
        "System.Threading.Monitor",
        "System.Threading.PeriodicTimer",
        "System.Threading.SemaphoreSlim",
        "System.Threading.Thread",
        "System.Threading.ThreadPool",
        "System.Threading.Timer",
        "System.Threading.WaitHandle",
    ];

    /// <summary>Dates are values and allowed; reading the clock is not.</summary>
    private static readonly string[] BannedMembers =
    [
        "System.DateTime.get_Now",
        "System.DateTime.get_UtcNow",
        "System.DateTime.get_Today",
        "System.DateTimeOffset.get_Now",
        "System.DateTimeOffset.get_UtcNow",
        "System.Guid.NewGuid",
        "System.Guid.CreateVersion7",
    ];

    [Test]
    public void The_codecs_reach_no_sockets_pipes_tasks_or_clocks() =>
        Assert.That(Impurities(typeof(CodecLimits).Assembly.Location), Is.Empty);

    [Test]
    public void The_check_finds_what_the_program_itself_uses()
    {
        var found = Impurities(typeof(TransportLimits).Assembly.Location);

        Assert.That(found, Does.Contain("System.TimeProvider"));
        Assert.That(found, Does.Contain("System.Threading.Tasks.Task`1"));
        Assert.That(Impurities(typeof(PureCodecs).Assembly.Location), Does.Contain("System.Random"));
        Assert.That(new Random(1).Next(), Is.GreaterThanOrEqualTo(0), "the use that the line above finds");
    }

    private static List<string> Impurities(string assemblyPath)
    {
        using var file = File.OpenRead(assemblyPath);
        using var image = new PEReader(file);
        var metadata = image.GetMetadataReader();
        var types = metadata.TypeReferences.Select(handle => NameOf(metadata, handle)).Where(IsBannedType);
        var members = metadata
            .MemberReferences.Select(handle => NameOf(metadata, metadata.GetMemberReference(handle)))
            .Where(BannedMembers.Contains);
        return [.. types.Concat(members).Distinct().Order(StringComparer.Ordinal)];
    }

    private static bool IsBannedType(string name) =>
        BannedTypes.Contains(name) || BannedNamespaces.Any(banned => name.StartsWith(banned, StringComparison.Ordinal));

    private static string NameOf(MetadataReader metadata, TypeReferenceHandle handle)
    {
        var type = metadata.GetTypeReference(handle);
        return $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}";
    }

    private static string NameOf(MetadataReader metadata, MemberReference member) =>
        member.Parent.Kind == HandleKind.TypeReference
            ? $"{NameOf(metadata, (TypeReferenceHandle)member.Parent)}.{metadata.GetString(member.Name)}"
            : "";
}
