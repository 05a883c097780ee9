using System.Text;
using Spawngate.Protocols.Http1;

namespace Spawngate.Protocols.Tests.Http1;

/// <summary>Feeds heads to the parsers whole, in two pieces, and byte by byte.</summary>
internal static class HeadParsing
{
    public static readonly HeadLimits Limits = new(8192, 32768, 100);

    /// <summary>Latin-1, so that every byte can be written in a test.</summary>
    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    public static (HeadStatus Status, RequestHead Head) Request(byte[] bytes, HeadLimits? limits = null, params int[] pieces)
    {
        var head = new RequestHead();
        head.Reset();
        return (Feed(bytes, pieces, piece => RequestHeadParser.Parse(head, piece, limits ?? Limits)), head);
    }

    public static (HeadStatus Status, ResponseHead Head) Response(
        byte[] bytes,
        bool toHead = false,
        HeadLimits? limits = null,
        params int[] pieces
    )
    {
        var head = new ResponseHead();
        head.Reset();
        return (Feed(bytes, pieces, piece => ResponseHeadParser.Parse(head, piece, toHead, limits ?? Limits)), head);
    }

    /// <summary>Every way to cut the bytes in two, then byte by byte.</summary>
    public static IEnumerable<int[]> Cuts(int length)
    {
        for (int cut = 0; cut < length; cut++)
        {
            yield return [cut];
        }

        yield return [.. Enumerable.Range(1, Math.Max(0, length - 1))];
    }

    /// <summary>Everything a request head says, as one text to compare.</summary>
    public static string Describe(HeadStatus status, RequestHead head, byte[] bytes)
    {
        if (status != HeadStatus.Complete)
        {
            return $"{status} {head.Fault}";
        }

        var text = new StringBuilder();
        text.Append(Text(head.MethodBytes(bytes))).Append(' ').Append(head.NeedsSlash(bytes) ? "/" : "").Append(Text(head.Target(bytes)));
        text.Append(
            $" 1.{head.MinorVersion} {head.Method} host={Text(head.Host(bytes))} {head.Framing.Kind}:{head.Framing.Length} "
                + $"length={head.Length}"
        );
        text.Append(head.IsPersistent ? " keep" : " close")
            .Append(head.WantsUpgrade ? " upgrade" : "")
            .Append(head.IsAbsoluteForm ? " absolute" : "");
        return text.Append(Fields(head.Fields, bytes)).ToString();
    }

    public static string Describe(HeadStatus status, ResponseHead head, byte[] bytes)
    {
        if (status != HeadStatus.Complete)
        {
            return $"{status} {head.Fault}";
        }

        var text = new StringBuilder();
        text.Append(
            $"{Text(head.StatusAndReason(bytes))}|{head.Status} 1.{head.MinorVersion} "
                + $"{head.Framing.Kind}:{head.Framing.Length} length={head.Length}"
        );
        text.Append(head.IsPersistent ? " keep" : " close").Append(head.IsInterim ? " interim" : "");
        return text.Append(Fields(head.Fields, bytes)).ToString();
    }

    private static string Fields(FieldTable table, byte[] bytes)
    {
        var text = new StringBuilder();
        foreach (var field in table.Fields)
        {
            text.Append($"\n{Text(field.Name(bytes))}={Text(field.Value(bytes))} ({field.Known})");
        }

        return text.ToString();
    }

    private static HeadStatus Feed(byte[] bytes, int[] pieces, Func<byte[], HeadStatus> parse)
    {
        foreach (int piece in pieces)
        {
            // A copy of exactly that length: a read past its end throws.
            var status = parse(bytes[..piece]);
            if (status != HeadStatus.NeedMore)
            {
                return status;
            }
        }

        return parse(bytes);
    }
}
