using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Spawngate.Runtime;

namespace Spawngate.Telemetry;

/// <summary>
/// The body of one call to a collector: an ExportTraceServiceRequest of one resource and one scope around spans that are encoded already,
/// which are sent from where they lie.
/// <code>
///   1: ResourceSpans ┌ 1: Resource
///                    └ 2: ScopeSpans ┌ 1: scope
///                                    └ 2: span, 2: span, …
/// </code>
/// </summary>
internal sealed class SpanBatch : HttpContent
{
    private readonly byte[] _head;
    private readonly ReadOnlyMemory<byte> _spans;

    /// <summary>Makes it.</summary>
    /// <param name="resource">The resource with its tag.</param>
    /// <param name="spans">The spans with their tags; they must stay until the call is over.</param>
    public SpanBatch(ReadOnlyMemory<byte> resource, ReadOnlyMemory<byte> spans)
    {
        _spans = spans;
        byte[] scope = new byte[TelemetryLimits.OtlpTextBytes];
        var inner = new ProtoWriter(scope);
        int opened = inner.Open(1);
        inner.Text(1, "spawngate"u8);
        inner.Text(2, Encoding.UTF8.GetBytes(SpawngateVersion.Text));
        inner.Close(opened);

        int scopeSpans = inner.Length + spans.Length;
        int resourceSpans = resource.Length + 1 + ProtoWriter.BytesOf((uint)scopeSpans) + scopeSpans;
        _head = new byte[1 + ProtoWriter.BytesOf((uint)resourceSpans) + resourceSpans - spans.Length];
        var writer = new ProtoWriter(_head);
        writer.BeginMessage(1, resourceSpans);
        writer.WriteRaw(resource.Span);
        writer.BeginMessage(2, scopeSpans);
        writer.WriteRaw(scope.AsSpan(0, inner.Length));
        Headers.ContentType = new MediaTypeHeaderValue("application/x-protobuf");
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_head, cancellationToken).ConfigureAwait(false);
        await stream.WriteAsync(_spans, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        length = _head.Length + _spans.Length;
        return true;
    }
}
