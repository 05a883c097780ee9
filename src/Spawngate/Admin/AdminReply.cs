using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Spawngate.Admin;

/// <summary>How the admin API writes its answers. The server leaves the body out by itself when the request was HEAD.</summary>
internal static class AdminReply
{
    /// <summary>Sends a JSON body.</summary>
    public static Task JsonAsync<T>(HttpContext context, int status, T value, JsonTypeInfo<T> type)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(value, type);
        return BytesAsync(context, status, "application/json", body);
    }

    /// <summary>Sends a report as JSON.</summary>
    public static Task ReportAsync<T>(HttpContext context, int status, T value, Action<Utf8JsonWriter, T> write)
        where T : class => BytesAsync(context, status, "application/json", ReportJson.Bytes(value, write));

    /// <summary>Sends a text body.</summary>
    public static Task TextAsync(HttpContext context, int status, string contentType, string text) =>
        BytesAsync(context, status, contentType, Encoding.UTF8.GetBytes(text));

    /// <summary>Refuses the request.</summary>
    public static Task ErrorAsync(HttpContext context, AdminError error)
    {
        if (error.Status == 401)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
        }

        var body = new AdminErrorBody(error.Code, error.Message, error.Status);
        return JsonAsync(context, error.Status, body, AdminJson.Default.AdminErrorBody);
    }

    /// <summary>Sets what every answer has: no cache may keep it, no browser may guess its type.</summary>
    public static void CommonHeaders(HttpResponse response)
    {
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
    }

    /// <summary>Sends a body.</summary>
    public static Task BytesAsync(HttpContext context, int status, string contentType, byte[] body)
    {
        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.ContentType = contentType;
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
