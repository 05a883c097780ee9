using System.Text;
using Spawngate.Forwarding;
using Spawngate.Protocols.Http1;
using Spawngate.Transport;

namespace Spawngate.Clients.Shared;

/// <summary>The errors of errors.md, JSON or a page, and other answers of the gateway's own, as HTTP/1 responses.</summary>
internal static class ErrorResponse
{
    /// <summary>The error that answers a refused head.</summary>
    public static ProxyError ForFault(HeadFault fault) =>
        fault switch
        {
            HeadFault.MissingHost => ProxyError.MissingHostHeader,
            HeadFault.RequestLineTooLong => ProxyError.UriTooLong,
            HeadFault.HeadTooLarge or HeadFault.TooManyFields => ProxyError.RequestHeaderFieldsTooLarge,
            HeadFault.UnknownTransferCoding or HeadFault.ConnectMethod or HeadFault.MethodTooLong => ProxyError.NotImplemented,
            HeadFault.UnsupportedVersion => ProxyError.HttpVersionNotSupported,
            _ => ProxyError.BadRequest,
        };

    /// <summary>A sentence about the fault for the client.</summary>
    public static string Detail(HeadFault fault) => $"The request is refused: {HeadFaults.Describe(fault)}.";

    /// <summary>Writes an error behind what waits to be sent; the body is left out for HEAD.</summary>
    public static void Write(SocketChannel client, ProxyError error, string? detail, Exchange exchange, bool keep, TimeProvider time)
    {
        var reply = exchange.Reply;
        byte[] body = reply?.Body ?? ProxyErrors.Body(error, detail);
        exchange.Record.SetAnswer(error, exchange.Request.Method == MethodKind.Head ? 0 : body.Length);
        var head = new StringBuilder();
        head.Append("HTTP/1.1 ").Append(Encoding.ASCII.GetString(ProxyErrors.StatusAndReason(error))).Append("\r\n");
        head.Append("Content-Type: ").Append(reply?.ContentType ?? "application/json").Append("\r\n");
        head.Append("Content-Length: ").Append(body.Length).Append("\r\n");
        if (error != ProxyError.None)
        {
            head.Append("X-Proxy-Error: ").Append(Encoding.ASCII.GetString(ProxyErrors.Code(error))).Append("\r\n");
            head.Append("Vary: Accept\r\n");
        }

        foreach (var (name, value) in reply?.Fields ?? [])
        {
            head.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        head.Append("Date: ").Append(time.GetUtcNow().ToString("R")).Append("\r\n");
        if (!exchange.RequestId.IsEmpty)
        {
            head.Append("X-Request-ID: ").Append(Encoding.ASCII.GetString(exchange.RequestId)).Append("\r\n");
        }

        if (exchange.ServerTiming is { IsEmpty: false } timing)
        {
            head.Append("Server-Timing: ").Append(Encoding.ASCII.GetString(timing)).Append("\r\n");
        }

        if (exchange.RetryAfterSecs > 0)
        {
            head.Append("Retry-After: ").Append(exchange.RetryAfterSecs).Append("\r\n");
        }

        head.Append(
            !keep ? "Connection: close\r\n\r\n"
            : exchange.Request.IsHttp11 ? "\r\n"
            : "Connection: keep-alive\r\n\r\n"
        );
        client.Write(Encoding.ASCII.GetBytes(head.ToString()));
        if (exchange.Request.Method != MethodKind.Head)
        {
            client.Write(body);
        }
    }
}
