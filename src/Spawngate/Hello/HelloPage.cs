using System.Globalization;
using System.Text;

namespace Spawngate.Hello;

/// <summary>What the demo backend answers.</summary>
internal sealed class HelloPage
{
    private readonly long _startedAt = TimeProvider.System.GetTimestamp();
    private long _requests;

    /// <summary>The whole answer to a request, head and body; without the body for HEAD.</summary>
    public byte[] Answer(HelloRequest request)
    {
        long number = Interlocked.Increment(ref _requests);
        int query = request.Target.IndexOf('?');
        bool isHealth = (query < 0 ? request.Target : request.Target[..query]) == "/health";
        return Message(
            200,
            "OK",
            isHealth ? "ok\n" : Greeting(request, number),
            request.Method != "HEAD",
            request.KeepsAlive,
            request.IsHttp11
        );
    }

    /// <summary>The whole answer to something that is no request; the connection closes after it.</summary>
    public static byte[] Refusal(int status, string reason) =>
        Message(status, reason, reason + "\n", withBody: true, keepsAlive: false, isHttp11: true);

    private string Greeting(HelloRequest request, long number)
    {
        double upSecs = TimeProvider.System.GetElapsedTime(_startedAt).TotalSeconds;
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            Hello! I am a small server that Spawngate started because you asked for me.

            host      {request.Host}
            method    {request.Method}
            path      {request.Target}
            pid       {Environment.ProcessId}
            uptime    {upSecs:0.000} s
            requests  {number}

            Nobody needs me when nobody asks: after the idle timeout I am stopped, and the next
            request starts a new process (watch the pid). These headers came with your request:


            """
        );
        foreach ((string name, string value) in request.Fields)
        {
            text.Append("  ").Append(name).Append(": ").Append(value).Append('\n');
        }

        return text.ToString();
    }

    private static byte[] Message(int status, string reason, string body, bool withBody, bool keepsAlive, bool isHttp11)
    {
        // Header values were read as Latin-1 and go out as UTF-8, so whatever bytes came in, valid text goes out.
        byte[] bodyBytes = Encoding.UTF8.GetBytes(body);
        string connection = keepsAlive ? (isHttp11 ? "" : "Connection: keep-alive\r\n") : "Connection: close\r\n";
        string head =
            $"HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {bodyBytes.Length}\r\n"
            + $"X-Content-Type-Options: nosniff\r\n{connection}\r\n";
        byte[] headBytes = Encoding.ASCII.GetBytes(head);
        return withBody ? [.. headBytes, .. bodyBytes] : headBytes;
    }
}
